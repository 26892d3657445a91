"""`wigwag flags` and `wigwag show`."""

import json
from pathlib import Path

import pytest

from tests.client.cli.conftest import Wigwag
from tests.support.processes import ServerProcess, server_process


def test_flags_is_friendly_when_there_are_none(
    bare_wigwag: Wigwag, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "fresh"
    folder.mkdir()
    monkeypatch.chdir(folder)
    with server_process(folder):
        assert bare_wigwag("flags").err == (
            "There are no flags in production yet. This makes one: wigwag set my_flag --on\n"
        )
        assert json.loads(bare_wigwag("flags", "--json").out) == []


def test_flags_shows_each_flag_on_a_line_with_state_rollout_and_targeting(wigwag: Wigwag, key: str) -> None:
    wigwag("set", key, "--on", "--rollout", "12.5", "--rule", "plan equals premium", "--allow", "u1", "--deny", "u2")
    ran = wigwag("flags")
    assert ran.code == 0
    assert ran.out.splitlines()[0].split() == ["FLAG", "STATE", "ROLLOUT", "TARGETING", "UPDATED"]
    line = next(line for line in ran.out.splitlines() if line.startswith(f"{key} "))
    assert line.split(maxsplit=3)[:3] == [key, "on", "12.5%"]
    assert "plan equals premium · 1 always on · 1 always off" in line
    assert line.endswith("just now")


def test_flags_shows_a_kill_above_everything_else(wigwag: Wigwag, key: str) -> None:
    wigwag("set", key, "--on")
    wigwag("kill", key)
    ran = wigwag("flags")
    assert next(line for line in ran.out.splitlines() if line.startswith(f"{key} ")).split()[1] == "KILLED"
    assert "killed) in production at http://127.0.0.1:" in ran.err
    wigwag("delete", key, "--yes")


def test_flags_in_a_pipe_has_no_control_codes_and_cuts_nothing(wigwag: Wigwag) -> None:
    key = "k" * 128
    wigwag("set", key, "--on", "--owner", "a team with quite a long name", "--rule", f'plan in ["{"p" * 200}"]')
    out = wigwag("flags").out
    wigwag("delete", key, "--yes")
    assert "\x1b" not in out
    assert key in out
    assert "p" * 200 in out
    assert "a team with quite a long name" in out
    assert all(line == line.rstrip() for line in out.splitlines())


def test_flags_as_json_is_a_list_of_whole_flags(wigwag: Wigwag, key: str) -> None:
    wigwag("set", key, "--on")
    flag = next(flag for flag in json.loads(wigwag("flags", "--json").out) if flag["key"] == key)
    assert flag["enabled"] is True
    assert flag["rolloutPercentage"] == 100


def test_show_tells_everything_that_decides(wigwag: Wigwag, key: str) -> None:
    wigwag("set", key, "--on", "--rollout", "10", "--rule", "beta equals true", "--rule", "plan equals pro")
    wigwag("set", key, "--allow", "user_1", "--owner", "ann", "--tag", "pay", "--description", "the new one")
    wigwag("kill", key, "--reason", "errors")
    lines = [line.split(maxsplit=1) for line in wigwag("show", key).out.splitlines()]
    rows = dict(lines[:3])
    assert rows[key] == "KILLED"
    assert rows["killed"].endswith("by dev: errors")
    assert rows["switch"] == "on"
    text = wigwag("show", key).out
    for part in ("10% by userId", "beta equals true and plan equals pro", "user_1", "ann", "pay", "the new one"):
        assert part in text


def test_show_as_json_is_the_flag(wigwag: Wigwag, key: str) -> None:
    wigwag("set", key, "--off")
    assert json.loads(wigwag("show", key, "--json").out)["key"] == key


def test_text_of_others_cannot_steer_the_terminal(wigwag: Wigwag, key: str) -> None:
    wigwag("set", key, "--on", "--description", "\x1b[2Jgone", "--owner", "[red]x[/red]")
    wigwag("kill", key, "--reason", "\x1b]0;title\x07")
    out = wigwag("show", key).out
    assert "\x1b" not in out
    assert "\x07" not in out
    assert "[red]x[/red]" in out


def test_options_may_stand_before_and_after_the_command(bare_wigwag: Wigwag, cli_server: ServerProcess) -> None:
    server = ("--url", cli_server.url, "--token", cli_server.admin_token)
    assert bare_wigwag(*server, "--json", "flags").out == bare_wigwag("flags", *server, "--json").out
    assert bare_wigwag("--url", "http://127.0.0.1:1", "--token", "wrong", "flags", *server).code == 0
