"""The reference of the two commands, from the commands themselves."""

from typing import Any

import typer

from docs.site.tables import cell, table
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
    level = "##" if parent is None else "###"
    parts = [f"{level} {name}", (command.help or "").split("\f")[0].strip(), f"```text\n{_usage(name, context)}\n```"]
    parameters = [_row(each, context) for each in command.params if not getattr(each, "hidden", False)]
    parts += [table(("", "", "default", "variable"), parameters)] if parameters else []
    if command.epilog:
        parts.append("```text\n{}\n```".format(command.epilog.replace("\b\n", "").strip()))
    for own in getattr(command, "commands", {}):
        parts += _command(f"{name} {own}", command.commands[own], context)
    return [part for part in parts if part]


def _usage(name: str, context: Any) -> str:
    return " ".join([name, *context.command.collect_usage_pieces(context)])


def _row(parameter: Any, context: Any) -> tuple[str, ...]:
    """Return what is typed, what it is, its default, and the variable that stands for it."""
    if parameter.param_type_name == "argument":
        typed = f"`{parameter.make_metavar(context)}`"
    else:
        names = ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))
        typed = names if parameter.is_flag else f"{names} `{parameter.make_metavar(context)}`"
    default = parameter.default
    if callable(default) or default in (None, False, (), [], ""):
        shown = ""
    else:
        shown = f"`{getattr(default, 'value', default)}`"
    more = " Repeatable." if getattr(parameter, "multiple", False) else ""
    return typed, cell((parameter.help or "") + more), shown, f"`{parameter.envvar}`" if parameter.envvar else ""
