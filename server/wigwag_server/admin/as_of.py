"""Reading the past of an environment: the present, the audit log, and `past` to go back with."""

import asyncio
import time
from http import HTTPStatus
from typing import Any

from wigwag_proto.audit import AuditQuery, Entry
from wigwag_proto.instants import instant
from wigwag_proto.links import flags_required_by, segments_named_by
from wigwag_proto.problems import Violation, shown
from wigwag_proto.records import Records
from wigwag_proto.snapshot import Tables
from wigwag_server.admin.past import Moment, Unknown, rewind, rewind_all
from wigwag_server.environment import Environment
from wigwag_server.problems import Problem

PAGE = 100
# How many entries a look at everything may go through: the log may hold far more than a request should read.
MOST_ENTRIES = 10_000


class Past:
    """An environment as it was at a moment. Made by `open`."""

    def __init__(self, environment: Environment, moment: Moment) -> None:
        self.moment = moment
        self._environment = environment
        # Taken once: what is committed while the log is being read is not part of it.
        self._present = environment.replica.snapshot()

    @classmethod
    async def open(cls, environment: Environment, moment: Moment) -> "Past":
        """Begin to look back. Raises Problem: 404 where the log does not go back so far, 422 for what is to come."""
        past = cls(environment, moment)
        now = past._present.cursor.revision
        if moment.revision is not None and moment.revision > now:
            detail = f"Revision {moment.revision} is yet to come: {environment.name} is at {now}."
            raise Problem(HTTPStatus.NOT_FOUND, detail)
        oldest = await environment.audit(AuditQuery(after=0, limit=1))
        if moment.revision == now:
            return past
        if not oldest and now == 0:
            return past
        if not oldest:
            raise _not_found("The audit log of this environment is empty.")
        first = oldest[0].entry()
        if not moment.is_reached(first):
            raise _not_found(
                f"The audit log does not go back to {moment}: it begins with revision {first.revision}, "
                f"made at {first.at} (Unix ms)."
            )
        return past

    async def record(self, kind: str, key: str) -> Any:
        """Return a record as it was, None where it was not there. Raises Problem (404) where that is not known."""
        entries = await self._entries(AuditQuery(kind=kind, key=key, limit=PAGE), None)
        present = self._present.records.get(kind, {}).get(key)
        try:
            return rewind(kind, key, present, entries, self.moment)
        except Unknown as error:
            raise _not_found(str(error)) from None

    async def last_before_deletion(self, kind: str, key: str) -> Any:
        """Return a record that is not there any more as it was last; None where nothing is known of it."""
        newest = await self._environment.audit(AuditQuery(kind=kind, key=key, limit=1))
        touched = newest[0].entry().touching(kind, key) if newest else None
        return touched.before if touched is not None and touched.after is None else None

    async def flag_with_references(self, key: str) -> Records:
        """Return a flag as it was, with the segments and flags that its decision depended on."""
        records = Records()
        waiting, seen = [key], {key}
        while waiting:
            each = waiting.pop()
            records.set_flag(each, await self.record("flag", each))
            flag = records.flags.get(each)
            if flag is None:
                continue
            for segment in sorted(segments_named_by(flag) - records.segments.keys()):
                records.set_segment(segment, await self.record("segment", segment))
            required = flags_required_by(flag) - seen
            seen |= required
            waiting += sorted(required)
        return records

    async def tables(self) -> Tables:
        """Return all flags and segments as they were. Raises Problem: 404, and 422 where that is too many changes."""
        entries = await self._entries(AuditQuery(limit=PAGE), MOST_ENTRIES)
        try:
            # A long way back takes seconds, in which others are served.
            return await asyncio.to_thread(rewind_all, self._present.records, entries, self.moment)
        except Unknown as error:
            raise _not_found(str(error)) from None

    async def _entries(self, query: AuditQuery, most: int | None) -> list[Entry]:
        """Return the entries since the moment, newest first, and the first one that is not since."""
        found: list[Entry] = []
        before = None
        while True:
            recorded = await self._environment.audit(
                AuditQuery(kind=query.kind, key=query.key, limit=query.limit, before=before)
            )
            for each in recorded:
                entry = each.entry()
                if entry.revision > self._present.cursor.revision:
                    continue
                found.append(entry)
                if self.moment.includes(entry.revision, entry.at):
                    return found
            if not recorded:  # a page may be short of what the log has lost
                return found
            before = recorded[-1].sequence
            if most is not None and len(found) >= most:
                detail = f"There are more than {most:,} changes since {self.moment}: ask about one flag at a time."
                raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail)


def read_moment(value: Any, pointer: str, found: list[Violation]) -> Moment | None:
    """Take a revision, or an RFC 3339 date-time that has been; None for no value. What is wrong goes to `found`."""
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53:
        return Moment(revision=value)
    ns = instant(value) if isinstance(value, str) else None
    if ns is not None and ns // 1_000_000 <= time.time() * 1000:
        return Moment(at=ns // 1_000_000)
    wanted = "must be a revision, or a time that has been, such as 2026-01-31T12:00:00Z"
    found.append(Violation(pointer, f"{wanted}, not {shown(value)}"))
    return None


def _not_found(detail: str) -> Problem:
    return Problem(HTTPStatus.NOT_FOUND, detail)
