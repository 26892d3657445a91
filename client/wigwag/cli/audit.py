"""`wigwag audit`: who did what, when, from where and why; and whether that log is as it was written."""

import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from wigwag.cli.admin_client import Query
from wigwag.cli.call import Call, command, group
from wigwag.cli.change_words import change_lines
from wigwag.cli.exits import ExitCode, Stop
from wigwag.cli.output import note, plain, say, say_json
from wigwag.cli.tables import moment
from wigwag_proto.audit import Recorded, broken_at, parse_line
from wigwag_proto.differences import differences, what_happened
from wigwag_proto.errors import Malformed

Plain = dict[str, Any]

Who = Annotated[str | None, typer.Option("--who", metavar="NAME", help="By this name, or id of a key.")]
Action = Annotated[str | None, typer.Option("--action", metavar="NAME", help="Such as flag.kill, or 'flag.*'.")]
OfKey = Annotated[str | None, typer.Option("--key", metavar="KEY", help="What touched this flag.")]
Kind = Annotated[str | None, typer.Option("--kind", metavar="KIND", help="With --key: flag (the default) or segment.")]
Since = Annotated[str | None, typer.Option("--since", metavar="TIME", help="From then on: 2026-01-31T12:00:00Z.")]
Until = Annotated[str | None, typer.Option("--until", metavar="TIME", help="Before then.")]
# One page of the API. How many entries it looks at for that is the server's business.
PAGE = 200
DEFAULT = 50


@command
async def list_audit(
    call: Call,
    *,
    who: Who = None,
    action: Action = None,
    key: OfKey = None,
    kind: Kind = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="NUMBER", min=1, help=f"At most so many.  [default: {DEFAULT}]")
    ] = None,
) -> None:
    """Show who did what, the newest first. With --json, one entry a line."""
    filters = {"who": who, "action": action, "key": key, "kind": kind, "from": since, "to": until}
    query = [(name, value) for name, value in filters.items() if value is not None]
    shown = 0
    async with call.admin() as admin:
        before: Query = ()
        while shown < (limit or DEFAULT):
            size = min(PAGE, (limit or DEFAULT) - shown)
            page = await admin.get("audit", query=[*query, ("limit", str(size)), *before])
            for entry in page["entries"]:
                _tell(call, entry)
            shown += len(page["entries"])
            if page.get("next") is None:
                break
            before = [("before", str(page["next"]))]
    if not call.options.as_json:
        note(f"\n{shown} entr{'y' if shown == 1 else 'ies'} of {call.environment}")


@command
async def export_audit(
    call: Call,
    *,
    who: Who = None,
    action: Action = None,
    key: OfKey = None,
    kind: Kind = None,
    since: Since = None,
    until: Until = None,
) -> None:
    """Write the log as JSON lines, the oldest entry first.

    Each entry is as it is stored, and "audit verify" takes that, too.
    """
    filters = {"who": who, "action": action, "key": key, "kind": kind, "from": since, "to": until}
    query = [(name, value) for name, value in filters.items() if value is not None]
    async with call.admin() as admin:
        async for line in admin.lines("audit", query=query):
            say(line.decode())


@command
async def verify(
    call: Call,
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="An export of the whole log; without one, the server's.")
    ] = None,
) -> None:
    """Follow the chain of the log, and say where it is broken.

    It ends with 1 where it is. The links are reckoned here, from what the server sends: it is not taken at its word.
    Keep the last link somewhere else: whoever rewrites a whole log cannot have the old one come out.
    """
    chain = Chain()
    where = str(file) if file else call.environment
    with Console(stderr=True, quiet=not sys.stderr.isatty()).status(f"reading the log of {where}") as status:
        async for line in _lines_of(call, file):
            chain.add(line)
            status.update(f"reading the log of {where}: {chain.count:,} entries")
            if chain.broken_at is not None:
                break
    if call.options.as_json:
        say_json({**chain.verdict(), "of": where})
    elif chain.broken_at is None:
        said = (
            f"{chain.first}–{chain.last.sequence}, and the last link is {chain.last.link}"
            if chain.last
            else "it is empty"
        )
        say(f"the audit log of {where} is intact: {said}")
    if chain.broken_at is not None:
        raise Stop(f"the audit log of {where} is broken at entry {chain.broken_at}: it is not as it was written")


class Chain:
    """What has been read of a log, and where it stopped to fit together."""

    def __init__(self) -> None:
        self.count = 0
        self.first: int | None = None
        self.last: Recorded | None = None
        self.broken_at: int | None = None

    def add(self, line: bytes) -> None:
        """Take the next line. Raises Stop for what is no line of a log."""
        try:
            recorded = parse_line(line)
        except Malformed as error:
            raise Stop(f"line {self.count + 1}: {error}") from None
        if self.last is not None and recorded.sequence != self.last.sequence + 1:
            self.broken_at = self.last.sequence + 1
        else:
            self.broken_at = broken_at([recorded], self.last.link if self.last else None)
        self.first = recorded.sequence if self.first is None else self.first
        self.count, self.last = self.count + 1, recorded

    def verdict(self) -> Plain:
        """Return it for programs."""
        last = self.last
        return {
            "intact": self.broken_at is None,
            "brokenAt": self.broken_at,
            "entries": self.count,
            "first": self.first,
            "last": last.sequence if last else None,
            "link": last.link if last and self.broken_at is None else None,
        }


async def _lines_of(call: Call, file: Path | None) -> AsyncIterator[bytes]:
    if file is not None:
        for line in _lines_in(file):
            yield line
        return
    async with call.admin() as admin:
        async for line in admin.lines("audit"):
            yield line


def _lines_in(file: Path) -> Iterator[bytes]:
    try:
        with file.open("rb") as opened:
            yield from opened
    except OSError as error:
        raise Stop(f"{file} cannot be read: {error.strerror}", ExitCode.USAGE) from None


def _tell(call: Call, entry: Plain) -> None:
    if call.options.as_json:
        return say_json(entry, indent=None)
    if "unreadable" in entry:
        return say(f"{entry.get('sequence')}  cannot be read: {plain(str(entry['unreadable']))}")
    by = plain(str(entry.get("by")))
    address = f" from {plain(str(entry['address']))}" if entry.get("address") else ""
    approved = f", approved by {plain(str(entry['approvedBy']))}" if entry.get("approvedBy") else ""
    exempt = ", exempt from approval" if entry.get("exempt") else ""
    action = plain(str(entry.get("action")))
    say(f"{entry.get('sequence')}  {moment(entry.get('at'))}  {action} by {by}{address}{approved}{exempt}")
    if entry.get("comment"):
        say(f"    “{plain(str(entry['comment']))}”")
    for line in change_lines([_change(each) for each in entry.get("changes") or ()]):
        say(f"    {line}")
    return None


def _change(touched: Plain) -> Plain:
    kind, before, after = str(touched.get("kind")), touched.get("before"), touched.get("after")
    what = what_happened(before, after)
    return {"kind": kind, "key": touched.get("key"), "what": what, "changes": differences(kind, before, after)}


audit = group(
    "The audit log: who did what, when, from where and why.",
    ("list", list_audit),
    ("export", export_audit),
    ("verify", verify),
)
