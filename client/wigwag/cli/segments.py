"""`wigwag segments …`: named sets of users."""

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from wigwag.cli.arguments import Comment, Limit, Revision, Rules, Search, SegmentKey, Yes
from wigwag.cli.call import Call, command, group
from wigwag.cli.confirm import confirm_word
from wigwag.cli.documents import name_of, read_document
from wigwag.cli.exits import ExitCode, NoSuchFlag, Stop
from wigwag.cli.flag_words import ago, rules, value_words
from wigwag.cli.history import history_of, revert_to
from wigwag.cli.output import draw, note, say, say_json
from wigwag.cli.tables import moment, table
from wigwag_proto.validate import SEGMENT_FIELDS

Plain = dict[str, Any]
Texts = list[str] | None


@command
async def list_segments(call: Call, search: Search = "", limit: Limit = None) -> None:
    """List the segments of an environment."""
    async with call.admin() as admin:
        found = await admin.segments([("q", search)] if search else [], limit)
    if call.options.as_json:
        return say_json(found)
    if not found:
        return note(f"There are no such segments in {call.environment}.")
    now = round(time.time() * 1000)
    rows = [
        (
            each.get("key"),
            len(each.get("include") or ()),
            len(each.get("exclude") or ()),
            rules(each.get("rules") or []),
            ago(each.get("updatedAt", 0), now),
        )
        for each in found
    ]
    draw(table(["SEGMENT", "INCLUDES", "EXCLUDES", "RULES", "UPDATED"], rows))
    return note(f"\n{len(found)} segment{'' if len(found) == 1 else 's'} in {call.environment} at {admin.server.url}")


@command
async def show_segment(call: Call, key: SegmentKey) -> None:
    """Show one segment: whom it includes and excludes, and its rules."""
    async with call.admin() as admin:
        segment = await admin.get("segments", key)
    if call.options.as_json:
        return say_json(segment)
    rows: list[tuple[str, Any]] = [(field, value_words(field, segment.get(field))) for field in SEGMENT_FIELDS]
    rows += [("updated", moment(segment.get("updatedAt"))), ("revision", segment.get("revision"))]
    return draw(table([key, call.environment], rows))


@command
async def set_segment(
    call: Call,
    key: SegmentKey,
    *,
    include: Annotated[Texts, typer.Option(metavar="USER", help="In it.  (repeatable)")] = None,
    exclude: Annotated[Texts, typer.Option(metavar="USER", help="Never in it.  (repeatable)")] = None,
    unlist: Annotated[Texts, typer.Option(metavar="USER", help="Neither of both any more.  (repeatable)")] = None,
    rule: Rules = None,
    clear_rules: Annotated[
        bool, typer.Option("--clear-rules", help="Drop its rules first.", show_default=False)
    ] = False,
    description: Annotated[str | None, typer.Option(metavar="TEXT", help="What it is for.")] = None,
    from_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Take the whole segment from YAML or JSON.")
    ] = None,
    comment: Comment = "",
) -> None:
    """Create a segment, or change one.

    Lists are added to. What is not named stays as it is.
    """
    edits = (include, exclude, unlist, rule, clear_rules, description)
    if from_file is None and not any(each is not None and each is not False for each in edits):
        raise Stop("there is nothing to set. 'wigwag segments set --help' has the options.", ExitCode.USAGE)
    wanted = None if from_file is None else read_document(from_file)
    if wanted is not None and wanted.get("key", key) != key:
        raise Stop(
            f"{name_of(from_file or Path('-'))} is of the segment {wanted['key']!r}, not of {key!r}", ExitCode.USAGE
        )
    async with call.admin() as admin:
        try:
            before: Plain | None = await admin.get("segments", key)
        except NoSuchFlag:
            before = None
        after = dict(wanted) if wanted is not None else {k: v for k, v in (before or {}).items() if k in SEGMENT_FIELDS}
        _move(after, "include", include or [], [*(exclude or []), *(unlist or [])])
        _move(after, "exclude", exclude or [], [*(include or []), *(unlist or [])])
        if rule or clear_rules:
            after["rules"] = [*([] if clear_rules else after.get("rules") or []), *(rule or [])]
        if description is not None:
            after["description"] = description
        body = {**after, **({"comment": comment} if comment else {})}
        done = await admin.put_segment(key, body, before)
    if call.options.as_json:
        return say_json(done)
    made = "created" if before is None else "changed"
    return say(f"{made} segment {key} in {call.environment}, revision {done.get('revision')}")


@command
async def delete_segment(call: Call, key: SegmentKey, *, yes: Yes = False, comment: Comment = "") -> None:
    """Delete a segment that no rule refers to."""
    async with call.admin() as admin:
        await admin.get("segments", key)
        if not yes:
            what = f"This deletes the segment {key} in {call.environment}."
            await confirm_word(key, what, f"wigwag segments delete {key} --yes")
        await admin.remove("segments", key, query=[("confirm", key), *([("comment", comment)] if comment else [])])
    if call.options.as_json:
        return say_json({"deleted": key, "environment": call.environment})
    return say(f"deleted segment {key} in {call.environment}")


@command
async def segment_history(call: Call, key: SegmentKey, limit: Limit = None) -> None:
    """Show who changed a segment, when, how and why; the newest first."""
    await history_of(call, "segments", key, limit)


@command
async def revert_segment(
    call: Call, key: SegmentKey, revision: Revision, *, yes: Yes = False, comment: Comment = ""
) -> None:
    """Put back a segment as it was at a revision."""
    await revert_to(call, "segments", key, revision, yes=yes, comment=comment)


def _move(segment: Plain, field: str, add: list[str], remove: list[str]) -> None:
    if add or remove:
        kept = [each for each in segment.get(field) or [] if each not in remove]
        segment[field] = [*kept, *(each for each in dict.fromkeys(add) if each not in kept)]


segments = group(
    "Named sets of users, for the rules of flags.",
    ("list", list_segments),
    ("show", show_segment),
    ("set", set_segment),
    ("delete", delete_segment),
    ("history", segment_history),
    ("revert", revert_segment),
)
