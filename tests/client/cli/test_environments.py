"""`wigwag environments …`."""

import json

from tests.client.cli.conftest import Wigwag


def test_an_environment_is_made_listed_and_deleted(wigwag: Wigwag, key: str) -> None:
    name = f"made-{key}"
    ran = wigwag("environments", "create", name, "--description", "a try")
    assert (ran.code, ran.out) == (0, f"created {name}: 0 flags, 0 segments\n")
    listed = wigwag("environments", "list").out
    assert next(line for line in listed.splitlines() if line.startswith(f"{name} ")).endswith("a try")
    assert {"production", name} <= {each["name"] for each in json.loads(wigwag("environments", "list", "--json").out)}
    ran = wigwag("environments", "delete", name)
    assert (ran.code, f"wigwag environments delete {name} --yes" in ran.err) == (2, True)
    assert wigwag("environments", "delete", name, "--yes").out == f"deleted the environment {name}\n"
    assert wigwag("flags", "-e", name).code == 1
    assert wigwag("environments", "delete", "production", "--yes").code == 1


def test_environments_are_cloned_and_compared(wigwag: Wigwag, key: str) -> None:
    name = f"clone-{key}"
    wigwag("set", key, "--on", "--rollout", "10")
    wigwag("environments", "create", name, "--clone", "production")
    assert wigwag("environments", "compare", "production", name, "--exit-code").code == 0
    wigwag("set", key, "--rollout", "50", "-e", name)
    ran = wigwag("environments", "compare", "production", name, "--exit-code")
    assert ran.code == 1
    assert f"~ {key}: changed\n    rollout: 10% → 50%\n" in ran.out
    assert ran.err == f"\nfrom production to {name}: 1 changed\n"
    assert json.loads(wigwag("environments", "compare", "production", name, "--json").out)["changes"][0]["key"] == key
    wigwag("environments", "delete", name, "--yes")


def test_flags_are_promoted_after_a_look(wigwag: Wigwag, key: str) -> None:
    name = f"from-{key}"
    wigwag("environments", "create", name)
    wigwag("segments", "set", key, "--include", "ann", "-e", name)
    wigwag("set", key, "--on", "--rule", f"userId inSegment {key}", "-e", name)
    promote = ("environments", "promote", "production", key, "--from", name, "--with-segments")
    ran = wigwag(*promote, "--dry-run")
    assert ran.out.endswith("nothing was changed in production: this is what it would do\n")
    assert wigwag("show", key).code == 5
    ran = wigwag(*promote)
    assert (ran.code, f"+ {key}: added" in ran.err) == (2, True)
    ran = wigwag(*promote, "--yes", "--comment", "tried there")
    assert ran.out.endswith(f"promoted from {name} to production: 2 new\n")
    assert wigwag(*promote, "--yes").out == "production is like that already\n"
    wigwag("environments", "delete", name, "--yes")
