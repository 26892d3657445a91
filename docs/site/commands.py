"""The reference of the two commands, from the commands themselves: what `--help` says of each, in one page."""

from typing import Any

import typer

from docs.site.tables import cell, code, table
from wigwag.cli.app import app as wigwag
from wigwag_server.__main__ import app as wigwag_server

INTRODUCTION = """# Commands

Made from the commands themselves. What they are for, task by task, is in [cli.md](../cli.md); how the server and the
token are found, in [settings.md](../settings.md#wigwag).
"""


def page() -> str:
    """Return the page."""
    roots = (("wigwag-server", wigwag_server), ("wigwag", wigwag))
    parts = [part for name, app in roots for part in _command(name, typer.main.get_command(app), None)]
    return "\n\n".join([INTRODUCTION.rstrip(), *parts]) + "\n"


def _command(name: str, command: Any, parent: Any) -> list[str]:
    """Return the parts of a command, and of those below it."""
    context = command.make_context(name, [], parent=parent, resilient_parsing=True)
    records = [record for each in command.params if (record := each.get_help_record(context)) is not None]
    parts = [
        f"{'##' if parent is None else '###'} {context.command_path}",
        _text(command.help or ""),
        f"```text\n{command.get_usage(context).removeprefix('Usage: ')}\n```",
        table(("option", ""), [(code(typed), cell(said)) for typed, said in records]) if records else "",
        f"```text\n{_text(command.epilog)}\n```" if command.epilog else "",
    ]
    for own in getattr(command, "commands", {}):
        parts += _command(own, command.commands[own], context)
    return [part for part in parts if part]


def _text(text: str) -> str:
    """Return a help text without the marks by which paragraphs are kept as they are."""
    return text.partition("\f")[0].replace("\b\n", "").strip()
