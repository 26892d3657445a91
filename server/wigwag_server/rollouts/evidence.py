"""How the code behind a flag fared on both sides, and what that says against a guard. Pure."""

from math import log

import msgspec

from wigwag_proto.runs import BOUNDS_S
from wigwag_server.rollouts.sequential import evidence_above, evidence_below, evidence_of_increase

BUCKETS = len(BOUNDS_S) + 1
SLOW = 0.05  # the share of runs above the 95th percentile


class Side(msgspec.Struct, frozen=True):
    """The runs of one side of a flag: how many, how many of them failed, and how long they took, by bucket."""

    runs: int = 0
    errors: int = 0
    durations: tuple[int, ...] = (0,) * BUCKETS

    def since(self, base: "Side") -> "Side":
        """Return what was added since; a store that lost counts adds nothing."""
        durations = tuple(max(0, now - then) for now, then in zip(self.durations, base.durations, strict=True))
        runs = max(0, self.runs - base.runs)
        return Side(runs, min(runs, max(0, self.errors - base.errors)), durations)

    def plus(self, other: "Side") -> "Side":
        """Return both together."""
        durations = tuple(one + two for one, two in zip(self.durations, other.durations, strict=True))
        return Side(self.runs + other.runs, self.errors + other.errors, durations)

    @property
    def error_rate(self) -> float | None:
        """The share that failed; of nothing there is no share."""
        return self.errors / self.runs if self.runs else None

    @property
    def p95_s(self) -> float | None:
        """The 95th percentile of the duration, as good as the buckets are; None without any."""
        total = sum(self.durations)
        below = 0
        for bucket, count in enumerate(self.durations):
            if count and below + count >= (1 - SLOW) * total:
                low = BOUNDS_S[bucket - 1] if bucket else 0.0
                high = BOUNDS_S[min(bucket, len(BOUNDS_S) - 1)]
                return low + (high - low) * ((1 - SLOW) * total - below) / count
            below += count
        return None

    def slower_than(self, bucket: int) -> int:
        """Return how many took longer than the bound of a bucket."""
        return sum(self.durations[bucket + 1 :])


class Evidence(msgspec.Struct, frozen=True):
    """Both sides of a flag, over the same time."""

    on: Side = Side()
    off: Side = Side()

    def since(self, base: "Evidence") -> "Evidence":
        """Return what was added since."""
        return Evidence(self.on.since(base.on), self.off.since(base.off))


class Guard(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """What the runs on the "on" side must keep to. None: not looked at. Rates are shares, so 0.01 is 1 %.

    `max_error_increase` is how much more may fail than on the "off" side, `max_p95_increase` by which part the 95th
    percentile of the duration may be longer (0.5: half as long again). `false_alarm` is the probability, at most, with
    which code that keeps to all of this is taken for code that does not, over a whole rollout. Below `min_samples` runs
    on a side nothing is decided, and a rollout does not move on.
    """

    max_error_rate: float | None = None
    max_error_increase: float | None = None
    max_p95_increase: float | None = None
    min_samples: int = 100
    false_alarm: float = 0.01

    @property
    def checks(self) -> int:
        """How many things are looked at: they share the false alarms among them."""
        return sum(each is not None for each in (self.max_error_rate, self.max_error_increase, self.max_p95_increase))

    @property
    def compares(self) -> bool:
        """Whether there must be runs with the flag off."""
        return self.max_error_increase is not None or self.max_p95_increase is not None


def lacking(guard: Guard, seen: Evidence, *, off_expected: bool) -> str | None:
    """Say what there is too little of to decide on; None where there is enough."""
    for name, side, needed in (("on", seen.on, True), ("off", seen.off, guard.compares and off_expected)):
        if needed and side.runs < guard.min_samples:
            return f"{side.runs:,} of {guard.min_samples:,} runs with the flag {name}"
    return None


def breach(guard: Guard, seen: Evidence, alpha: float) -> str | None:
    """Say in what way the code with the flag on is worse than the guard allows; None where that is not proven.

    It may be asked at any time and as often as one likes; `alpha` is for all of that together.
    """
    on, off = seen.on, seen.off
    if on.runs < guard.min_samples or not guard.checks:
        return None
    enough = log(guard.checks / alpha)
    limit = guard.max_error_rate
    if limit is not None and evidence_above(limit, on.errors, on.runs) >= enough:
        return f"{_share(on)} failed with the flag on, where {limit * 100:.3g}% may"
    if off.runs < guard.min_samples:
        return None
    allowed = guard.max_error_increase
    if allowed is not None and evidence_of_increase(allowed, on.errors, on.runs, off.errors, off.runs) >= enough:
        more = f", and {allowed * 100:.3g}% more may" if allowed else ""
        return f"{_share(on)} failed with the flag on, {_share(off)} with it off{more}"
    return _slower(guard, on, off, enough)


def _slower(guard: Guard, on: Side, off: Side, enough: float) -> str | None:
    """Compare the 95th percentiles as far as the buckets can tell them apart.

    That of "on" is proven to be above the bound of one bucket, that of "off" below that of another. Each bound of each
    side is a test of its own, and they share the false alarms.
    """
    if guard.max_p95_increase is None:
        return None
    each_enough = enough + log(2 * len(BOUNDS_S))
    runs_on, runs_off = sum(on.durations), sum(off.durations)
    buckets = range(len(BOUNDS_S))
    above = [i for i in buckets if evidence_above(SLOW, on.slower_than(i), runs_on) >= each_enough]
    below = [i for i in buckets if evidence_below(SLOW, off.slower_than(i), runs_off) >= each_enough]
    if not above or not below or BOUNDS_S[above[-1]] < BOUNDS_S[below[0]] * (1 + guard.max_p95_increase):
        return None
    return (
        f"the 95th percentile of the duration is above {_time(BOUNDS_S[above[-1]])} with the flag on, "
        f"and at most {_time(BOUNDS_S[below[0]])} with it off"
    )


def _share(side: Side) -> str:
    return f"{side.errors:,} of {side.runs:,} runs ({side.error_rate or 0:.2%})"


def _time(seconds: float) -> str:
    return f"{seconds:g} s" if seconds >= 1 else f"{seconds * 1000:g} ms"
