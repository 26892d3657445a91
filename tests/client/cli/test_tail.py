"""`wigwag tail`, as a process of its own beside the others."""

import json
import signal
from pathlib import Path

from tests.client.cli.conftest import Wigwag
from tests.support.processes import ServerProcess, running_command, server_process


def test_tail_shows_each_change_on_a_line_until_ctrl_c(wigwag: Wigwag, cli_server: ServerProcess, key: str) -> None:
    with running_command("wigwag", "tail", folder=cli_server.folder) as tail:
        assert tail.stdout is not None
        assert tail.stderr is not None
        assert tail.stderr.readline() == f"following production at {cli_server.url}; Ctrl-C ends it\n"
        lines = []
        for words in (["set", key, "--on"], ["set", key, "--rollout", "10"], ["kill", key, "--reason", "fire"]):
            wigwag(*words)
            lines.append(tail.stdout.readline().split(maxsplit=3))
        for words in (["revive", key], ["delete", key, "--yes"]):
            wigwag(*words)
            lines.append(tail.stdout.readline().split(maxsplit=3))
        assert [line[1:] for line in lines] == [
            ["created", key, "on, 100%\n"],
            ["updated", key, "rollout 100% → 10%\n"],
            ["killed", key, "by dev: fire\n"],
            ["revived", key, "on, 10%\n"],
            ["deleted", key],
        ]
        tail.send_signal(signal.SIGINT)
        assert tail.wait(10) == 130
        assert tail.stderr.read() == ""


def test_tail_as_json_is_one_object_a_line_and_ends_quietly_when_nobody_reads(
    wigwag: Wigwag, cli_server: ServerProcess, key: str
) -> None:
    with running_command("wigwag", "tail", "--json", "--key", cli_server.server_key, folder=cli_server.folder) as tail:
        assert tail.stdout is not None
        assert tail.stderr is not None
        tail.stderr.readline()
        wigwag("set", key, "--on")
        change = json.loads(tail.stdout.readline())
        assert (change["what"], change["key"], change["before"]) == ("created", key, None)
        assert change["after"]["enabled"] is True
        assert change["revision"] == change["after"]["revision"]
        tail.stdout.close()
        wigwag("kill", key)
        assert tail.wait(10) == 141
        assert tail.stderr.read() == ""


def test_tail_says_when_the_connection_is_lost_and_when_it_is_back(tmp_path: Path) -> None:
    folder = tmp_path / "server"
    folder.mkdir()
    with server_process(folder) as server:
        with running_command("wigwag", "tail", folder=folder) as tail:
            assert tail.stderr is not None
            tail.stderr.readline()
            server.process.kill()
            assert tail.stderr.readline().startswith("connection lost: ")
            with server_process(folder, listen=server.url.removeprefix("http://")):
                assert tail.stderr.readline() == "connected again\n"


def test_tail_takes_a_server_key_and_says_so(wigwag: Wigwag, cli_server: ServerProcess) -> None:
    ran = wigwag("tail", "--key", cli_server.admin_token)
    assert (ran.code, "It takes a key of kind 'server' or a key of kind 'relay'." in ran.err) == (4, True)
    ran = wigwag("tail", "-e", "staging")
    assert (ran.code, ran.err) == (2, "wigwag: this key is for production, not for staging\n")
    ran = wigwag("tail", "--url", "http://127.0.0.1:1", "--key", "k")
    assert ran.code == 3
