"""`wigwag segments …`."""

import json

from tests.client.cli.conftest import Wigwag


def test_a_segment_is_made_changed_and_shown(wigwag: Wigwag, key: str) -> None:
    ran = wigwag("segments", "set", key, "--include", "ann", "--exclude", "bob", "--rule", "plan equals premium")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith(f"created segment {key} in production, revision ")
    ran = wigwag("segments", "set", key, "--include", "bob", "--unlist", "ann", "--clear-rules", "--description", "all")
    assert ran.out.startswith(f"changed segment {key} in production, revision ")
    segment = json.loads(wigwag("segments", "show", key, "--json").out)
    assert [segment[name] for name in ("include", "exclude", "rules", "description")] == [["bob"], [], [], "all"]
    shown = wigwag("segments", "show", key).out
    assert "bob" in shown
    assert "production" in shown


def test_segments_are_listed_and_searched_for(wigwag: Wigwag, key: str) -> None:
    wigwag("segments", "set", key, "--include", "ann", "--description", f"about {key}")
    assert f"{key} " in wigwag("segments", "list").out
    assert [each["key"] for each in json.loads(wigwag("segments", "list", "-q", key, "--json").out)] == [key]
    ran = wigwag("segments", "list", "-q", "no-such-word")
    assert (ran.out, ran.err) == ("", "There are no such segments in production.\n")


def test_a_segment_comes_from_a_file(wigwag: Wigwag, key: str, tmp_path_factory: object) -> None:
    typed = json.dumps({"include": ["ann"], "rules": []})
    assert wigwag("segments", "set", key, "--from-file", "-", typed=typed).code == 0
    ran = wigwag("segments", "set", key, "--from-file", "-", typed='{"key": "another"}')
    assert (ran.code, "is of the segment 'another'" in ran.err) == (2, True)


def test_a_segment_is_deleted_unless_a_rule_needs_it(wigwag: Wigwag, key: str) -> None:
    wigwag("segments", "set", key, "--include", "ann")
    wigwag("set", f"{key}.flag", "--on", "--rule", f"userId inSegment {key}")
    ran = wigwag("segments", "delete", key, "--yes")
    assert (ran.code, f"{key}.flag" in ran.err) == (1, True)
    wigwag("delete", f"{key}.flag", "--yes")
    assert wigwag("segments", "delete", key).code == 2
    assert wigwag("segments", "delete", key, "--yes").out == f"deleted segment {key} in production\n"
    ran = wigwag("segments", "show", key)
    assert (ran.code, "'wigwag segments list'" in ran.err or "Did you mean" in ran.err) == (5, True)


def test_a_segment_goes_back_to_what_it_was(wigwag: Wigwag, key: str) -> None:
    wigwag("segments", "set", key, "--include", "ann", "--comment", "the first")
    revision = json.loads(wigwag("segments", "show", key, "--json").out)["revision"]
    wigwag("segments", "set", key, "--include", "bob")
    told = wigwag("segments", "history", key).out
    assert "“the first”" in told
    assert "include: +bob" in told
    ran = wigwag("segments", "revert", key, str(revision))
    assert (ran.code, f"wigwag segments revert {key} {revision} --yes" in ran.err) == (2, True)
    assert wigwag("segments", "revert", key, str(revision), "--yes").code == 0
    assert json.loads(wigwag("segments", "show", key, "--json").out)["include"] == ["ann"]


def test_nothing_to_set_is_said(wigwag: Wigwag, key: str) -> None:
    ran = wigwag("segments", "set", key)
    assert (ran.code, "nothing to set" in ran.err) == (2, True)
