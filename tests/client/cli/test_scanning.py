"""`wigwag scan`, what comes of it on the server, and the register."""

import json
from pathlib import Path

import pytest

from tests.client.cli.conftest import Wigwag


@pytest.fixture
def code(tmp_path: Path, key: str) -> Path:
    """A folder with code that asks for the key of the test, and for one that nobody has made."""
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "pay.py").write_text(f'def pay(flags):\n    return flags.is_enabled("{key}")\n')
    (folder / "cart.py").write_text(f'flags.is_enabled("{key}-nope")\ngate("{key}-own")\n')
    return folder


def test_check_fails_for_unknown_and_archived_flags(wigwag: Wigwag, code: Path, key: str) -> None:
    wigwag("set", key, "--on")
    ran = wigwag("scan", str(code), "--check")
    assert ran.code == 1
    assert f"cart.py:1:1: error: there is no such flag: unknown flag '{key}-nope'" in ran.err
    assert f"pay.py:2:12: {key} (is_enabled in pay)" in ran.out
    (code / "cart.py").unlink()
    assert wigwag("scan", str(code), "--check").code == 0
    wigwag("archive", key, "--reason", "done")
    ran = wigwag("scan", str(code), "--check", "--format", "github")
    assert ran.code == 1
    assert f",line=2,col=12,title=wigwag%3A archived flag::'{key}' is archived" in ran.out
    assert wigwag("restore", key).code == 0
    assert wigwag("scan", str(code), "--check").code == 0


def test_a_file_of_flags_needs_no_server(bare_wigwag: Wigwag, code: Path, key: str, tmp_path: Path) -> None:
    (tmp_path / "flags.yaml").write_text(f"flags:\n  {key}: {{enabled: true}}\n  {key}-nope: {{}}\n")
    assert bare_wigwag("scan", str(code), "--check", "--flags", str(tmp_path / "flags.yaml")).code == 0
    ran = bare_wigwag("scan", str(code), "--check", "--flags", str(tmp_path / "flags.yaml"), "--call", "gate", "--json")
    assert ran.code == 1
    (finding,) = json.loads(ran.out)["findings"]
    assert (finding["fault"], finding["flag"]) == ("unknown", f"{key}-own")
    assert bare_wigwag("scan", str(code)).code == 0
    assert bare_wigwag("scan", str(code), "--check").code == 2


def test_more_than_two_flags_deep_is_warned_of(bare_wigwag: Wigwag, tmp_path: Path) -> None:
    deep = 'if flags.is_enabled("a"):\n    if flags.is_enabled("b"):\n        flags.is_enabled("c")\n'
    (tmp_path / "deep.py").write_text(deep)
    ran = bare_wigwag("scan", str(tmp_path))
    assert ran.code == 0
    assert "deep.py:3:9: warning: 3 flags decide about this: it stands below a, b" in ran.err


def test_an_upload_is_shown_warns_and_is_in_the_register(wigwag: Wigwag, code: Path, key: str, tmp_path: Path) -> None:
    wigwag("set", key, "--on", "--owner", "ann", "--description", "pay <b>faster</b>")
    link = "https://git.example.com/{commit}/{file}#L{line}"
    ran = wigwag("scan", str(code), "--upload", "--repository", f"shop/{key}", "--commit", "abc", "--link", link)
    assert ran.code == 0, ran.err
    assert f"stored 2 uses of shop/{key} at abc" in ran.err
    shown = wigwag("references", key)
    assert "pay.py:2 (is_enabled in pay)" in shown.out
    assert "https://git.example.com/abc/" in shown.out
    page = tmp_path / "flags.html"
    assert wigwag("docs", "-o", str(page)).code == 0
    assert "pay &lt;b&gt;faster&lt;/b&gt;" in page.read_text()
    assert f"wigwag kill {key} -e production" in wigwag("docs").out
    deleted = wigwag("delete", key, "--yes")
    assert deleted.code == 0
    assert "code asks for it in 1 place (" in deleted.err


def test_without_git_the_upload_asks_what_this_is(wigwag: Wigwag, code: Path) -> None:
    ran = wigwag("scan", str(code), "--upload")
    assert ran.code == 2
    assert "Give --repository" in ran.err


def test_there_and_back_again(wigwag: Wigwag, key: str) -> None:
    wigwag("set", key, "--on", "--rollout", "10")
    revision = str(json.loads(wigwag("show", key, "--json").out)["revision"])
    wigwag("set", key, "--rollout", "90")
    wigwag("set", f"{key}-later", "--on")
    wigwag("kill", key, f"{key}-later", "--reason", "fire")
    assert json.loads(wigwag("state", revision, "--json").out)["flags"][key]["rolloutPercentage"] == 10
    changes = wigwag("changes", revision)
    assert "10% → 90%" in changes.out
    assert f"+ {key}-later: created" in changes.out
    assert wigwag("rewind", revision, "--dry-run").code == 0
    done = wigwag("rewind", revision, "--yes", "--comment", "back")
    assert done.code == 0, done.err
    assert f"{key}-later stays: it is killed" in done.err
    flag = json.loads(wigwag("show", key, "--json").out)
    assert (flag["rolloutPercentage"], flag["kill"]["reason"]) == (10, "fire")
    assert wigwag("state", "2999-01-01T00:00:00Z").code == 1
    assert "stale" in wigwag("stale").err
