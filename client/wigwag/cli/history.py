"""`wigwag history` and `wigwag revert`."""

from collections.abc import Iterator
from typing import Any

from wigwag.cli.admin_client import AdminClient
from wigwag.cli.arguments import Comment, Key, Limit, Revision, Yes
from wigwag.cli.call import Call, command
from wigwag.cli.change_words import change_lines, field_lines
from wigwag.cli.confirm import confirm
from wigwag.cli.output import note, plain, say, say_json
from wigwag.cli.tables import moment

Plain = dict[str, Any]

PAGE = 100


@command
async def history(call: Call, key: Key, limit: Limit = None) -> None:
    """Show who changed a flag, when, how and why.

    The newest change stands first. A flag that was deleted has its history, too.
    """
    await history_of(call, "flags", key, limit)


@command
async def revert(call: Call, key: Key, revision: Revision, *, yes: Yes = False, comment: Comment = "") -> None:
    """Put back the configuration that a flag had at a revision.

    First it shows what that changes, and asks. A kill that is in force stays.
    """
    await revert_to(call, "flags", key, revision, yes=yes, comment=comment)


async def history_of(call: Call, table: str, key: str, limit: int | None) -> None:
    """Tell what was done to a record."""
    async with call.admin() as admin:
        found = await _read(admin, table, key, limit)
    if call.options.as_json:
        return say_json(found)
    for each in found:
        for line in _lines(each):
            say(line)
    return note(f"\n{len(found)} change{'' if len(found) == 1 else 's'} of {key} in {call.environment}")


async def revert_to(call: Call, table: str, key: str, revision: int, *, yes: bool, comment: str) -> None:
    """Put back what a record was at a revision."""
    path = (table, key, "revert", str(revision))
    async with call.admin() as admin:
        trial = await admin.post(*path, query=[("dryRun", "true")])
        changes = trial.get("changes", [])
        if not changes:
            return _tell(call, trial, f"{key} in {call.environment} is as it was at revision {revision}")
        if not yes:
            for line in change_lines(changes):
                note(line)
            how = f"wigwag {'' if table == 'flags' else 'segments '}revert {key} {revision} --yes"
            await confirm(f"This changes {key} in {call.environment}.", how)
        body = {"comment": comment} if comment else None
        done = await admin.post(*path, body=body)
    words = (
        f"put back {key} in {call.environment} as of revision {revision}; it is at revision {done.get('revision')} now"
    )
    return _tell(call, done, words)


async def _read(admin: AdminClient, table: str, key: str, limit: int | None) -> list[Plain]:
    found: list[Plain] = []
    before: list[tuple[str, str]] = []
    while True:
        size = PAGE if limit is None else min(PAGE, limit - len(found))
        part = await admin.get(table, key, "history", query=[("limit", str(size)), *before])
        found += part["history"]
        if part.get("next") is None or not part["history"] or (limit is not None and len(found) >= limit):
            return found
        before = [("before", str(part["next"]))]


def _lines(each: Plain) -> Iterator[str]:
    by = plain(str(each.get("by")))
    approved = f", approved by {plain(str(each['approvedBy']))}" if each.get("approvedBy") else ""
    address = f" from {plain(str(each['address']))}" if each.get("address") else ""
    yield f"{each.get('revision')}  {moment(each.get('at'))}  {each.get('what')} by {by}{address}{approved}"
    if each.get("comment"):
        yield f"    “{plain(str(each['comment']))}”"
    yield from (f"    {line}" for line in field_lines(each))


def _tell(call: Call, answer: Plain, words: str) -> None:
    if call.options.as_json:
        say_json(answer)
    else:
        say(words)
