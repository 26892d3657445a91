"""`wigwag kill --wait` and `wigwag instances`."""

import dataclasses
import json
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.client.cli.conftest import Wigwag
from tests.faults import proof_child
from tests.support.processes import ServerProcess, running_command
from tests.support.redis_server import free_port
from wigwag.cli.proof import read_timeout


@contextmanager
def clients(server: ServerProcess, label: str, count: int) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a process of clients; when the context is left, they close."""
    words = [proof_child.__file__, server.url, server.server_key, label, str(count)]
    process = subprocess.Popen([sys.executable, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == b"ready\n"
        yield process
    finally:
        process.send_signal(signal.SIGCONT)
        process.communicate()


def test_kill_waits_until_everybody_has_confirmed(wigwag: Wigwag, key: str, cli_server: ServerProcess) -> None:
    wigwag("set", key, "--on")
    with clients(cli_server, "web", 2):
        ran = wigwag("kill", key, "--wait")
        as_json = wigwag("kill", key, "--wait", "--json")
    assert (ran.code, ran.err) == (0, "")
    first, second = ran.out.splitlines()
    assert first.startswith(f"killed {key} in production, revision ")
    assert second.startswith("In force in 2 of 2 instances; p50 ")
    assert as_json.code == 0
    body = json.loads(as_json.out)
    assert (body["key"], body["propagation"]["counts"]["confirmed"]) == (key, 2)


def test_kill_names_those_that_have_not_confirmed(wigwag: Wigwag, key: str, cli_server: ServerProcess) -> None:
    wigwag("set", key, "--on")
    with clients(cli_server, "web", 1), clients(cli_server, "stuck", 2) as stuck:
        stuck.send_signal(signal.SIGSTOP)
        ran = wigwag("kill", key, "--timeout", "400ms")
        assert ran.code == 6
        assert "In force in 1 of 3 instances" in ran.out
        (line,) = [line for line in ran.err.splitlines() if "pending" in line]
        assert line.startswith("  pending  stuck@")
        assert f":{stuck.pid} × 2  (connected, and has not confirmed, at revision " in line
        assert ran.err.endswith("wigwag: not everybody has confirmed it in time\n")
        listed = wigwag("instances")
        assert f":{stuck.pid}" in listed.out
        assert "behind" in listed.out
    gone = json.loads(wigwag("instances", "--state", "left", "--json").out)
    assert stuck.pid in {each["pid"] for each in gone["instances"]}


def test_kill_without_anybody_connected_says_so(wigwag: Wigwag, key: str) -> None:
    wigwag("set", key, "--on")
    ran = wigwag("kill", key, "--wait")
    assert (ran.code, ran.out.splitlines()[1]) == (0, "No instance is connected, so there is nobody to confirm it.")


def test_instances_are_listed_with_their_version(wigwag: Wigwag, cli_server: ServerProcess) -> None:
    assert wigwag("instances").err.startswith("instances in production: ")
    with clients(cli_server, "billing", 1) as process:
        deadline = time.monotonic() + 20
        while "billing@" not in (ran := wigwag("instances", "--state", "stream")).out:
            assert time.monotonic() < deadline, ran
    (row,) = [line for line in ran.out.splitlines() if line.startswith("billing@")]
    assert f":{process.pid} " in row
    assert " stream " in row
    assert "wigwag-python/" in row
    assert wigwag("instances", "--state", "asleep").code == 1


def test_kill_waits_for_those_behind_a_relay_and_says_where_they_are(
    wigwag: Wigwag, key: str, cli_server: ServerProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = wigwag("keys", "create", "relay", "--name", "frankfurt", "--only-environment", "production", "--json")
    monkeypatch.setenv("WIGWAG_SERVER_KEY", json.loads(made.out)["key"])
    listed = json.loads(wigwag("-e", "production", "keys", "list", "--json").out)
    assert "frankfurt" in [each["name"] for each in listed if each["kind"] == "relay"]
    address = f"127.0.0.1:{free_port()}"
    behind = dataclasses.replace(cli_server, url=f"http://{address}")
    wigwag("set", key, "--on")
    with (
        running_command("wigwag-server", "--upstream", cli_server.url, "--listen", address, folder=tmp_path) as relay,
        clients(cli_server, "web", 1),
    ):
        while not is_ready(behind):
            assert relay.poll() is None
        with clients(behind, "stuck", 1) as stuck:
            while "frankfurt > " not in " ".join(wigwag("instances").out.split()):  # the relay tells it upwards
                assert relay.poll() is None
            everybody = wigwag("kill", key, "--wait")
            assert (everybody.code, "In force in 2 of 2 instances" in everybody.out) == (0, True)
            stuck.send_signal(signal.SIGSTOP)
            wigwag("revive", key)
            ran = wigwag("kill", key, "--timeout", "400ms")
            assert (ran.code, "In force in 1 of 2 instances" in ran.out) == (6, True)
            assert "(connected, and has not confirmed, behind frankfurt, at revision " in ran.err


def is_ready(server: ServerProcess) -> bool:
    """Say whether a server should get traffic."""
    try:
        with urllib.request.urlopen(f"{server.url}/readyz") as response:
            return bool(response.status == 200)
    except OSError:
        return False


@pytest.mark.parametrize(("text", "seconds"), [("10s", 10.0), ("500ms", 0.5), ("2m", 120.0), ("3", 3.0), ("1.5s", 1.5)])
def test_times_are_read(text: str, seconds: float) -> None:
    assert read_timeout(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "0s", "-1s", "soon", "1h", "1e9"])
def test_a_wait_that_is_no_time_kills_nothing(wigwag: Wigwag, key: str, text: str) -> None:
    wigwag("set", key, "--on")
    assert wigwag("kill", key, "--timeout", text).code == 2
    assert json.loads(wigwag("show", key, "--json").out)["kill"] is None
