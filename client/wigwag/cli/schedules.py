"""`wigwag schedule …`: a kill, a revival or a change at a time."""

from typing import Annotated, Any

import typer

from wigwag.cli.arguments import Comment, Key
from wigwag.cli.call import Call, command, group
from wigwag.cli.exits import ExitCode, Stop
from wigwag.cli.output import draw, note, say, say_json
from wigwag.cli.tables import moment, table
from wigwag_proto.codec import decode
from wigwag_proto.errors import Malformed

Plain = dict[str, Any]


@command
async def add(
    call: Call,
    what: Annotated[str, typer.Argument(metavar="WHAT", help="kill, revive or change.", show_default=False)],
    key: Key,
    *,
    at: Annotated[str, typer.Option("--at", metavar="TIME", help="Such as 2030-01-31T12:00.", show_default=False)],
    zone: Annotated[str, typer.Option("--zone", metavar="NAME", help="Of that time: Europe/Berlin.")] = "UTC",
    patch: Annotated[
        str | None, typer.Option("--patch", metavar="JSON", help="What a change changes: '{\"rolloutPercentage\": 5}'.")
    ] = None,
    missed: Annotated[
        str | None,
        typer.Option("--missed", metavar="WHAT", help="If no server can act then: do or skip.  [default: skip]"),
    ] = None,
    comment: Comment = "",
) -> None:
    """Have something done to a flag at a time, once."""
    body: Plain = {"flag": key, "what": what, "at": at, "timeZone": zone}
    given = {"patch": _json(patch), "missed": missed, "comment": comment}
    body |= {name: value for name, value in given.items() if value}
    async with call.admin() as admin:
        found = await admin.post("schedules", body=body)
    if call.options.as_json:
        return say_json(found)
    return say(f"scheduled {found['what']} of {key} in {call.environment} for {moment(found['at'])}, as {found['id']}")


@command
async def list_schedules(call: Call) -> None:
    """List what is scheduled, the next first."""
    async with call.admin() as admin:
        found = (await admin.get("schedules")).get("schedules", [])
    if call.options.as_json:
        return say_json(found)
    if not found:
        return note(f"Nothing is scheduled in {call.environment}.")
    rows = [
        (
            each.get("id"),
            each.get("status"),
            each.get("what"),
            each.get("flag"),
            moment(each.get("at")),
            each.get("by"),
            each.get("detail") or each.get("comment"),
        )
        for each in found
    ]
    return draw(table(["ID", "STATUS", "WHAT", "FLAG", "AT", "BY", "COMMENT"], rows))


@command
async def cancel(
    call: Call,
    schedule_id: Annotated[str, typer.Argument(metavar="ID", help="As in the list.", show_default=False)],
    *,
    comment: Comment = "",
) -> None:
    """Cancel something: it will not be done."""
    async with call.admin() as admin:
        await admin.remove("schedules", schedule_id, query=[("comment", comment)] if comment else ())
    if call.options.as_json:
        return say_json({"cancelled": schedule_id})
    return say(f"cancelled {schedule_id}")


def _json(text: str | None) -> Any:
    if text is None:
        return None
    try:
        return decode(text.encode(errors="replace"))
    except Malformed:
        raise Stop(f"--patch {text!r} is no JSON", ExitCode.USAGE) from None


schedule = group(
    "What is done to flags at a time.",
    ("add", add),
    ("list", list_schedules),
    ("cancel", cancel),
)
