"""Points in time as people type them."""

import re

SPAN = re.compile(r"(\d{1,6}) ?(s|m|h|d|w)", re.ASCII)
UNITS_MS = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}


def read_until(text: str, now_ms: int) -> int | str:
    """Read `30m` as from now on (Unix ms); a date-time is left to the server. Raises ValueError."""
    match = SPAN.fullmatch(text.strip())
    if match is not None:
        return now_ms + int(match[1]) * UNITS_MS[match[2]]
    if "T" not in text:
        raise ValueError(f"{text!r} is no time such as 30m, 2h or 2030-01-31T12:00:00Z")
    return text.strip()
