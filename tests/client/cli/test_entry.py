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
GUARDED = {"--max-error-rate", "--max-error-increase", "--max-slowdown", "--min-samples", "--false-alarm"}
SHOWN = {"--yes", "--comment"}
SEARCH = {"--key", "--kind", "--who", "--action", "--since", "--until"}
SURFACE = {
    "flags": (
        "List the flags of an environment, or search them.",
        {"--search", "--tag", "--owner", "--kind", "--state", "--limit"},
    ),
    "show": ("Show one flag: is it on, for whom, and who killed it.", set()),
    "set": (
        "Create a flag, or change one.",
        {
            *("--on", "--off", "--rollout", "--allow", "--deny", "--unlist", "--rule", "--tag", "--clear"),
            *("--description", "--owner", "--kind", "--expected-life", "--from-file", "--comment"),
        },
    ),
    "kill": (
        "Turn flags off for everyone, now, above all their rules.",
        {"--tag", "--pattern", "--reason", "--until", "--dry-run", "--wait", "--timeout"},
    ),
    "revive": ("Lift a kill: the flag's configuration is in force again.", {"--comment"}),
    "delete": ("Delete a flag: code that still asks for it gets its default.", SHOWN),
    "codegen": (
        "Write a module with a typed accessor for each flag.",
        {"--output", "--from-file", "--check"},
    ),
    "scan": (
        "Find where code asks for flags.",
        {
            *("--call", "--check", "--flags", "--format", "--upload"),
            *("--repository", "--commit", "--branch", "--link"),
        },
    ),
    "references": ("Show where code asks for a flag.", set()),
    "stale": ("List the flags that should go away, and why.", set()),
    "archive": ("Take a flag that is done with off the lists.", {"--reason", "--comment"}),
    "restore": ("Put an archived flag back on the lists, as it was.", {"--comment"}),
    "docs": (
        "Write a register of the active flags.",
        {"--format", "--output"},
    ),
    "state": ("Show all flags as they were at a time.", set()),
    "changes": ("Show what differs between two times.", set()),
    "rewind": ("Put back the configuration that all flags and segments had.", {*SHOWN, "--dry-run"}),
    "mcp": ("Serve the flags to an assistant, over MCP.", set()),
    "tail": ("Show changes as they happen, one a line, until Ctrl-C.", {"--key"}),
    "login-link": ("Print a link that signs a browser in, once.", set()),
    "history": ("Show who changed a flag, when, how and why.", {"--limit"}),
    "revert": ("Put back the configuration that a flag had at a revision.", SHOWN),
    "explain": ("Say whether a flag is on for somebody, and why.", {"--as-of", "--draft"}),
    "export": ("Write all flags and segments into one file.", set()),
    "import": (
        "Bring about what a file says, in one revision.",
        {*SHOWN, "--from", "--hash", "--dry-run", "--replace"},
    ),
    "diff": ('Show what "import" of a file would change.', {"--replace", "--exit-code"}),
    "validate": ("Check files of flags and segments, without a server.", {"--partial"}),
    "segments": ("Named sets of users, for the rules of flags.", None),
    "segments list": ("List the segments of an environment.", {"--search", "--limit"}),
    "segments show": ("Show one segment: whom it includes and excludes, and its rules.", set()),
    "segments set": (
        "Create a segment, or change one.",
        {
            *("--include", "--exclude", "--unlist", "--rule", "--clear-rules"),
            *("--description", "--from-file", "--comment"),
        },
    ),
    "rollout": ("Ramps that go on by themselves.", None),
    "rollout start": (
        "Move the percentage of a flag on by itself, stage by stage.",
        {*GUARDED, "--stages", "--interval", "--on-breach", "--rollback-to", "--watch", "--comment"},
    ),
    "rollout status": ("Show how far it is, and what was measured at its stage.", {"--watch"}),
    "rollout pause": ("Stop for now; the percentage stays as it is.", {"--comment"}),
    "rollout resume": ("Go on from where the flag is by now; its stage begins anew.", {"--comment"}),
    "rollout abort": ("End it for good; the percentage stays as it is.", {"--comment"}),
    "guard": ("Kills by itself, when too much fails.", None),
    "guard set": (
        "Have a flag killed when too much fails behind it.",
        {*GUARDED, "--window", "--cool-down", "--only-say", "--comment"},
    ),
    "guard show": ("Show what guards a flag, and when that last acted.", set()),
    "guard remove": ("Take the guard away.", {"--comment"}),
    "schedule": ("What is done to flags at a time.", None),
    "schedule add": (
        "Have something done to a flag at a time, once.",
        {"--at", "--zone", "--patch", "--missed", "--comment"},
    ),
    "schedule list": ("List what is scheduled, the next first.", set()),
    "schedule cancel": ("Cancel something: it will not be done.", {"--comment"}),
    "segments delete": ("Delete a segment that no rule refers to.", SHOWN),
    "segments history": ("Show who changed a segment, when, how and why; the newest first.", {"--limit"}),
    "segments revert": ("Put back a segment as it was at a revision.", SHOWN),
    "environments": ("Environments, and what differs between them.", None),
    "environments list": ("List the environments, with how much is in each.", set()),
    "environments create": (
        "Make an environment.",
        {"--clone", "--description", "--approvals", "--no-approvals", "--comment"},
    ),
    "environments edit": (
        "Change what is known about an environment.",
        {
            *("--description", "--approvals", "--no-approvals", "--comment", "--expected-life"),
            *("--owner-flags", "--refuse-over-limit", "--warn-over-limit"),
        },
    ),
    "environments delete": ("Delete an environment with its flags, segments and keys.", SHOWN),
    "environments compare": ("Show what leads from one environment to another.", {"--exit-code"}),
    "environments promote": (
        "Copy the configuration of flags into TARGET.",
        {*SHOWN, "--from", "--with-segments", "--dry-run"},
    ),
    "keys": ("Keys of apps and alerting systems, and admin tokens.", None),
    "keys list": ("List the keys, what they may do, and when they were used.", set()),
    "keys create": (
        "Make a key.",
        {"--name", "--role", "--only-environment", "--flag", "--tag", "--expires", "--comment"},
    ),
    "keys rotate": (
        "Make a key in place of another, which goes on for a while.",
        {"--overlap", "--expires", "--comment"},
    ),
    "keys revoke": ("End a key, and the streams that it has opened.", SHOWN),
    "approvals": ("Changes that wait for a second person.", None),
    "approvals list": ("List the changes that wait for a second person.", {"--status"}),
    "approvals show": ("Show what would change.", set()),
    "approvals approve": ("Make the change, after showing it.", SHOWN),
    "approvals reject": ("Refuse the change: it will not be made.", SHOWN),
    "approvals withdraw": ("Take back a change that one has proposed oneself.", SHOWN),
    "audit": ("The audit log: who did what, when, from where and why.", None),
    "audit list": ("Show who did what, the newest first.", {*SEARCH, "--limit"}),
    "audit export": ("Write the log as JSON lines, the oldest entry first.", SEARCH),
    "audit verify": ("Follow the chain of the log, and say where it is broken.", set()),
    "webhooks": ("Systems that are told of kills, changes and troubles.", None),
    "webhooks list": ("List the webhooks, what they are told, and how that goes.", set()),
    "webhooks create": (
        "Have events sent to a URL.",
        {"--name", "--event", "--flag", "--tag", "--only-environment", "--slack", "--comment"},
    ),
    "webhooks rotate": ("Make a secret in place of the one that there is.", {"--overlap", "--comment"}),
    "webhooks test": ("Send an event now, and say how that went.", set()),
    "webhooks retry": ("Send what waits now: for when the receiver is well again.", {"--comment"}),
    "webhooks delete": ("Send nothing to a webhook any more; what waits is dropped.", SHOWN),
    "instances": ("List the client instances: who is connected, and how fresh.", {"--state"}),
}
COMPLETION = {"--install-completion", "--show-completion"}


def options_in(text: str) -> set[str]:
    """Return the long options that a help text lists, which stand at the beginnings of its lines."""
    lines = [line.strip() for line in text.splitlines() if line.startswith("  -")]
    return {option for line in lines for option in re.findall(r"--[a-z-]+", re.split(r" {2,}", line)[0])}


def listed_in(text: str) -> dict[str, str]:
    """Return the commands that a help text lists, each with its summary."""
    part = text.partition("Commands:")[2].partition("\n\n")[0]
    return dict(re.findall(r"^ {2}([a-z-]+) {2,}(.+)$", part, re.MULTILINE))


def test_the_help_lists_every_command_and_exit_code(bare_wigwag: Wigwag) -> None:
    ran = bare_wigwag("--help")
    assert ran.code == 0
    assert listed_in(ran.out) == {name: summary for name, (summary, _) in SURFACE.items() if " " not in name}
    assert re.findall(r"^ +(\d) {2}(.+)$", ran.out, re.MULTILINE) == [
        ("0", "done"),
        ("1", "the server said no, or it failed"),
        ("2", "wrong usage"),
        ("3", "no server can be reached"),
        ("4", "not authorised"),
        ("5", "there is no such flag"),
        ("6", "done, but not everybody has confirmed it in time (kill --wait)"),
        ("7", "nothing has changed yet: the change waits for a second person"),
    ]
    assert options_in(ran.out) == {*COMMON, *COMPLETION, "--version"}


@pytest.mark.parametrize("group", [name for name, (_, options) in SURFACE.items() if options is None])
def test_the_help_of_a_group_lists_its_commands(bare_wigwag: Wigwag, group: str) -> None:
    ran = bare_wigwag(group, "--help")
    own = {name.partition(" ")[2]: summary for name, (summary, _) in SURFACE.items() if name.startswith(f"{group} ")}
    assert listed_in(ran.out) == own


@pytest.mark.parametrize("name", [name for name, (_, options) in SURFACE.items() if options is not None])
def test_the_help_of_a_command_lists_its_options_and_those_of_all(bare_wigwag: Wigwag, name: str) -> None:
    ran = bare_wigwag(*name.split(), "--help")
    assert ran.code == 0
    assert options_in(ran.out) == {*(SURFACE[name][1] or ()), *COMMON}
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


@pytest.mark.parametrize("missing", ["typer", "rich", "yaml"])
def test_an_install_without_the_extra_says_how_to_get_it(missing: str, tmp_path: Path) -> None:
    program = f"import sys; sys.modules['{missing}'] = None; from wigwag.cli.entry import main; main()"
    ran = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr == (
        'wigwag: the command line needs typer, rich and PyYAML, which are not installed: pip install "wigwag[cli]"\n'
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


@pytest.mark.parametrize(
    ("words", "offered"),
    [("wigwag env", "environments"), ("wigwag keys ro", "rotate"), ("wigwag kill --pat", "--pattern")],
)
def test_the_shell_is_offered_commands_and_options(words: str, offered: str, tmp_path: Path) -> None:
    asked = {"_WIGWAG_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split()) - 1)}
    ran = run_command("wigwag", folder=tmp_path, environ=asked)
    assert ran.stdout.split() == [offered], ran
