"""How the code behind flags fared: a row per flag, side and variant, added to by who ran it, drained by who reports.

A run is one passage through code that a flag chose: a request in which it decided, a block under `guard`, or what
`track` tells. The two sides of a flag, on and off, are what a guardrail compares.

As in `wigwag_proto.usage`, adding takes no lock: two threads that add to one row at the same moment can lose one.
"""

from bisect import bisect_left
from collections.abc import Iterable
from enum import IntEnum
from itertools import islice
from math import inf

import msgspec

# Upper bounds of the histogram, in seconds, each included; one more bucket holds what took longer. They are part of
# the protocol: rows of different clients are added up bucket by bucket.
BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
MOST_ROWS = 20_000  # of one drain: both sides of as many flags as an environment may have
Side = tuple[str, bool, str | None]  # a flag, whether it was on, and its variant where that is known
LONGEST_NAME = 128
OTHERS = "<others>"


class Ending(IntEnum):
    """How a run ended. Cancelled is neither of the others: mostly the caller had no patience left."""

    SUCCESS = 0
    ERROR = 1
    CANCELLED = 2


class RunCount(msgspec.Struct, frozen=True, rename="camel"):
    """The runs of one side of a flag, on one variant where that is known, since the last drain.

    `durations` counts those of a known duration, by bucket of `BOUNDS_S` and one beyond; `seconds` is their sum.
    """

    flag: str
    enabled: bool
    successes: int
    errors: int
    cancelled: int
    seconds: float
    durations: tuple[int, ...]
    variant: str | None = None


class _Row:
    """The runs of one side of one flag, being counted."""

    __slots__ = ("durations", "endings", "seconds")

    def __init__(self) -> None:
        self.endings = [0, 0, 0]  # by Ending
        self.seconds = 0.0
        self.durations = [0] * (len(BOUNDS_S) + 1)

    def count(self, side: Side) -> RunCount:
        """Return what was counted."""
        return RunCount(
            side[0],
            side[1],
            self.endings[Ending.SUCCESS],
            self.endings[Ending.ERROR],
            self.endings[Ending.CANCELLED],
            self.seconds,
            tuple(self.durations),
            side[2],
        )


class Runs:
    """The runs of all flags since they were last drained. Bounded, whatever names code comes up with."""

    def __init__(self) -> None:
        self._rows: dict[Side, _Row] = {}

    def add(
        self, key: object, ending: Ending, duration_s: float | None, *, enabled: bool, variant: str | None = None
    ) -> None:
        """Count a run; `duration_s` None counts no duration. Never raises: code is not stopped by being watched."""
        name = key if isinstance(key, str) else f"<{type(key).__name__}>"
        self.add_all([(name, enabled, variant)], ending, duration_s)

    def add_all(self, sides: Iterable[Side], ending: Ending, duration_s: float | None) -> None:
        """Count one run for each of these flags and sides; a middleware does so at the end of every request."""
        known = isinstance(duration_s, (int, float)) and 0 <= duration_s < inf
        seconds = duration_s if known and duration_s is not None else 0.0
        bucket = bisect_left(BOUNDS_S, seconds)
        for side in sides:
            row = self._rows.get(side) or self._new_row(side)
            row.endings[ending] += 1
            if known:
                row.seconds += seconds
                row.durations[bucket] += 1

    def drain(self, most: int | None = None) -> list[RunCount]:
        """Return what was counted since the last call, at most so many rows, and forget it. The rest waits."""
        keys = list(islice(self._rows, most))
        return [self._rows.pop(key).count(key) for key in keys]

    def _new_row(self, side: Side) -> _Row:
        name, enabled, variant = side
        side = name[:LONGEST_NAME], enabled, variant if variant is None else variant[:LONGEST_NAME]
        if side not in self._rows and len(self._rows) >= MOST_ROWS:
            side = OTHERS, enabled, None
        return self._rows.setdefault(side, _Row())
