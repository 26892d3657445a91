"""`wigwag approvals …`: changes that wait for a second person."""

from typing import Annotated, Any

import typer

from wigwag.cli.arguments import Comment, Yes
from wigwag.cli.call import Call, command, group
from wigwag.cli.change_words import change_lines
from wigwag.cli.confirm import confirm
from wigwag.cli.output import draw, note, plain, say, say_json
from wigwag.cli.tables import moment, table

Plain = dict[str, Any]

Id = Annotated[str, typer.Argument(metavar="ID", help="As 'wigwag approvals list' shows it.", show_default=False)]


@command
async def list_approvals(
    call: Call,
    status: Annotated[
        str, typer.Option(metavar="STATUS", help="pending, applied, rejected, withdrawn …, or all.")
    ] = "pending",
) -> None:
    """List the changes that wait for a second person."""
    query = [] if status == "all" else [("status", status)]
    if call.options.environment is not None:
        query.append(("environment", call.environment))
    async with call.admin() as admin:
        found = (await admin.get("approvals", query=query, of_server=True)).get("approvals", [])
    if call.options.as_json:
        return say_json(found)
    if not found:
        return note(f"There are no changes that are {status}." if status != "all" else "There are no approvals.")
    rows = [
        (
            each.get("id"),
            each.get("environment"),
            each.get("status"),
            each.get("action"),
            _what(each),
            each.get("by"),
            moment(each.get("createdAt")),
            each.get("comment"),
        )
        for each in found
    ]
    return draw(table(["ID", "ENVIRONMENT", "STATUS", "ACTION", "OF", "BY", "WHEN", "COMMENT"], rows))


@command
async def show_approval(call: Call, approval_id: Id) -> None:
    """Show what would change."""
    async with call.admin() as admin:
        found = await admin.get("approvals", approval_id, of_server=True)
    if call.options.as_json:
        return say_json(found)
    return _show(found)


@command
async def approve(call: Call, approval_id: Id, *, yes: Yes = False, comment: Comment = "") -> None:
    """Make the change, after showing it.

    It takes another person than the one who proposed it.
    """
    await _decide(call, approval_id, "approve", "approved, and made", yes=yes, comment=comment)


@command
async def reject(call: Call, approval_id: Id, *, yes: Yes = False, comment: Comment = "") -> None:
    """Refuse the change: it will not be made."""
    await _decide(call, approval_id, "reject", "rejected", yes=yes, comment=comment)


@command
async def withdraw(call: Call, approval_id: Id, *, yes: Yes = False, comment: Comment = "") -> None:
    """Take back a change that one has proposed oneself."""
    await _decide(call, approval_id, "withdraw", "withdrawn", yes=yes, comment=comment)


async def _decide(call: Call, approval_id: str, verb: str, done: str, *, yes: bool, comment: str) -> None:
    async with call.admin() as admin:
        if not yes:
            _show(await admin.get("approvals", approval_id, of_server=True), say=note)
            await confirm(f"This is to {verb} it.", f"wigwag approvals {verb} {approval_id} --yes")
        body = {"comment": comment} if comment else None
        found = await admin.post("approvals", approval_id, verb, body=body, of_server=True)
    if call.options.as_json:
        return say_json(found)
    return say(f"{done}: {found.get('action')} of {_what(found)} in {found.get('environment')}")


def _show(found: Plain, say: Any = say) -> None:
    by = plain(str(found.get("by")))
    say(f"{found.get('action')} in {found.get('environment')}, {found.get('status')}")
    say(f"proposed by {by} at {moment(found.get('createdAt'))}, until {moment(found.get('expiresAt'))}")
    if found.get("comment"):
        say(f"“{plain(str(found['comment']))}”")
    for line in change_lines(found.get("changes") or ()):
        say(line)


def _what(found: Plain) -> str:
    names = [str(each.get("key")) for each in found.get("changes") or ()]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


approvals = group(
    "Changes that wait for a second person.",
    ("list", list_approvals),
    ("show", show_approval),
    ("approve", approve),
    ("reject", reject),
    ("withdraw", withdraw),
)
