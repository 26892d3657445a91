"""`wigwag state`, `wigwag changes` and `wigwag rewind`: how an environment was, and back to it."""

from typing import Annotated, Any

import typer

from wigwag.cli.arguments import Comment, DryRun, Yes
from wigwag.cli.call import Call, command
from wigwag.cli.change_words import change_lines, total
from wigwag.cli.confirm import confirm
from wigwag.cli.flag_words import summary
from wigwag.cli.output import draw, note, plain, say, say_json
from wigwag.cli.tables import table
from wigwag.cli.times import here, read_moment

Plain = dict[str, Any]

Moment = Annotated[
    str,
    typer.Argument(metavar="WHEN", help="A revision, or a time: 14:03, 2h, 2030-01-31T14:03:00Z.", show_default=False),
]


@command
async def state(call: Call, at: Moment) -> None:
    """Show all flags as they were at a time.

    Or at a revision.
    """
    when = str(read_moment(at, here()))
    async with call.admin() as admin:
        found = await admin.get("state", query=[("at", when)])
    if call.options.as_json:
        return say_json(found)
    rows = [(key, summary(flag), flag.get("revision")) for key, flag in sorted(found["flags"].items())]
    draw(table(["FLAG", "STATE", "REVISION"], rows))
    return note(f"\n{len(rows)} flags and {len(found['segments'])} segments in {call.environment} at {plain(when)}")


@command
async def changes(
    call: Call,
    since: Annotated[str, typer.Argument(metavar="FROM", help="A revision, or a time.", show_default=False)],
    until: Annotated[str, typer.Argument(metavar="TO", help="A revision, or a time.  [now]", show_default=False)] = "",
) -> None:
    """Show what differs between two times.

    Kills are included; what was done and undone in between does not show.
    """
    begin, end = str(read_moment(since, here())), str(read_moment(until, here())) if until else ""
    async with call.admin() as admin:
        found = await admin.get("differences", query=[("from", begin), *([("to", end)] if end else [])])
    if call.options.as_json:
        return say_json(found)
    for line in change_lines(found["changes"]):
        say(line)
    return note(f"\n{total(found['changes'])} in {call.environment} from {plain(begin)} to {plain(end or 'now')}")


@command
async def rewind(call: Call, to: Moment, *, yes: Yes = False, dry_run: DryRun = False, comment: Comment = "") -> None:
    """Put back the configuration that all flags and segments had.

    It is one revision, and first it shows what that changes, and asks. Kills stay as they are: nothing is revived, and
    a killed flag that was not there yet stays, so that something holds its kill.
    """
    moment = read_moment(to, here())
    body: Plain = {"to": moment, **({"comment": comment} if comment else {})}
    async with call.admin() as admin:
        trial = await admin.post("rewind", body={**body, "dryRun": True})
        found = trial["changes"]
        if not call.options.as_json or not yes:
            for line in change_lines(found):
                note(line)
        for key in trial.get("kept", ()):
            note(f"{plain(key)} stays: it is killed")
        if not found or dry_run:
            return _tell(call, trial, f"{call.environment} differs from {plain(str(moment))} by: {total(found)}")
        if not yes:
            await confirm(
                f"This changes {call.environment}: {total(found)}.", f"wigwag rewind {plain(str(moment))} --yes"
            )
        done = await admin.post("rewind", body=body)
    return _tell(call, done, f"put {call.environment} back to {plain(str(moment))}: {total(done['changes'])}")


def _tell(call: Call, answer: Plain, words: str) -> None:
    if call.options.as_json:
        say_json(answer)
    else:
        say(words)
