"""The event that all servers write, and what a server is to the benchmarks that put them side by side."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Published:
    """An event on its way: its revision, when it was asked for, and when the server had it."""

    revision: int
    sent_ns: int
    at_ns: int


class Broadcaster(Protocol):
    """A running server."""

    port: int
    key: str
    pid: int
    hello: bytes  # what each new stream shows

    def marker(self) -> bytes:
        """Return what the next event will be known by."""

    async def publish(self) -> Published:
        """Write the next event to every stream."""

    async def settle(self, expect: Callable[[bytes], None], arrived: Callable[[], Any]) -> None:
        """Do what has to be done between two events."""


def marker(revision: int) -> bytes:
    """Return what tells an event of this revision from all others."""
    return b'"revision":%d,' % revision


def revision_of(event: bytes) -> int:
    """Return the revision of an event of wigwag."""
    return int(event.partition(b'"revision":')[2].partition(b",")[0])


def renumbered(event: bytes, before: int, after: int) -> bytes:
    """Return the event with another revision, and otherwise the same."""
    return event.replace(marker(before), marker(after)).replace(b":%d:" % before, b":%d:" % after)
