"""The interface of a usage store: counts in buckets of time, of which each batch is added once.

What is counted is called a series, a text that only its readers understand (see `wigwag_server.usage.series`).
Minutes are kept for a day and hours for 60 days, by the store's own clock.
"""

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Protocol

import msgspec

SERIES_LIMIT = 1000  # of one flag
UNKNOWN_LIMIT = 1000
UNKNOWN_KEPT_S = 7 * 86_400  # a name that nobody asked for in this time makes room for another
ASKED_KEPT_S = 90 * 86_400
OTHERS = "<others>"
# Batches are remembered for at least this long; a client gives one up before that.
BATCH_KEPT_S = 1200
BATCHES_LIMIT = 100_000


class Size(IntEnum):
    """How many seconds a bucket has."""

    MINUTE = 60
    HOUR = 3600

    @property
    def kept_s(self) -> int:
        """How far back buckets of this size go."""
        return 86_400 if self is Size.MINUTE else 60 * 86_400


class Count(msgspec.Struct, frozen=True):
    """So many more of a series of a flag."""

    flag: str
    series: str
    amount: int


class Batch(msgspec.Struct, frozen=True):
    """What one instance has counted; its batches are numbered upwards. `unknown` are names that no flag has."""

    instance: str
    number: int
    counts: Sequence[Count]
    unknown: Mapping[str, int]


class Unknown(msgspec.Struct, frozen=True):
    """A name that code asks for and that no flag has. Times are seconds since 1970."""

    name: str
    count: int
    first_s: int
    last_s: int


class Buckets(msgspec.Struct, frozen=True):
    """The counts of one flag: series, then the second at which a bucket begins, to the count. Zeros are left out."""

    now_s: int
    series: Mapping[str, Mapping[int, int]]


class UsageStore(Protocol):
    """Every method raises StoreUnavailable when the store does not answer, or not in time."""

    async def add(self, environment: str, batches: Sequence[Batch]) -> None:
        """Add each batch, unless it or a later one of its instance was added before."""

    async def read(self, environment: str, flag: str, size: Size, back_s: int) -> Buckets:
        """Return the buckets of the last `back_s` seconds, the running one included."""

    async def asked(self, environment: str) -> dict[str, int]:
        """Return when each flag was last asked for (seconds since 1970)."""

    async def unknown(self, environment: str) -> list[Unknown]:
        """Return the names that no flag has, the most recent first."""

    async def close(self) -> None:
        """Release connections and files."""
