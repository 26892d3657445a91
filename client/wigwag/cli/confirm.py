"""Asking before something is destroyed."""

import sys

from wigwag.cli.exits import ExitCode, Stop
from wigwag.cli.output import note
from wigwag.cli.terminal import typed_line


async def confirm_word(word: str, what: str, how: str) -> None:
    """Have a word typed again. `what` says what happens, `how` is the command that does not ask. Raises Stop."""
    await _ask(f"{what}\nType its name again to go on:", how, word)


async def confirm(what: str, how: str) -> None:
    """Ask for a yes. Raises Stop where it is not given, or cannot be asked for."""
    await _ask(f"{what}\nType yes to go on:", how, "yes")


async def _ask(question: str, how: str, wanted: str) -> None:
    if not sys.stdin.isatty():
        raise Stop(f"without a terminal to ask on, say that it is meant: {how}", ExitCode.USAGE)
    note(question)
    if (await typed_line()).strip() != wanted:
        raise Stop("that is something else; nothing was done")
