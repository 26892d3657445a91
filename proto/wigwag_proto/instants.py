"""Points in time, as rules compare them: RFC 3339 date-times, and Python's aware datetimes.

A text is accepted when it is `YYYY-MM-DDThh:mm:ss`, optionally `.` and digits, then `Z` or `±hh:mm`. `t`, `z` and a
space for the `T` are accepted, as RFC 3339 (section 5.6) permits. The year is 0001–9999, the second 00–59 (no leap
seconds), the offset at most 23:59. Digits beyond nanoseconds are ignored.
A date alone, a time without an offset, a naive datetime and a number name no instant: what zone or unit would it be?
"""

import re
from datetime import datetime, timedelta
from typing import Any

DATE_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:[Zz]|([+-])([01]\d|2[0-3]):([0-5]\d))",
    re.ASCII,
)
EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  # UTC by definition; naive, so that offsets near year 9999 do not overflow
MICROSECOND = timedelta(microseconds=1)
LONGEST = 128


def parse_date_time(text: str) -> int | None:
    """Return the instant in ns since 1970-01-01T00:00:00Z, or None where the text is not one."""
    match = DATE_TIME.fullmatch(text) if len(text) <= LONGEST else None
    if match is None:
        return None
    *fields, fraction, sign, hours, minutes = match.groups()
    try:
        local = datetime(*map(int, fields))  # type: ignore[arg-type]  # noqa: DTZ001  # six ints; see EPOCH
    except ValueError:
        return None
    offset_s = (int(hours) * 60 + int(minutes)) * (-60 if sign == "-" else 60) if sign else 0
    seconds = (local - EPOCH) // timedelta(seconds=1) - offset_s
    return seconds * 1_000_000_000 + int((fraction or "")[:9].ljust(9, "0"))


def instant(value: Any) -> int | None:
    """Return the instant that an attribute's value names, in ns since 1970-01-01T00:00:00Z, or None."""
    if isinstance(value, str):
        return parse_date_time(value)
    if isinstance(value, datetime):
        offset = value.utcoffset()
        if offset is not None:
            return ((value.replace(tzinfo=None) - EPOCH - offset) // MICROSECOND) * 1000
    return None
