"""Points and spans of time in bodies."""

import re
from typing import Any

from wigwag_proto.instants import instant

LATEST_MS = 253_402_300_800_000  # the end of the year 9999
SPAN = re.compile(r"(\d{1,9}) ?(s|m|h|d|w)", re.ASCII)
UNITS_MS = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
POINT = "a time to come: 2030-01-31T12:00:00Z, or Unix milliseconds"
LENGTH = "a span of time, such as 30m, 24h or 90d"


def point_ms(value: Any) -> int | None:
    """Read an RFC 3339 date-time, or Unix milliseconds; None where it is neither."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value if 0 <= value < LATEST_MS else None
    found = instant(value)
    return None if found is None else found // 1_000_000


def span_ms(value: Any) -> int | None:
    """Read a span such as `24h`; None where it is none."""
    match = SPAN.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    span = int(match[1]) * UNITS_MS[match[2]]
    return span if span < LATEST_MS else None
