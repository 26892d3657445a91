"""`wigwag stale`, `wigwag archive` and `wigwag restore`: flags that go away."""

from typing import Annotated, Any

import typer

from wigwag.cli.arguments import Comment, Key
from wigwag.cli.call import Call, command
from wigwag.cli.output import draw, note, say, say_json
from wigwag.cli.tables import table

Plain = dict[str, Any]


@command
async def stale(call: Call) -> None:
    """List the flags that should go away, and why.

    Each with what to do next.
    """
    async with call.admin() as admin:
        found = await admin.get("stale")
    if call.options.as_json:
        return say_json(found)
    if not found["usageKnown"]:
        note("wigwag: the server cannot read its usage counts now: what nobody asks for is not told")
    if not found["flags"]:
        return note(f"No flag in {call.environment} is stale.")
    rows = [
        (each["key"], each["state"], each["owner"], "; ".join(each["reasons"]), each["nextStep"])
        for each in found["flags"]
    ]
    return draw(table(["FLAG", "STATE", "OWNER", "WHY", "NEXT STEP"], rows))


@command
async def archive(
    call: Call,
    key: Key,
    *,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Shown to whoever looks.", show_default=False)] = "",
    comment: Comment = "",
) -> None:
    """Take a flag that is done with off the lists.

    It is decided as before, for code that still asks. Deleting it is another step.
    """
    body = {name: value for name, value in (("reason", reason), ("comment", comment)) if value}
    async with call.admin() as admin:
        flag = await admin.post("flags", key, "archive", body=body or None)
    _tell(
        call, flag, f"archived {key} in {call.environment}. Code that asks gets the same answers: wigwag restore {key}"
    )


@command
async def restore(call: Call, key: Key, *, comment: Comment = "") -> None:
    """Put an archived flag back on the lists, as it was."""
    async with call.admin() as admin:
        flag = await admin.post("flags", key, "restore", body={"comment": comment} if comment else None)
    _tell(call, flag, f"restored {key} in {call.environment}")


def _tell(call: Call, flag: Plain, words: str) -> None:
    if call.options.as_json:
        say_json(flag)
    else:
        say(words)
