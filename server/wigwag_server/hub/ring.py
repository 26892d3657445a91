"""The recent commits of one history, encoded once, for connections that are a little behind."""

from collections import deque
from dataclasses import dataclass

from wigwag_proto.commit import Commit, Cursor, Epoch
from wigwag_proto.events import encode_patch

RING_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Entry:
    """A commit as a `patch`; `head` names the state after it."""

    revision: int
    head: str
    event: bytes


class Ring:
    """Bounded in bytes; the oldest go first. Whoever is behind the oldest gets a snapshot instead."""

    def __init__(self, max_bytes: int = RING_BYTES) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._base: Cursor | None = None  # the state before the oldest entry
        self._entries: deque[Entry] = deque()

    @property
    def newest(self) -> Cursor | None:
        """The state after the newest entry."""
        if not self._entries or self._base is None:
            return self._base
        return Cursor(self._base.epoch, self._entries[-1].revision, self._entries[-1].head)

    def restart(self, cursor: Cursor) -> None:
        """Forget everything: the state is now `cursor`, and how it came about is not known."""
        self._base = cursor
        self._bytes = 0
        self._entries.clear()

    def append(self, epoch: Epoch, commit: Commit) -> None:
        """Add the commit that follows."""
        entry = Entry(commit.revision, commit.head, encode_patch(epoch, commit))
        self._entries.append(entry)
        self._bytes += len(entry.event)
        while self._bytes > self._max_bytes and len(self._entries) > 1:
            oldest = self._entries.popleft()
            self._base = Cursor(epoch, oldest.revision, oldest.head)
            self._bytes -= len(oldest.event)

    def after(self, cursor: Cursor, max_bytes: int) -> tuple[bytes, Cursor] | None:
        """Return patches that follow `cursor` and the state they lead to; None when they are not (all) here.

        As many as fit into `max_bytes`, but always one if there is one: whoever is far behind takes them in pieces,
        so that a crowd of laggards costs little more memory than one.
        """
        events = self.since(cursor)
        if events is None:
            return None
        size, taken = 0, 0
        for event in events:
            size += len(event)
            if taken and size > max_bytes:
                break
            taken += 1
        if not taken:
            return b"", cursor
        last = self._entries[len(self._entries) - len(events) + taken - 1]
        return b"".join(events[:taken]), Cursor(cursor.epoch, last.revision, last.head)

    def since(self, cursor: Cursor) -> list[bytes] | None:
        """Return the patches that follow `cursor`, oldest first; None when they are not (all) here."""
        base = self._base
        if base is None or cursor.epoch != base.epoch:
            return None
        behind = cursor.revision - base.revision
        if not 0 <= behind <= len(self._entries):
            return None
        head = base.head if behind == 0 else self._entries[behind - 1].head
        if head != cursor.head:
            return None
        return [self._entries[index].event for index in range(behind, len(self._entries))]
