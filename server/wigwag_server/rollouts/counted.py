"""What was counted of the runs of a flag, read from the usage store as evidence."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Protocol

from wigwag_server.rollouts.evidence import BUCKETS, Evidence, Side
from wigwag_server.usage.series import read_series
from wigwag_server.usage.usage_store import Buckets, Size

BACK_S = 59 * 86_400

Series = Mapping[str, Mapping[int, int]]


class Counts(Protocol):
    """Where evidence comes from. `read` raises StoreUnavailable."""

    async def read(self, environment: str, flag: str, size: Size, back_s: int) -> Buckets:
        """Return the buckets of the last `back_s` seconds."""


async def since_hour(counts: Counts, environment: str, flag: str, hour: int) -> tuple[Evidence, int, Evidence]:
    """Return what was counted since the hour that begins at that second; this hour, and what was counted in it.

    Hours go by the store's own clock. They are counted up as runs are reported, and kept for longer than any stage.
    """
    buckets = await counts.read(environment, flag, Size.HOUR, BACK_S)
    this_hour = buckets.now_s // Size.HOUR * Size.HOUR
    return evidence(buckets.series, hour), this_hour, evidence(buckets.series, this_hour)


def evidence(series: Series, from_s: int) -> Evidence:
    """Return the runs in the buckets from that second on."""
    counted: dict[bool, Counter[str]] = {True: Counter(), False: Counter()}
    for enabled, what, _, count in _outcomes(series, from_s):
        counted[enabled][what] += count
    return Evidence(_side(counted[True]), _side(counted[False]))


def by_variant(series: Series) -> dict[str, Side]:
    """Return the runs with the flag on of each variant, where that was known."""
    counted: dict[str, Counter[str]] = {}
    for enabled, what, variant, count in _outcomes(series, 0):
        if enabled and variant is not None:
            counted.setdefault(variant, Counter())[what] += count
    return {variant: _side(each) for variant, each in counted.items()}


def _outcomes(series: Series, from_s: int) -> Iterator[tuple[bool, str, str | None, int]]:
    for text, buckets in series.items():
        kind, enabled, *rest = read_series(text)
        if kind == "outcome":
            what, variant = rest if len(rest) > 1 else (rest[0], None)
            yield enabled, what, variant, sum(count for at, count in buckets.items() if at >= from_s)


def _side(counted: Counter[str]) -> Side:
    durations = tuple(counted[f"bucket{i}"] for i in range(BUCKETS))
    return Side(counted["calls"], counted["errors"], durations)
