"""`wigwag instances`: who is connected, how fresh, and with which version."""

from collections.abc import Sequence
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from wigwag.cli.call import Call, command
from wigwag.cli.flag_words import Plain
from wigwag.cli.output import draw, note, plain, say, say_json

MOST = 10_000
NAMED = 10
STYLES = {"stream": "green", "poll": "yellow", "lost": "red", "unknown": "red", "left": "dim"}


@command
async def instances(
    call: Call,
    state: Annotated[
        str | None,
        typer.Option(metavar="STATE", help="Only those: stream, poll, lost, unknown, or left.", show_default=False),
    ] = None,
) -> None:
    """List the client instances: who is connected, and how fresh."""
    async with call.admin() as admin:
        found = await admin.instances(state, MOST)
    listed = [each for each in found.get("instances", ()) if isinstance(each, dict)]
    if call.options.as_json:
        say_json(found)
        return
    if listed:
        draw(instance_table(listed, {each["id"]: each["name"] for each in found.get("servers", ())}))
    for key, number in found.get("tripped", {}).items():
        say(_tripped(key, number, listed))
    note(("\n" if listed else "") + _counts(found, len(listed), call.environment))


def instance_table(found: Sequence[Plain], servers: Plain) -> Table:
    """Return the table, those that are behind marked."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("INSTANCE", overflow="fold")
    table.add_column("STATE", no_wrap=True)
    table.add_column("FOR", no_wrap=True, justify="right")
    table.add_column("REVISION", no_wrap=True, justify="right")
    table.add_column("SDK", no_wrap=True)
    table.add_column("SERVER", overflow="fold")
    for each in found:
        state, current = str(each.get("state")), each.get("current")
        revision = "?" if each.get("revision") is None else str(each["revision"])
        table.add_row(
            Text(plain(str(each.get("name")))),
            Text(state, style=STYLES.get(state, "")),
            _span(each.get("sinceAgoMs", 0)),
            Text(revision if current else f"{revision} behind", style="" if current else "bold red"),
            Text(plain(str(each.get("sdk")))),
            Text(plain(_way(each, servers)), style="dim"),
        )
    return table


def _way(instance: Plain, servers: Plain) -> str:
    """Return the server that an instance is connected to, after the relays through which that is known."""
    server = str(instance.get("server"))
    return " > ".join([*map(str, instance.get("relays", ())), str(servers.get(server, server))])


def _tripped(key: str, number: int, listed: Sequence[Plain]) -> str:
    """Return in words where a circuit has tripped."""
    where = [str(each.get("name")) for each in listed if any(row["flag"] == key for row in each.get("tripped", ()))]
    named = ", ".join(plain(name) for name in where[:NAMED]) + (" …" if len(where) > NAMED else "")
    return f"\n{plain(key)} is off in {number} of them, where its circuit has tripped: {named}"


def _span(ms: int) -> str:
    seconds = ms // 1000
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def _counts(found: Plain, listed: int, environment: str) -> str:
    counts = found.get("counts", {})
    some = ", ".join(f"{number} {state}" for state, number in counts.items() if number) or "none"
    more = f" {found['total'] - listed} more are not listed." if found.get("total", 0) > listed else ""
    anonymous = sum(each.get("anonymousStreams", 0) for each in found.get("servers", ()))
    nameless = f" {anonymous} streams do not say whose they are." if anonymous else ""
    return f"instances in {environment}: {some}.{more}{nameless}"
