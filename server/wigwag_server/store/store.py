"""The interface of a store, and what it answers.

A store keeps logs, one an environment (and `_system` for the server's own data). It decides nothing: who may write
is settled before, what a record means is none of its business.
"""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from enum import Enum
from typing import Any, Protocol

import msgspec

from wigwag_proto.audit import AuditQuery, Recorded
from wigwag_proto.codec import decode
from wigwag_proto.commit import Commit, Cursor, Epoch
from wigwag_proto.errors import Malformed
from wigwag_proto.snapshot import Snapshot

LOG_BYTES = 16 * 1024 * 1024
# The oldest audit entries go when those of an environment take more than this.
AUDIT_BYTES = 64 * 1024 * 1024


class Accepted(msgspec.Struct, frozen=True):
    """The commit is in the store."""


class Conflict(msgspec.Struct, frozen=True):
    """Somebody else committed first, and the store is now at `cursor`. Nothing was written.

    None: the store has no such environment (any more).
    """

    cursor: Cursor | None


class Recovering(msgspec.Struct, frozen=True):
    """Nothing was written: the store came back from somewhere, and it is not settled yet what its state is."""


Answer = Accepted | Conflict | Recovering


class Head(msgspec.Struct, frozen=True):
    """Where a log is: `cursor` is None when there is none.

    `settled` is False from the moment a store comes back (another run of it, or emptied) until its servers have
    agreed on what the state is. `parent` is the state of an older history that this one was begun with, if any.
    """

    cursor: Cursor | None
    settled: bool = True
    parent: Cursor | None = None


class Begin(msgspec.Struct, frozen=True):
    """What a log begins with when nobody knows of an older one: a history, a head, and Unix time in ms."""

    epoch: Epoch
    head: str
    at: int


class NotInLog(Enum):
    """Why a state is not one that the log goes on from."""

    UNKNOWN = "unknown"  # too long ago, of another history, or not made yet
    BRANCHED = "branched"  # the log has another commit in its place


class Told(msgspec.Struct, frozen=True):
    """What a feed tells of: a commit, and the history that it belongs to."""

    epoch: Epoch
    commit: Commit


class Store(Protocol):
    """Every method raises StoreUnavailable when the store does not answer, or not in time."""

    async def environments(self) -> tuple[str, ...]:
        """Name the environments that have a log."""

    async def head(self, environment: str) -> Head:
        """Return where the log is."""

    async def load(self, environment: str) -> Snapshot | None:
        """Return the whole state; None when there is no such log."""

    async def commit(self, environment: str, epoch: Epoch, commit: Commit, entry: bytes | None = None) -> Answer:
        """Append, if the log of this epoch is still at `commit.prev`: all changes of the commit or none.

        `entry` is what the audit log is to keep of it (`audit.entry_data`); it is in there exactly if the commit is.
        When StoreUnavailable is raised the commit may have been made: whoever asked looks for its head.
        """

    async def replicated(self, environment: str) -> None:
        """Return once all that is in the log by now is as safe as an accepted commit is."""

    async def settle(self, environment: str, offer: Snapshot | None, begin: Begin) -> Head:
        """Take part in settling what the state of a log is, and say how far that is.

        Where the store came back empty, older or just from another run, its servers offer what they hold, for a
        bounded time; then the highest revision of the latest history is the state, and the log goes on from it.
        Where nobody holds anything, the log begins as `begin` says. All servers ask until the answer is settled.
        """

    async def renew(self, environment: str, cursor: Cursor, epoch: Epoch) -> Head:
        """Begin a new history with the state at `cursor`, unless the log has moved on; say where the log is now.

        Its generation is that of `epoch` or a greater one: the store's own clock, where it has one, puts the
        histories of all servers in order.
        """

    async def commits_since(self, environment: str, cursor: Cursor) -> tuple[Commit, ...] | NotInLog:
        """Return what came after `cursor`, oldest first, or why that cannot be told."""

    async def audit(self, environment: str, query: AuditQuery) -> tuple[Recorded, ...]:
        """Return a part of the audit log."""

    def feed(self, environment: str) -> AbstractAsyncContextManager[AsyncIterator[Told]]:
        """Tell of every commit made from the moment the context is entered.

        The iterator ends, or raises StoreUnavailable, when the connection is lost or can no longer be trusted.
        """

    async def close(self) -> None:
        """Release connections, files and locks."""


def following(cursor: Cursor, commits: tuple[Commit, ...]) -> tuple[Commit, ...] | NotInLog:
    """Of the log from about `cursor` on, return what follows it."""
    if not commits or commits[0].revision > cursor.revision + 1:
        return NotInLog.UNKNOWN
    if commits[0].revision == cursor.revision:
        return commits[1:] if commits[0].head == cursor.head else NotInLog.BRANCHED
    return commits if commits[0].prev == cursor.head else NotInLog.BRANCHED


def read_record(data: bytes) -> Any:
    """Read one record. What is not JSON is passed on as text: its reader keeps its last good version and says so."""
    try:
        return decode(data)
    except Malformed:
        return data.decode(errors="replace")
