"""Points in time as people type them."""

import re
from datetime import datetime, timedelta

SPAN = re.compile(r"(\d{1,6}) ?(s|m|h|d|w)", re.ASCII)
CLOCK = re.compile(r"\d{1,2}:\d{2}(:\d{2})?", re.ASCII)
UNITS_MS = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}


def read_until(text: str, now_ms: int) -> int | str:
    """Read `30m` as from now on (Unix ms); a date-time is left to the server. Raises ValueError."""
    match = SPAN.fullmatch(text.strip())
    if match is not None:
        return now_ms + int(match[1]) * UNITS_MS[match[2]]
    if "T" not in text:
        raise ValueError(f"{text!r} is no time such as 30m, 2h or 2030-01-31T12:00:00Z")
    return text.strip()


def read_moment(text: str, now: datetime) -> int | str:
    """Read a revision, or a time that has been; what is neither is left to the server, which says so. `now` is aware.

    `14:03` is the last time that it was 14:03 here, `2h` is two hours ago; a date-time without an offset is of here.
    """
    said = text.strip()
    if said.isascii() and said.isdecimal():
        return int(said)
    if (span := SPAN.fullmatch(said)) is not None:
        return (now - timedelta(milliseconds=int(span[1]) * UNITS_MS[span[2]])).isoformat()
    try:
        if CLOCK.fullmatch(said) is not None:
            clock = datetime.strptime(said, "%H:%M:%S" if said.count(":") > 1 else "%H:%M")  # noqa: DTZ007 - of here
            at = now.replace(hour=clock.hour, minute=clock.minute, second=clock.second, microsecond=0)
            return (at if at <= now else at - timedelta(days=1)).isoformat()
        parsed = datetime.fromisoformat(said)
    except ValueError:
        return said
    return said if parsed.tzinfo is not None else parsed.replace(tzinfo=now.tzinfo).isoformat()


def here() -> datetime:
    """Return the time of now, in the time zone of this machine."""
    return datetime.now().astimezone()
