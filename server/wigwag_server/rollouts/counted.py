"""What was counted of the runs of a flag, read from the usage store as evidence."""

from collections.abc import Mapping
from typing import Protocol

from wigwag_server.rollouts.evidence import BUCKETS, Evidence, Side
from wigwag_server.usage.series import read_series
from wigwag_server.usage.usage_store import Buckets, Size

BACK_S = 59 * 86_400


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


def evidence(series: Mapping[str, Mapping[int, int]], from_s: int) -> Evidence:
    """Return the runs in the buckets from that second on."""
    counted: dict[tuple[bool, str], int] = {}
    for text, buckets in series.items():
        kind, enabled, *rest = read_series(text)
        if kind == "outcome":
            counted[enabled, rest[0]] = sum(count for at, count in buckets.items() if at >= from_s)
    return Evidence(_side(counted, enabled=True), _side(counted, enabled=False))


def _side(counted: Mapping[tuple[bool, str], int], *, enabled: bool) -> Side:
    def of(what: str) -> int:
        return counted.get((enabled, what), 0)

    return Side(of("calls"), of("errors"), tuple(of(f"bucket{i}") for i in range(BUCKETS)))
