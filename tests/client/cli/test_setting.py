"""`wigwag set`."""

import json
from pathlib import Path

from tests.client.cli.conftest import Wigwag


def shown(wigwag: Wigwag, key: str) -> dict[str, object]:
    flag: dict[str, object] = json.loads(wigwag("show", key, "--json").out)
    return flag


def test_set_creates_a_flag_that_is_off_until_it_is_switched_on(wigwag: Wigwag, key: str) -> None:
    ran = wigwag("set", key, "--rollout", "10")
    assert ran.code == 0
    assert ran.out.startswith(f"created {key} in production, revision ")
    assert ran.out.endswith(": off, 10%\n")
    assert wigwag("set", key, "--on").out.endswith(": switch off → on\n")


def test_what_no_option_names_stays_as_it_is(wigwag: Wigwag, key: str) -> None:
    wigwag("set", key, "--on", "--rollout", "10", "--allow", "u1", "--rule", "plan equals pro", "--tag", "a")
    wigwag("set", key, "--description", "new")
    flag = shown(wigwag, key)
    assert (flag["enabled"], flag["rolloutPercentage"], flag["whitelist"]) == (True, 10, ["u1"])
    assert (flag["tags"], flag["description"]) == (["a"], "new")
    assert flag["rules"] == [{"attribute": "plan", "operator": "equals", "value": "pro"}]


def test_lists_are_added_to_and_cleared_only_when_asked(wigwag: Wigwag, key: str) -> None:
    wigwag("set", key, "--allow", "u1", "--allow", "u2", "--tag", "a")
    wigwag("set", key, "--allow", "u3", "--allow", "u1")
    assert shown(wigwag, key)["whitelist"] == ["u1", "u2", "u3"]
    ran = wigwag("set", key, "--clear", "allow", "--allow", "u9", "--clear", "tags")
    assert "always on +u9 -u1 -u2 -u3; tags -a" in ran.out
    assert (shown(wigwag, key)["whitelist"], shown(wigwag, key)["tags"]) == (["u9"], [])


def test_a_user_moves_between_the_lists_and_leaves_both_when_unlisted(wigwag: Wigwag, key: str) -> None:
    wigwag("set", key, "--deny", "u1")
    wigwag("set", key, "--allow", "u1")
    assert (shown(wigwag, key)["whitelist"], shown(wigwag, key)["blacklist"]) == (["u1"], [])
    wigwag("set", key, "--unlist", "u1")
    assert (shown(wigwag, key)["whitelist"], shown(wigwag, key)["blacklist"]) == ([], [])


def test_a_change_that_changes_nothing_is_not_sent(wigwag: Wigwag, key: str) -> None:
    wigwag("set", key, "--on", "--rollout", "25")
    before = shown(wigwag, key)
    assert wigwag("set", key, "--on", "--rollout", "25%").out == f"{key} is like that already: on, 25%\n"
    assert shown(wigwag, key) == before


def test_a_killed_flag_can_be_edited_but_stays_killed_and_the_person_is_told(wigwag: Wigwag, key: str) -> None:
    wigwag("set", key, "--on")
    wigwag("kill", key, "--reason", "fire")
    ran = wigwag("set", key, "--rollout", "5")
    assert ran.err == f"wigwag: {key} is killed and stays off until: wigwag revive {key}\n"
    kill = shown(wigwag, key)["kill"]
    assert isinstance(kill, dict)
    assert kill["reason"] == "fire"


def test_a_new_key_that_looks_like_an_old_one_is_pointed_out(wigwag: Wigwag) -> None:
    wigwag("set", "payment_provider", "--on")
    ran = wigwag("set", "payment_provder", "--on", "--json")
    assert ran.code == 0
    assert ran.err == "wigwag: payment_provder is new; there was also payment_provider\n"
    assert json.loads(ran.out)["key"] == "payment_provder"


def test_a_file_is_the_whole_configuration_and_what_show_prints_can_be_such_a_file(
    wigwag: Wigwag, key: str, tmp_path: Path
) -> None:
    wigwag("set", key, "--on", "--allow", "u1", "--rollout", "10")
    body = tmp_path / "body.json"
    body.write_text(wigwag("show", key, "--json").out.replace('"u1"', '"u2"'))
    wigwag("set", key, "--from-file", str(body))
    assert (shown(wigwag, key)["whitelist"], shown(wigwag, key)["rolloutPercentage"]) == (["u2"], 10)
    assert wigwag("set", key, "--from-file", "-", "--rollout", "7", typed='{"enabled": true}').code == 0
    flag = shown(wigwag, key)
    assert (flag["enabled"], flag["whitelist"], flag["rolloutPercentage"]) == (True, [], 7)


def test_a_file_that_would_be_misunderstood_is_refused(wigwag: Wigwag, key: str, tmp_path: Path) -> None:
    body = tmp_path / "body.json"
    for text, said in (
        ("{", "is not JSON"),
        ("[]", "is to hold a JSON object"),
        ('{"key": "other"}', "is of the flag 'other'"),
        ('{"kill": {"by": "me", "at": 1}}', f"'wigwag kill {key}' kills"),
    ):
        body.write_text(text)
        ran = wigwag("set", key, "--from-file", str(body))
        assert (ran.code, said in ran.err) == (2, True), ran
    ran = wigwag("set", key, "--from-file", str(tmp_path / "none.json"))
    assert (ran.code, "No such file or directory" in ran.err) == (2, True)
    assert wigwag("show", key).code == 5
