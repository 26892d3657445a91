"""`wigwag kill`, `revive` and `delete`."""

import json
import os
import pty
import subprocess
import sys

from tests.client.cli.conftest import Wigwag
from tests.support.processes import BIN, ServerProcess

ON_TERMINAL = "import os, sys; os.login_tty(0); os.execv(sys.argv[1], sys.argv[1:])"


def test_kill_asks_nothing_and_says_how_to_take_it_back(wigwag: Wigwag, key: str) -> None:
    wigwag("set", key, "--on")
    ran = wigwag("kill", key, "--reason", "errors in payment")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith(f"killed {key} in production, revision ")
    assert ran.out.endswith(f"It is off for everyone until: wigwag revive {key}\n")
    kill = json.loads(wigwag("show", key, "--json").out)["kill"]
    assert (kill["by"], kill["reason"]) == ("dev", "errors in payment")


def test_kill_as_json_is_the_flag(wigwag: Wigwag, key: str) -> None:
    wigwag("set", key, "--on")
    assert json.loads(wigwag("kill", key, "--json").out)["kill"]["by"] == "dev"


def test_revive_puts_the_configuration_in_force_again(wigwag: Wigwag, key: str) -> None:
    wigwag("set", key, "--on", "--rollout", "10", "--allow", "u1")
    before = json.loads(wigwag("show", key, "--json").out)
    wigwag("kill", key)
    assert wigwag("revive", key).out.endswith("It is on, 10%, 1 always on.\n")
    after = json.loads(wigwag("show", key, "--json").out)
    bookkeeping = {"updatedAt": 0, "revision": 0}
    assert {**after, **bookkeeping} == {**before, **bookkeeping}


def test_revive_of_a_flag_that_is_not_killed_says_so(wigwag: Wigwag, key: str) -> None:
    wigwag("set", key, "--on")
    ran = wigwag("revive", key)
    assert (ran.code, ran.out) == (0, f"{key} is not killed. It is on, 100%.\n")


def test_several_are_revived_in_one_revision_and_each_says_what_is_in_force(wigwag: Wigwag, key: str) -> None:
    other = f"{key}_too"
    wigwag("set", key, "--on", "--rollout", "10")
    wigwag("set", other, "--on")
    wigwag("kill", key, other)
    ran = wigwag("revive", key, other, "--comment", "mended")
    assert (ran.code, ran.out) == (0, f"revived 2 flags in production: {key} is on, 10%; {other} is on, 100%.\n")
    revisions = {json.loads(wigwag("show", each, "--json").out)["revision"] for each in (key, other)}
    assert len(revisions) == 1
    assert wigwag("revive", key, f"{key}_missing").code == 5
    assert wigwag("revive").code == 2


def test_delete_needs_a_yes_where_nobody_can_be_asked(wigwag: Wigwag, key: str) -> None:
    wigwag("set", key, "--on")
    ran = wigwag("delete", key)
    assert (ran.code, ran.out) == (2, "")
    assert f"wigwag delete {key} --yes" in ran.err
    assert wigwag("show", key).code == 0
    assert wigwag("delete", key, "--yes").out == f"deleted {key} in production\n"
    assert wigwag("show", key).code == 5


def test_delete_as_json_says_what_is_gone(wigwag: Wigwag, key: str) -> None:
    wigwag("set", key, "--on")
    gone = json.loads(wigwag("delete", key, "--yes", "--json").out)
    assert gone == {"deleted": key, "environment": "production"}


def on_a_terminal(cli_server: ServerProcess, key: str, typed: bytes) -> tuple[int, bytes]:
    """Run `wigwag delete` on a terminal, type something when it asks, and return its exit code and what it showed."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", ON_TERMINAL, BIN / "wigwag", "delete", key],
        cwd=cli_server.folder,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        try:
            shown = b""
            while b"delete it:" not in shown:
                shown += os.read(ours, 4096)
            os.write(ours, typed)
            code = process.wait(20)
        finally:
            process.kill()  # one that has ended does not mind; one that has not would be waited for
    shown += os.read(ours, 4096)
    os.close(ours)
    return code, shown


def test_delete_asks_for_the_key_again_on_a_terminal(wigwag: Wigwag, cli_server: ServerProcess, key: str) -> None:
    wigwag("set", key, "--on")
    code, shown = on_a_terminal(cli_server, key, b"another\n")
    assert (code, b"nothing was deleted" in shown) == (1, True)
    code, shown = on_a_terminal(cli_server, key, b"\x03")
    assert (code, b"Traceback" in shown) == (130, False)
    assert wigwag("show", key).code == 0
    code, shown = on_a_terminal(cli_server, key, key.encode() + b"\n")
    assert code == 0
    assert wigwag("show", key).code == 5
