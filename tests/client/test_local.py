"""Flags without a server: from a dict, and from a file that changes."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.support.server import running
from tests.support.waiting import until
from wigwag import FlagClient, MalformedFlags, RefreshFailed, Settings, Source, WigwagError
from wigwag_proto.ruleset import What

PREMIUM = {"attribute": "plan", "operator": "equals", "value": "premium"}
QUICK = Settings(flag_file_every_s=0.01, cache_dir=None)
YAML = """
flags:
  simple: true
  idle: {enabled: false}
  button:
    enabled: true
    rules:
      - {attribute: plan, operator: equals, value: premium}
    variants:
      - {name: blue, weight: 1, value: "#00f"}
  dead: {enabled: true, killSwitch: true}
  staff_only:
    enabled: true
    rules: [{attribute: userId, operator: inSegment, value: staff}]
segments:
  staff: {include: [ann]}
"""


def write(path: Path, **flags: Any) -> None:
    path.write_text(json.dumps({"flags": flags}))


def test_a_dict_decides_without_anything_being_started() -> None:
    flags = FlagClient.from_dict({"a": True, "b": False, "c": {"enabled": True, "rules": [PREMIUM]}})
    assert flags.is_enabled("a")
    assert not flags.is_enabled("b")
    assert flags.is_enabled("c", plan="premium")
    assert not flags.is_enabled("c")
    assert flags.is_enabled("nope", default=True)
    assert flags.status.source is Source.LOCAL
    assert flags.status.age_s == 0.0
    assert flags.status.last_error is None


def test_a_flag_with_a_dead_mans_switch_is_on_where_there_is_nobody_to_lose() -> None:
    assert FlagClient.from_dict({"a": {"enabled": True, "failSafeAfter": 1}}).is_enabled("a")


def test_what_the_program_does_to_its_dict_later_changes_nothing() -> None:
    plain: dict[str, Any] = {"f": {"enabled": True, "variants": [{"name": "a", "weight": 1, "value": [1]}]}}
    flags = FlagClient.from_dict(plain)
    plain["f"]["variants"][0]["value"].append(2)
    plain["f"]["enabled"] = False
    assert flags.value("f", default=None) == [1]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"f": {"enabled": "yes"}}, "/flags/f/enabled: must be true or false"),
        ({"f": {"rolloutPercentage": 101}}, "/flags/f/rolloutPercentage: must be 0–100"),
        ({"f": {"enable": True}}, "did you mean 'enabled'"),
        ({"f": 5}, "/flags/f: must be an object"),
        ({"-f": True}, "a key has 1–128"),
        ({True: True}, "quote them"),
        ({"f": {"requires": [{"flag": "g"}]}}, "unknown flag 'g'"),
        ({"f": {"kill": {"reason": "x"}}}, "killSwitch: true"),
    ],
)
def test_all_that_is_wrong_is_said_at_once(wrong: Any, said: str) -> None:
    with pytest.raises(MalformedFlags) as told:
        FlagClient.from_dict({**wrong, "other": {"enabled": 1}})
    assert said in str(told.value)
    assert "/flags/other/enabled" in str(told.value)


def test_a_yaml_file_answers_at_once(tmp_path: Path) -> None:
    path = tmp_path / "flags.yaml"
    path.write_text(YAML)
    flags = FlagClient.from_file(path)
    assert flags.is_enabled("simple")
    assert not flags.is_enabled("idle")
    assert flags.value("button", default="grey", plan="premium") == "#00f"
    assert flags.value("button", default="grey") == "grey"
    assert flags.is_enabled("staff_only", user_id="ann")
    assert flags.explain("dead").reason.value == "KILLED"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("f.yaml", "flags: [", "not YAML that can be used"),
        ("f.yaml", "flags:\n  5: true\n", "quote them"),
        ("f.yaml", "flags:\n  a: true\n  a: false\n", "in line 3: 'a' stands twice"),
        ("f.yaml", "flags: {a: {enabled: true, description: 5}}", "must be a string"),
        ("f.yaml", "!!python/object/apply:os.system [echo]", "not YAML that can be used"),
        ("f.json", '{"flags": {"a": true, "a": false}}', "'a' stands twice"),
        ("f.json", "[]", "must be an object"),
        ("f.json", '{"flag": {}}', "did you mean 'flags'"),
        ("f.json", "\udcff", "cannot read the flags"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_at_the_start(name: str, content: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(WigwagError) as told:
        FlagClient.from_file(path)
    assert said in str(told.value)


def test_a_file_that_is_not_there_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(WigwagError, match=r"nope\.yaml"):
        FlagClient.from_file(tmp_path / "nope.yaml")


async def test_a_change_of_the_file_takes_effect_and_is_told(tmp_path: Path) -> None:
    path = tmp_path / "flags.json"
    write(path, f=False, g=True)
    async with FlagClient.from_file(path, settings=QUICK) as flags:
        changes = flags.changes()
        write(path, f=True, g=True)
        change = await anext(changes)
        assert (change.key, change.what) == ("f", What.UPDATED)
        assert flags.is_enabled("f")
        bound = flags.bind()
        write(path, g={"enabled": True, "killSwitch": True})
        await until(lambda: not flags.is_enabled("g"), "the kill in the file")
        assert not bound.is_enabled("g")
        assert bound.is_enabled("f")


async def test_two_writes_within_the_resolution_of_the_clock_are_both_seen(tmp_path: Path) -> None:
    path = tmp_path / "flags.json"
    write(path, f=False)
    async with FlagClient.from_file(path, settings=QUICK) as flags:
        before = path.stat()
        write(path, f=True)
        path.write_text(path.read_text() + " ")
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        await until(lambda: flags.is_enabled("f"), "the second write")


async def test_an_unchanged_file_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "flags.json"
    write(path, f={"enabled": True, "killSwitch": True})
    async with FlagClient.from_file(path, settings=QUICK) as flags:
        revision = flags.status.revision
        await flags.refresh()
        await flags.refresh()
        assert flags.status.revision == revision


async def test_what_is_wrong_keeps_its_last_good_version_and_the_rest_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "flags.json"
    write(path, f=True, g=False)
    async with FlagClient.from_file(path, settings=QUICK) as flags:
        write(path, f={"enabled": "no"}, g=True, h={"enabled": "new and wrong"})
        await until(lambda: flags.is_enabled("g"), "the good flag")
        assert flags.is_enabled("f")
        await until(lambda: flags.status.last_error is not None, "the error")
        assert "/flags/f/enabled" in str(flags.status.last_error)
        path.write_text("{")
        await until(lambda: "cannot read" in str(flags.status.last_error), "the syntax error")
        assert flags.is_enabled("f")
        assert flags.is_enabled("g")
        path.unlink()
        await until(lambda: "No such file" in str(flags.status.last_error), "the missing file")
        assert flags.is_enabled("g")
        with pytest.raises(RefreshFailed):
            await flags.refresh()
        write(path, f=False)
        await until(lambda: not flags.is_enabled("f"), "the mended file")
        assert flags.explain("g").reason.value == "UNKNOWN_FLAG"
        await until(lambda: flags.status.last_error is None, "the error to be over")
    assert len([r for r in caplog.records if "last good version" in r.getMessage()]) == 3


async def test_a_file_that_is_replaced_through_a_link_is_followed(tmp_path: Path) -> None:
    """As a mounted config map is."""
    for name, on in (("one", False), ("two", True)):
        (tmp_path / name).mkdir()
        write(tmp_path / name / "flags.json", f=on)
    link = tmp_path / "current"
    link.symlink_to("one")
    async with FlagClient.from_file(link / "flags.json", settings=QUICK) as flags:
        (tmp_path / "next").symlink_to("two")
        (tmp_path / "next").replace(link)
        await until(lambda: flags.is_enabled("f"), "the other file")


async def test_it_is_closed_and_started_again(tmp_path: Path) -> None:
    path = tmp_path / "flags.json"
    write(path, f=False)
    flags = FlagClient.from_file(path, settings=QUICK)
    async with flags:
        pass
    write(path, f=True)
    assert not flags.is_enabled("f")
    async with flags:
        await until(lambda: flags.is_enabled("f"), "the change")
    assert flags.is_enabled("f")


def test_this_machine_can_kill_without_a_server_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WIGWAG_KILL", "f")
    assert not FlagClient.from_dict({"f": True}).is_enabled("f")


async def test_the_snapshot_of_a_server_is_such_a_file(tmp_path: Path) -> None:
    async with running(f"sqlite:{tmp_path}/wigwag.db") as server:
        await server.put("f", enabled=True, rules=[PREMIUM])
        await server.put("g", enabled=True)
        await server.kill("g")
        answer = await server.ask("GET", "/v1/snapshot", token=server.key)
        path = tmp_path / "flags.json"
        path.write_text(json.dumps(answer.body))
        flags = FlagClient.from_file(path)
        assert flags.is_enabled("f", plan="premium")
        assert not flags.is_enabled("g")
        async with server.client() as client:
            assert {k: d.reason for k, d in flags.all().items()} == {k: d.reason for k, d in client.all().items()}


def test_an_emergency_in_a_snapshot_is_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "flags.json"
    emergency = {"id": "e", "keys": ["f"], "by": "ops", "reason": "fire", "at": 1}
    path.write_text(json.dumps({"flags": {"f": {"enabled": True}}, "emergencies": [emergency]}))
    assert not FlagClient.from_file(path).is_enabled("f")


async def test_the_status_tells_callbacks_when_flags_are_no_longer_pushed(tmp_path: Path) -> None:
    told: list[Source] = []
    async with running(f"sqlite:{tmp_path}/wigwag.db") as server:
        client = server.client()
        client.on_status(lambda status: told.append(status.source))
        await client.start()
        await until(lambda: told[-1:] == [Source.STREAM], "the stream")
    await until(lambda: told[-1] is not Source.STREAM, "the loss")
    assert told[-1] in (Source.POLL, Source.LAST_KNOWN)
    await client.close()
