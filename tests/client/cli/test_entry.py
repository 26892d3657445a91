"""The command as it is installed: what it says of itself, and how it ends."""

import os
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.client.cli.conftest import Wigwag
from tests.support.processes import BIN, ServerProcess, run_command

COMMON = {"--url", "--token", "--environment", "--json", "--help"}
SURFACE = {
    "flags": ("List all flags of an environment.", set()),
    "show": ("Show one flag: whether it is on, for whom, and who killed it.", set()),
    "set": (
        "Create a flag, or change one.",
        {
            *("--on", "--off", "--rollout", "--allow", "--deny", "--unlist", "--rule", "--tag", "--clear"),
            *("--description", "--owner", "--from-file"),
        },
    ),
    "kill": ("Turn a flag off for everyone, now, above all its rules.", {"--reason", "--wait", "--timeout"}),
    "revive": ("Lift a kill: the flag's configuration is in force again.", set()),
    "delete": ("Delete a flag: code that still asks for it gets its default.", {"--yes"}),
    "tail": ("Show changes as they happen, one a line, until Ctrl-C.", {"--key"}),
    "instances": ("List the client instances: who is connected, and how fresh.", {"--state"}),
}


def options_in(text: str) -> set[str]:
    """Return the long options that a help text lists, which stand at the beginnings of its lines."""
    lines = [line.strip() for line in text.splitlines() if line.startswith("  -")]
    return {option for line in lines for option in re.findall(r"--[a-z-]+", re.split(r" {2,}", line)[0])}


def test_the_help_lists_every_command_and_exit_code(bare_wigwag: Wigwag) -> None:
    ran = bare_wigwag("--help")
    assert ran.code == 0
    listed = dict(
        re.findall(r"^ {2}([a-z]+) {2,}(.+)$", ran.out.partition("Commands:")[2].partition("\n\n")[0], re.MULTILINE)
    )
    assert listed == {name: summary for name, (summary, _) in SURFACE.items()}
    assert re.findall(r"^ +(\d) {2}(.+)$", ran.out, re.MULTILINE) == [
        ("0", "done"),
        ("1", "the server said no, or it failed"),
        ("2", "wrong usage"),
        ("3", "no server can be reached"),
        ("4", "not authorised"),
        ("5", "there is no such flag"),
        ("6", "done, but not everybody has confirmed it in time (kill --wait)"),
    ]
    assert options_in(ran.out) == {*COMMON, "--version"}


@pytest.mark.parametrize("name", SURFACE)
def test_the_help_of_a_command_lists_its_options_and_those_of_all(bare_wigwag: Wigwag, name: str) -> None:
    ran = bare_wigwag(name, "--help")
    assert ran.code == 0
    assert options_in(ran.out) == SURFACE[name][1] | COMMON
    assert max(map(len, ran.out.splitlines())) <= 80


def test_the_installed_command_says_its_version(tmp_path: Path) -> None:
    ran = run_command("wigwag", "--version", folder=tmp_path)
    assert (ran.returncode, ran.stdout) == (0, f"wigwag {version('wigwag')}\n")


def test_no_command_at_all_shows_the_help_and_is_wrong_usage(bare_wigwag: Wigwag) -> None:
    ran = bare_wigwag()
    assert ran.code == 2
    assert "Commands:" in ran.out + ran.err


def test_the_environment_variables_are_read(cli_server: ServerProcess, tmp_path: Path) -> None:
    environ = {"WIGWAG_URL": cli_server.url, "WIGWAG_TOKEN": cli_server.admin_token}
    assert run_command("wigwag", "flags", "--json", folder=tmp_path, environ=environ).returncode == 0


@pytest.mark.parametrize("missing", ["typer", "rich"])
def test_an_install_without_the_extra_says_how_to_get_it(missing: str, tmp_path: Path) -> None:
    program = f"import sys; sys.modules['{missing}'] = None; from wigwag.cli.entry import main; main()"
    ran = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr == (
        'wigwag: the command line needs typer and rich, which are not installed: pip install "wigwag[cli]"\n'
    )


@pytest.mark.parametrize("words", [["flags"], ["flags", "--json"], ["--help"]])
def test_a_reader_that_has_gone_is_no_reason_to_complain(
    wigwag: Wigwag, cli_server: ServerProcess, words: list[str]
) -> None:
    wigwag("set", "one_at_least", "--on")
    reading, writing = os.pipe()
    os.close(reading)
    ran = subprocess.run(
        [BIN / "wigwag", *words], cwd=cli_server.folder, stdout=writing, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(writing)
    assert ran.stderr == ""
    assert ran.returncode == (1 if "--help" in words else 141)
