"""`wigwag docs`: a register of the flags, for people who do not use the command line."""

import asyncio
import html
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from wigwag.cli.admin_client import AdminClient
from wigwag.cli.call import Call, command
from wigwag.cli.exits import Stop
from wigwag.cli.flag_words import summary
from wigwag.cli.output import note, plain, say, say_json

Plain = dict[str, Any]

MOST_PLACES = 10
# Characters that Markdown understands, also in the middle of a line.
MARKED = frozenset("\\`*_{}[]()<>#+!|~&")


class Form(StrEnum):
    """What the register is written in."""

    MARKDOWN = "markdown"
    HTML = "html"


@command
async def docs(
    call: Call,
    *,
    form: Annotated[
        Form | None, typer.Option("--format", help="By default as the file's name says, else Markdown.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Into this file.", show_default=False)
    ] = None,
) -> None:
    """Write a register of the active flags.

    Owner, purpose, state, where they are used, and how to kill them.
    """
    async with call.admin() as admin:
        entries = await _entries(admin)
    if call.options.as_json:
        return say_json(entries)
    as_html = form is Form.HTML or (form is None and output is not None and output.suffix in (".html", ".htm"))
    text = as_page(call.environment, entries) if as_html else as_markdown(call.environment, entries)
    if output is None:
        return say(text.removesuffix("\n"))
    try:
        await asyncio.to_thread(output.write_text, text, encoding="utf-8")
    except OSError as error:
        raise Stop(f"{output} cannot be written: {error.strerror}") from None
    return note(f"wrote {len(entries)} flags of {call.environment} to {output}")


async def _entries(admin: AdminClient) -> list[Plain]:
    flags = await admin.flags()
    lives = {each["key"]: each for each in (await admin.get("stale", query=[("all", "true")]))["flags"]}
    entries = []
    for flag in flags:
        life = lives.get(flag["key"], {})
        uses = (await admin.get("flags", flag["key"], "references"))["references"] if life.get("uses") else []
        entries.append({"flag": flag, "life": life, "references": uses})
    return entries


def as_markdown(environment: str, entries: Sequence[Plain]) -> str:
    """Return the register in Markdown. Pure."""
    lines = [f"# Flags in {_marked(environment)}", "", f"{len(entries)} active flags.", ""]
    for each in entries:
        lines += [f"## {_marked(each['flag']['key'])}", ""]
        if each["flag"].get("description"):
            lines += [_marked(each["flag"]["description"]), ""]
        lines += [f"* **{name}**: {_marked(value)}" for name, value in _facts(each)]
        lines += [f"* **kill**: `{_kill(environment, each)}`"]
        lines += [f"* used at {_marked(place)}{f' ({link})' if link else ''}" for place, link in _places(each)]
        lines.append("")
    return "\n".join(lines)


def as_page(environment: str, entries: Sequence[Plain]) -> str:
    """Return the register as a page. Pure."""
    title = f"Flags in {html.escape(environment)}"
    parts = [f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><h1>{title}</h1>']
    for each in entries:
        key = html.escape(each["flag"]["key"])
        parts.append(f'<h2 id="{key}">{key}</h2><p>{html.escape(plain(each["flag"].get("description") or ""))}</p><dl>')
        parts += [f"<dt>{name}</dt><dd>{html.escape(value)}</dd>" for name, value in _facts(each)]
        parts.append(f"<dt>kill</dt><dd><code>{html.escape(_kill(environment, each))}</code></dd>")
        for place, link in _places(each):
            shown = html.escape(place)
            parts.append(f'<dd>{f"""<a href="{html.escape(link)}">{shown}</a>""" if link else shown}</dd>')
        parts.append("</dl>")
    return "\n".join([*parts, "</html>", ""])


def _facts(each: Plain) -> list[tuple[str, str]]:
    flag, life = each["flag"], each["life"]
    reasons = f" ({'; '.join(life['reasons'])})" if life.get("reasons") else ""
    uses = life.get("uses")
    return [
        ("owner", plain(flag.get("owner") or "nobody")),
        ("kind", plain(str(flag.get("kind")))),
        ("answers", plain(summary(flag))),
        ("life", f"{life.get('state', 'unknown')}{reasons}"),
        ("used", "not known: no code was scanned" if uses is None else f"at {uses} places"),
    ]


def _places(each: Plain) -> list[tuple[str, str]]:
    return [
        (plain(f"{use['repository']} {use['file']}:{use['line']}"), plain(use.get("link") or ""))
        for use in each["references"][:MOST_PLACES]
    ]


def _kill(environment: str, each: Plain) -> str:
    return f'wigwag kill {each["flag"]["key"]} -e {environment} --reason "…"'


def _marked(text: str) -> str:
    """Return text that Markdown shows as it is."""
    return "".join(f"\\{each}" if each in MARKED else each for each in plain(text))
