"""`wigwag approvals …`: what happens to a change where a second person is asked for."""

import json
from collections.abc import Iterator

import pytest

from tests.client.cli.conftest import Wigwag


@pytest.fixture
def guarded(wigwag: Wigwag, key: str) -> Iterator[str]:
    """An environment that asks for a second person."""
    name = f"guarded-{key}"
    wigwag("environments", "create", name, "--approvals")
    yield name
    wigwag("environments", "delete", name, "--yes")


@pytest.fixture
def second(wigwag: Wigwag, key: str) -> str:
    """The token of somebody else."""
    words = ("keys", "create", "admin", "--role", "editor", "--name", f"second-{key}", "--json")
    return str(json.loads(wigwag(*words).out)["key"])


def test_a_change_waits_until_somebody_else_approves_it(wigwag: Wigwag, guarded: str, second: str, key: str) -> None:
    ran = wigwag("set", key, "--on", "-e", guarded, "--comment", "please")
    assert (ran.code, ran.out) == (7, "")
    number = ran.err.rpartition("wigwag approvals approve ")[2].strip()
    assert wigwag("show", key, "-e", guarded).code == 5
    assert number in wigwag("approvals", "list", "-e", guarded).out
    shown = wigwag("approvals", "show", number).out
    assert "“please”" in shown
    assert f"+ {key}: added" in shown
    assert wigwag("approvals", "approve", number, "--yes").code == 4
    ran = wigwag("approvals", "approve", number, "--token", second)
    assert (ran.code, f"+ {key}: added" in ran.err) == (2, True)
    ran = wigwag("approvals", "approve", number, "--yes", "--token", second)
    assert ran.out == f"approved, and made: flag.put of {key} in {guarded}\n"
    assert wigwag("show", key, "-e", guarded).code == 0
    assert "approved by second-" in wigwag("history", key, "-e", guarded).out


def test_a_change_is_rejected_or_withdrawn(wigwag: Wigwag, guarded: str, second: str, key: str) -> None:
    def proposed() -> str:
        return str(json.loads(wigwag("set", key, "--on", "-e", guarded, "--json").out)["approval"]["id"])

    assert wigwag("approvals", "reject", proposed(), "--yes", "--token", second).out.startswith("rejected: flag.put")
    assert wigwag("approvals", "withdraw", proposed(), "--yes").out.startswith("withdrawn: flag.put")
    assert wigwag("approvals", "list", "-e", guarded).err == "There are no changes that are pending.\n"
    found = json.loads(wigwag("approvals", "list", "-e", guarded, "--status", "all", "--json").out)
    assert {each["status"] for each in found} == {"rejected", "withdrawn"}


def test_a_kill_does_not_wait(wigwag: Wigwag, guarded: str, second: str, key: str) -> None:
    number = json.loads(wigwag("set", key, "--on", "-e", guarded, "--json").out)["approval"]["id"]
    wigwag("approvals", "approve", number, "--yes", "--token", second)
    assert wigwag("kill", key, "-e", guarded).code == 0
    assert "exempt from approval" in wigwag("audit", "list", "-e", guarded, "--action", "flag.kill").out
