"""`wigwag history`, `revert` and `explain`."""

import json
from pathlib import Path

from tests.client.cli.conftest import Wigwag


def revision_of(wigwag: Wigwag, key: str) -> int:
    revision: int = json.loads(wigwag("show", key, "--json").out)["revision"]
    return revision


def test_history_tells_who_did_what_and_why(wigwag: Wigwag, key: str) -> None:
    wigwag("set", key, "--on", "--rollout", "10", "--comment", "a first try")
    wigwag("set", key, "--rollout", "50", "--allow", "ann")
    wigwag("kill", key, "--reason", "too slow")
    told = wigwag("history", key)
    assert told.code == 0
    lines = told.out.splitlines()
    assert " killed by dev from 127.0.0.1" in lines[0]
    assert any("rollout: 10% → 50%" in line for line in lines)
    assert any("always on: +ann" in line for line in lines)
    assert any("“a first try”" in line for line in lines)
    assert told.err == f"\n3 changes of {key} in production\n"


def test_history_as_json_is_a_list_as_long_as_asked_for(wigwag: Wigwag, key: str) -> None:
    for percent in ("10", "20", "30"):
        wigwag("set", key, "--rollout", percent)
    assert len(json.loads(wigwag("history", key, "--json").out)) == 3
    assert [each["what"] for each in json.loads(wigwag("history", key, "--json", "--limit", "1").out)] == ["updated"]


def test_a_deleted_flag_has_a_history_and_comes_back(wigwag: Wigwag, key: str) -> None:
    wigwag("set", key, "--on")
    revision = revision_of(wigwag, key)
    wigwag("delete", key, "--yes", "--comment", "done with")
    assert "“done with”" in wigwag("history", key).out
    assert wigwag("revert", key, str(revision), "--yes").code == 0
    assert wigwag("show", key).code == 0


def test_revert_shows_what_it_does_and_asks(wigwag: Wigwag, key: str) -> None:
    wigwag("set", key, "--rollout", "10")
    revision = revision_of(wigwag, key)
    wigwag("set", key, "--rollout", "50")
    ran = wigwag("revert", key, str(revision))
    assert (ran.code, "rollout: 50% → 10%" in ran.err) == (2, True)
    assert f"wigwag revert {key} {revision} --yes" in ran.err
    ran = wigwag("revert", key, str(revision), "--yes", "--comment", "back")
    assert ran.out.startswith(f"put back {key} in production as of revision {revision}; it is at revision ")
    assert wigwag("revert", key, str(revision), "--yes").out == (
        f"{key} in production is as it was at revision {revision}\n"
    )


def test_explain_says_why(wigwag: Wigwag, key: str) -> None:
    wigwag("set", key, "--on", "--rule", "plan equals premium", "--rule", "seats greaterThan 3")
    ran = wigwag("explain", key, "userId=ann", "plan=premium", "seats=5")
    assert ran.out.splitlines()[0] == f"{key} in production is on: RULE_MATCH"
    assert "  1. " in ran.out
    assert "is off: RULE_MISMATCH" in wigwag("explain", key, "plan=basic", "seats=5").out
    assert json.loads(wigwag("explain", key, "plan=premium", "seats=5", "--json").out)["enabled"] is True
    assert wigwag("explain", key, "plan").code == 2


def test_explain_looks_into_the_past_and_at_drafts(wigwag: Wigwag, key: str, tmp_path: Path) -> None:
    wigwag("set", key, "--on")
    revision = revision_of(wigwag, key)
    wigwag("set", key, "--off")
    assert "is off: DISABLED" in wigwag("explain", key).out
    assert f"as of {revision} is on" in wigwag("explain", key, "--as-of", str(revision)).out
    draft = tmp_path / "draft.yaml"
    draft.write_text("enabled: true\nwhitelist: [ann]\n")
    assert "by the draft is on: WHITELISTED" in wigwag("explain", key, "userId=ann", "--draft", str(draft)).out
    assert "is off: DISABLED" in wigwag("explain", key, "userId=ann").out
