"""What somebody gets who has nothing: the built wheel, in fresh virtual environments."""

import re
import subprocess
import zipfile
from pathlib import Path

import pytest

from bench.first_minutes import PROGRAM, measure
from bench.fresh import build_wheel, make_fresh, output
from bench.harness import ROOT
from wigwag_server.dev import DevKeys, dev_banner

# What a plain `pip install wigwag` must not bring along: all that is for the command line and the server.
NOT_FOR_APPS = {"typer", "rich", "pyyaml", "redis", "aiosqlite", "jinja2", "uvloop", "prometheus-client", "tzdata"}


def lines(program: str) -> list[str]:
    """Return the lines of a program that say something."""
    return [line for line in program.splitlines() if line.strip()]


def test_the_quickstart_shows_the_program_that_the_server_prints() -> None:
    keys = DevKeys(
        url="http://127.0.0.1:8420",
        environment="production",
        admin_token="ww_admin_…",
        server_key="ww_server_…",
        client_key="ww_client_…",
    )
    printed, shown = (
        PROGRAM.search(text)
        for text in (dev_banner(keys, "/ui/login/…"), (ROOT / "docs/quickstart.md").read_text(encoding="utf-8"))
    )
    assert printed is not None
    assert shown is not None
    assert lines(printed[0]) == lines(shown[0])


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_the_first_minutes_are_as_the_quickstart_says(tmp_path: Path) -> None:
    result = await measure(tmp_path, lambda *_: None)
    page = (ROOT / "docs/quickstart.md").read_text(encoding="utf-8")
    assert result["transcript"].strip() in page
    assert not re.search(r"ww_\w+_\w", result["transcript"])
    assert list(result["steps"]) == ["install", "server ready", "program sees the flags", "flip seen", "kill seen"]


@pytest.mark.long
@pytest.mark.timeout(600)
def test_an_app_is_given_a_client_and_nothing_else(tmp_path: Path) -> None:
    wheel = build_wheel(tmp_path)
    top = {name.partition("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {name for name in top if not name.endswith(".dist-info")} == {
        *("wigwag", "wigwag_proto", "wigwag_pytest", "wigwag_server"),
    }
    fresh = make_fresh(tmp_path / "environment")
    fresh.pip("install", "--quiet", str(wheel))
    assert not NOT_FOR_APPS & {name.lower() for name in fresh.packages()}
    code = "import wigwag; print(wigwag.FlagClient.from_dict({'on': True}).is_enabled('on'))"
    assert output(fresh.bin / "python", "-c", code) == "True\n"
    for command, extra in (("wigwag", "wigwag[cli]"), ("wigwag-server", "wigwag[server]")):
        done = subprocess.run([fresh.bin / command, "--help"], capture_output=True, text=True, check=False)
        assert done.returncode != 0
        assert extra in done.stderr
        assert "Traceback" not in done.stderr
