"""`wigwag kill` of several flags, for a time, and as a trial; and `wigwag flags` with a search."""

import json

from tests.client.cli.conftest import Wigwag


def states(wigwag: Wigwag, *keys: str) -> list[bool]:
    return [json.loads(wigwag("show", key, "--json").out)["kill"] is not None for key in keys]


def test_several_flags_are_killed_in_one_revision(wigwag: Wigwag, key: str) -> None:
    one, other, tagged = f"{key}.one", f"{key}.other", f"{key}.tagged"
    wigwag("set", one, "--on")
    wigwag("set", other, "--on")
    wigwag("set", tagged, "--on", "--tag", f"tag-{key}")
    ran = wigwag("kill", one, other, "--tag", f"tag-{key}", "--reason", "all of it")
    assert ran.out.startswith("killed 3 flags in production, revision ")
    assert f"{one}, {other}, {tagged}" in ran.out
    revisions = {json.loads(wigwag("show", each, "--json").out)["revision"] for each in (one, other, tagged)}
    assert len(revisions) == 1


def test_flags_are_killed_by_pattern_and_a_dry_run_kills_nothing(wigwag: Wigwag, key: str) -> None:
    one, other = f"{key}.one", f"{key}.other"
    wigwag("set", one, "--on")
    wigwag("set", other, "--on")
    ran = wigwag("kill", "--pattern", f"{key}.*", "--dry-run")
    assert ran.out == f"nothing was killed. In production this would kill 2: {one}, {other}\n"
    assert wigwag("kill", one, "--dry-run").out == f"nothing was killed. In production this would kill 1: {one}\n"
    assert states(wigwag, one, other) == [False, False]
    wigwag("kill", "--pattern", f"{key}.*")
    assert states(wigwag, one, other) == [True, True]


def test_a_kill_may_end_by_itself(wigwag: Wigwag, key: str) -> None:
    wigwag("set", key, "--on")
    ran = wigwag("kill", key, "--until", "30m")
    assert f"until the time given, or: wigwag revive {key}" in ran.out
    kill = json.loads(wigwag("show", key, "--json").out)["kill"]
    assert 0 < kill["until"] - kill["at"] <= 1_800_000
    assert wigwag("kill", key, "--until", "2199-01-31T12:00:00Z").code == 0
    assert wigwag("kill", key, "--until", "soon").code == 2


def test_a_kill_needs_to_know_of_what(wigwag: Wigwag) -> None:
    ran = wigwag("kill")
    assert (ran.code, "what is to be killed?" in ran.err) == (2, True)
    assert wigwag("kill", "--tag", "no-such-tag").code == 1


def test_flags_are_searched_for(wigwag: Wigwag, key: str) -> None:
    wigwag("set", f"{key}.a", "--on", "--tag", f"t-{key}", "--owner", f"o-{key}")
    wigwag("set", f"{key}.b", "--off", "--tag", f"t-{key}")

    def found(*words: str) -> list[str]:
        return [each["key"] for each in json.loads(wigwag("flags", "--json", *words).out)]

    assert found("-q", key) == [f"{key}.a", f"{key}.b"]
    assert found("-q", key, "--limit", "1") == [f"{key}.a"]
    assert found("--tag", f"t-{key}", "--state", "off") == [f"{key}.b"]
    assert found("--owner", f"o-{key}", "--kind", "release") == [f"{key}.a"]
    assert wigwag("flags", "-q", "no-such-word").err == "There are no such flags in production.\n"
    assert wigwag("flags", "--state", "sleepy").code == 1
    wigwag("delete", f"{key}.a", "--yes")  # its owner would give every list of flags one more column
