"""What waits to be sent to one webhook, and what was sent. Pure: times are Unix times in ms, and passed in."""

import random
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

BASE_MS = 1_000
CAP_MS = 10 * 60_000
# What a receiver has not taken for this long is given up; the audit log has it still.
GIVE_UP_MS = 24 * 3_600_000
# Beyond this the oldest that waits is given up. A receiver that has been away for that many is told of the latest.
MOST_WAITING = 500
MOST_RECENT = 20
# Of an event about more flags than this, the order is kept to all others.
MOST_KEYS = 20


class Item(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """An event that waits. With `sequence` it is read from the audit log again; else it is `event`.

    `keys` are the flags that it is about; None: it keeps its place among all others.
    """

    id: str
    type: str
    environment: str
    at: int
    sequence: int | None = None
    event: Any = None
    keys: tuple[str, ...] | None = None
    attempts: int = 0
    due_at: int = 0
    error: str = ""


class Sent(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """What became of an event: `delivered`, or `failed` for good."""

    id: str
    type: str
    environment: str
    at: int
    ended_at: int
    delivered: bool
    attempts: int
    status: int | None = None
    error: str = ""
    ms: int = 0


class Queue(msgspec.Struct, rename="camel"):
    """In order. An event waits for those before it that are about one of its flags, and for no others."""

    items: list[Item] = []
    recent: list[Sent] = []

    def add(self, item: Item, now: int) -> bool:
        """Append, unless it is there already; say whether another one had to be given up for it."""
        if any(each.id == item.id for each in self.items):
            return False
        self.items.append(item)
        if len(self.items) <= MOST_WAITING:
            return False
        self._end(self.items.pop(0), now, delivered=False, error="too many were waiting")
        return True

    def due(self, now: int) -> Item | None:
        """Return what can be sent now."""
        return next((item for item in self._free() if item.due_at <= now), None)

    def next_due(self) -> int | None:
        """Return when it is worth to look again."""
        return min((item.due_at for item in self._free()), default=None)

    def hurry(self, now: int) -> None:
        """Have everything that waits tried now."""
        self.items = [msgspec.structs.replace(each, due_at=min(each.due_at, now)) for each in self.items]

    def _free(self) -> Iterator[Item]:
        """Yield what waits for nothing but its time."""
        blocked: set[str] = set()
        for place, item in enumerate(self.items):
            if item.keys is None:
                if place == 0:
                    yield item
                return
            if not blocked & set(item.keys):
                yield item
            blocked |= set(item.keys)

    def delivered(self, item: Item, now: int, status: int | None, ms: int) -> None:
        """Take note that the receiver has it."""
        self._remove(item)
        attempts = msgspec.structs.replace(item, attempts=item.attempts + 1)
        self._end(attempts, now, delivered=True, status=status, ms=ms)

    def failed(self, item: Item, now: int, error: str, rng: random.Random, status: int | None = None) -> bool:
        """Take note of an attempt in vain, and say whether it was the last: exponential backoff, with jitter."""
        tried = msgspec.structs.replace(item, attempts=item.attempts + 1, error=error)
        if now - item.at >= GIVE_UP_MS:
            self._remove(item)
            self._end(tried, now, delivered=False, status=status, error=error)
            return True
        wait_ms = min(CAP_MS, BASE_MS * 2 ** min(item.attempts, 20))
        due_at = now + round(wait_ms * rng.uniform(0.5, 1.0))
        self.items = [
            msgspec.structs.replace(tried, due_at=due_at) if each.id == item.id else each for each in self.items
        ]
        return False

    def drop(self, item: Item, now: int, error: str) -> None:
        """Give one up."""
        self._remove(item)
        self._end(item, now, delivered=False, error=error)

    def _remove(self, item: Item) -> None:
        self.items = [each for each in self.items if each.id != item.id]

    def _end(
        self, item: Item, now: int, *, delivered: bool, status: int | None = None, error: str = "", ms: int = 0
    ) -> None:
        sent = Sent(
            id=item.id,
            type=item.type,
            environment=item.environment,
            at=item.at,
            ended_at=now,
            delivered=delivered,
            attempts=item.attempts,
            status=status,
            error=error,
            ms=ms,
        )
        self.recent = [sent, *self.recent][:MOST_RECENT]


def ordering(keys: Iterable[str]) -> tuple[str, ...] | None:
    """Return what an event waits for, by the flags that it is about. Without any, it waits for nothing."""
    found = tuple(keys)
    return found if len(found) <= MOST_KEYS else None
