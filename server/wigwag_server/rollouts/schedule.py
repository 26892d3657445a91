"""Something that is to be done to a flag at a time, once. Pure."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from wigwag_proto.problems import shown
from wigwag_server.admin.times import LATEST_MS, point_ms

RECORD = "schedule"
UTC = "UTC"


class What(StrEnum):
    """What is done."""

    CHANGE = "change"
    KILL = "kill"
    REVIVE = "revive"


class Missed(StrEnum):
    """What becomes of one whose time passed while no server could act."""

    DO = "do"
    SKIP = "skip"


class Status(StrEnum):
    """What has become of one."""

    PENDING = "pending"
    DONE = "done"
    SKIPPED = "skipped"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Schedule(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """The state. Times are Unix times in ms; `local` is the time as it was given. `patch` is that of a change."""

    id: str
    flag: str
    what: What
    at: int
    time_zone: str = UTC
    local: str = ""
    patch: Mapping[str, Any] = {}
    missed: Missed = Missed.SKIP
    grace_ms: int = 60_000
    by: str = ""
    comment: str = ""
    created_at: int = 0
    status: Status = Status.PENDING
    ended_at: int | None = None
    detail: str = ""

    def is_missed(self, now: int) -> bool:
        """Whether it is too late to do what was to be done then."""
        return self.missed is Missed.SKIP and now > self.at + self.grace_ms


def read_time(value: Any, time_zone: Any) -> int | str:
    """Return the Unix time in ms that is meant, or what is wrong with it.

    A local time that the clocks jump over does not exist; one that they show twice is the first of the two.
    """
    if (at := point_ms(value)) is not None:
        return at
    try:
        zone = ZoneInfo(time_zone)
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError):
        return f"{shown(time_zone)} is no time zone, such as Europe/Berlin"
    try:
        naive = datetime.fromisoformat(value) if isinstance(value, str) and len(value) <= 32 else None
    except ValueError:
        naive = None
    if naive is None or naive.tzinfo is not None or "T" not in str(value):
        return "must be a time such as 2030-01-31T12:00 in timeZone, 2030-01-31T12:00:00Z, or Unix milliseconds"
    local = naive.replace(tzinfo=zone)
    try:
        at = round(local.timestamp() * 1000)
        back = datetime.fromtimestamp(at / 1000, zone).replace(tzinfo=None)
    except (OverflowError, OSError, ValueError):
        return "is too far away"
    if abs((back - naive).total_seconds()) > 1:
        return f"does not exist in {time_zone}: the clocks jump over it"
    return at if 0 <= at < LATEST_MS else "is too far away"


def read_schedule(plain: Any) -> Schedule | None:
    """Read a record; None where there is none that can be read."""
    try:
        return None if plain is None else msgspec.convert(plain, Schedule)
    except msgspec.ValidationError:
        return None
