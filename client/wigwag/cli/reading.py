"""Commands that only look."""

import time
from typing import Annotated

import typer

from wigwag.cli.arguments import Key, Limit, Search
from wigwag.cli.call import Call, command
from wigwag.cli.flag_page import flag_page
from wigwag.cli.flag_table import counts, flag_table
from wigwag.cli.output import draw, note, say_json, width

Texts = list[str] | None


@command
async def flags(
    call: Call,
    *,
    search: Search = "",
    tag: Annotated[Texts, typer.Option(metavar="TAG", help="With this tag.  (repeatable: any of them)")] = None,
    owner: Annotated[Texts, typer.Option(metavar="NAME", help="Of this owner.  (repeatable: any of them)")] = None,
    kind: Annotated[
        Texts, typer.Option(metavar="KIND", help="release, experiment, ops or permission.  (repeatable: any of them)")
    ] = None,
    state: Annotated[
        Texts, typer.Option(metavar="STATE", help="on, partial, off, killed or damaged.  (repeatable: any of them)")
    ] = None,
    limit: Limit = None,
) -> None:
    """List the flags of an environment, or search them."""
    lists = {"tag": tag, "owner": owner, "kind": kind, "state": state}
    query = [("q", search)] if search else []
    query += [(name, value) for name, values in lists.items() for value in values or ()]
    async with call.admin() as admin:
        found = await admin.flags(query, limit)
    if call.options.as_json:
        say_json(found)
    elif found:
        draw(flag_table(found, _now_ms(), width()))
        note(f"\n{counts(found, call.environment)} at {admin.server.url}")
    else:
        note(
            f"There are no such flags in {call.environment}."
            if query
            else f"There are no flags in {call.environment} yet. This makes one: wigwag set my_flag --on"
        )


@command
async def show(call: Call, key: Key) -> None:
    """Show one flag: is it on, for whom, and who killed it."""
    async with call.admin() as admin:
        flag = await admin.flag(key)
    if call.options.as_json:
        say_json(flag)
    else:
        draw(flag_page(flag, _now_ms()))


def _now_ms() -> int:
    return round(time.time() * 1000)
