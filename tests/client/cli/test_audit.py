"""`wigwag audit …`."""

import json
from pathlib import Path

from tests.client.cli.conftest import Wigwag


def test_the_log_says_who_did_what_and_why(wigwag: Wigwag, key: str) -> None:
    wigwag("set", key, "--on", "--rollout", "10", "--comment", "a first try")
    wigwag("kill", key, "--reason", "too slow")
    ran = wigwag("audit", "list", "--key", key)
    lines = ran.out.splitlines()
    assert "flag.kill by dev from 127.0.0.1" in lines[0]
    assert "    “a first try”" in lines
    assert f"    + {key}: created" in lines
    assert ran.err == "\n2 entries of production\n"


def test_the_log_is_filtered_and_comes_as_lines(wigwag: Wigwag, key: str) -> None:
    wigwag("set", key, "--on")
    wigwag("kill", key)
    lines = wigwag("audit", "list", "--key", key, "--action", "flag.k*", "--who", "dev", "--json").out.splitlines()
    assert [json.loads(line)["action"] for line in lines] == ["flag.kill"]
    assert len(wigwag("audit", "list", "--json", "--limit", "1").out.splitlines()) == 1
    assert wigwag("audit", "list", "--who", "nobody").err == "\n0 entries of production\n"
    assert wigwag("audit", "list", "--since", "yesterday").code == 1


def test_the_log_of_keys_is_one_of_its_own(wigwag: Wigwag, key: str) -> None:
    wigwag("keys", "create", "server", "--name", key, "--comment", f"for {key}")
    assert f"“for {key}”" in wigwag("audit", "list", "-e", "_system", "--action", "key.*", "--limit", "5").out


def test_the_chain_is_verified_here_and_in_a_file(wigwag: Wigwag, key: str, tmp_path: Path) -> None:
    wigwag("set", key, "--on")
    wigwag("set", key, "--rollout", "10")
    ran = wigwag("audit", "verify")
    assert (ran.code, ran.out.startswith("the audit log of production is intact: 1–")) == (0, True)
    exported = tmp_path / "audit.ndjson"
    exported.write_text(wigwag("audit", "export").out)
    verdict = json.loads(wigwag("audit", "verify", str(exported), "--json").out)
    assert (verdict["intact"], verdict["first"]) == (True, 1)
    lines = exported.read_text().splitlines()
    changed = json.loads(lines[-2])["sequence"]
    lines[-2] = lines[-2].replace('"by":"dev"', '"by":"eve"')
    exported.write_text("\n".join(lines) + "\n")
    ran = wigwag("audit", "verify", str(exported))
    assert (ran.code, f"is broken at entry {changed}:" in ran.err) == (1, True)
    exported.write_text("\n".join([*lines[:-2], lines[-1]]) + "\n")
    assert f"is broken at entry {changed}:" in wigwag("audit", "verify", str(exported)).err
    exported.write_text("no log\n")
    assert wigwag("audit", "verify", str(exported)).code == 1
