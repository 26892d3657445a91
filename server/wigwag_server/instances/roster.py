"""The interface of a roster: who is connected to which server, and who had what in force when.

It is kept beside the log, in the same store, and all servers share it. It decides nothing, and losing it loses no
flag. All its times are of one clock, that of the store: whoever writes says how long ago something was.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Protocol

import msgspec

from wigwag_proto.telemetry import Instance

# The latest revisions that are proven, and for how long the proof is kept.
TRACKED = 32
TRACKED_US = 24 * 3600 * 1_000_000
# A server that has not said anything for this long has died, and this long after that its seats are forgotten.
SILENT_US = 5_000_000
FORGET_DEAD_US = 300 * 1_000_000
FORGET_LOST_US = 300 * 1_000_000
FORGET_LEFT_US = 3600 * 1_000_000


class Via(StrEnum):
    """How an instance is connected, or how it ceased to be."""

    STREAM = "stream"
    POLL = "poll"
    LOST = "lost"  # its connection ended without a word
    LEFT = "left"  # it said that it closes


class Seat(msgspec.Struct, frozen=True):
    """Where an instance is, or last was, and since when (µs on the store's clock)."""

    server: str
    via: Via
    since_us: int


class ServerNote(msgspec.Struct, frozen=True):
    """What a server says of itself; `anonymous` streams do not say whose they are."""

    id: str
    name: str
    streams: int
    anonymous: int


class ServerSeen(msgspec.Struct, frozen=True):
    """A server's note, and when it came."""

    note: ServerNote
    at_us: int


class Changes(msgspec.Struct, frozen=True):
    """What has changed at one server: who took a seat there, whose connection was lost, who has left for good."""

    seated: Sequence[tuple[Instance, Via]] = ()
    lost: Sequence[str] = ()
    left: Sequence[str] = ()


class Confirmation(msgspec.Struct, frozen=True):
    """An instance had a state in force, `ago_us` before this is written."""

    instance: str
    cursor: str
    ago_us: int


class Applied(msgspec.Struct, frozen=True):
    """The latest state that an instance is known to have in force, and since when at the latest."""

    cursor: str
    at_us: int


class Tripped(msgspec.Struct, frozen=True):
    """The flags that are off in an instance because their circuit tripped there, and how long before this is written.

    Empty: all circuits are closed.
    """

    instance: str
    ago_us: Mapping[str, int]


class Frozen(msgspec.Struct, frozen=True):
    """The roster as it was when a commit was made, and who has confirmed it since, and when."""

    epoch: str
    revision: int
    committed_us: int
    seats: Mapping[str, Seat]
    confirmed: Mapping[str, int]


class Look(msgspec.Struct, frozen=True):
    """The roster now. `frozen` is None where the revision that was asked for is not tracked.

    `applied` is of those who have not confirmed it, or of all where nothing is frozen. `tripped` says of instances in
    which circuits are tripped since when (µs) each flag is off there; it is left out where something is frozen.
    """

    now_us: int
    servers: Mapping[str, ServerSeen]
    seats: Mapping[str, Seat]
    applied: Mapping[str, Applied]
    frozen: Frozen | None = None
    tripped: Mapping[str, Mapping[str, int]] = {}


class Roster(Protocol):
    """Every method raises StoreUnavailable when the store does not answer, or not in time."""

    async def update(self, environment: str, note: ServerNote, changes: Changes) -> bool:
        """Take a sign of life of a server and its changes; say whether the server was known here.

        Where it was not, the roster may have lost what the server told it before. An instance that is seated takes
        its seat from whatever server had it; it is lost only by the server that has it.
        """

    async def farewell(self, environment: str, server: str) -> None:
        """Forget a server that has stopped in order; who sat there is lost until seated elsewhere."""

    async def freeze(
        self, environment: str, epoch: str, revision: int, heard_ago_us: int, own: Sequence[str] = ()
    ) -> None:
        """Keep the roster as it is for this commit. All servers ask; the first freezes.

        Of the moments at which they heard of the commit the earliest is that of the commit. `own` are instances that
        the asking server had before, and may have been too late to seat.
        """

    async def confirm(self, environment: str, confirmations: Sequence[Confirmation]) -> None:
        """Note who has which state in force, and with that every revision up to it."""

    async def trip(self, environment: str, tripped: Sequence[Tripped]) -> None:
        """Note which circuits are tripped in instances that have a seat."""

    async def look(self, environment: str, revision: int | None = None) -> Look:
        """Return the roster now; with a revision, also as it was then, and who has confirmed it."""

    async def names(self, environment: str, ids: Sequence[str]) -> dict[str, Instance]:
        """Return who these instances are, as far as that is known."""

    async def reap(self, environment: str) -> None:
        """Forget what is over: see the times above."""

    async def close(self) -> None:
        """Release connections and files."""
