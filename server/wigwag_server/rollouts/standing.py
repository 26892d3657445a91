"""A standing guard on a flag: it kills, or says that it would have, with no rollout under way. Pure.

Runs are judged in windows of fixed length, one after the other: `false_alarm` of the guard is the promise for each.
So a bug that appears after weeks has not to outweigh weeks of good runs.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from wigwag_proto.replica import REVIVAL
from wigwag_proto.snapshot import Tables
from wigwag_server.rollouts.evidence import Evidence, Guard, breach

RECORD = "guard"
MINUTE_S = 60
FRESH_MS = 5000  # what a server hears of within this, it has seen begin


class Standing(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """The guard, and when it last acted or, in a dry run, said that it would have (Unix ms, None: never)."""

    guard: Guard
    window_ms: int
    cool_down_ms: int
    dry_run: bool = False
    by: str = ""
    set_at: int = 0
    acted_at: int | None = None
    reason: str = ""


class Begun(msgspec.Struct, frozen=True):
    """What is not judged: what ran before the guard was set or the flag revived, at `at_ms`.

    Counts are kept by the minute. Those from `from_s` on are judged, but for what had been counted by then: `base`.
    """

    at_ms: int
    from_s: int
    base: Evidence = Evidence()


def begun_at_ms(standing: Standing, records: Tables, key: str) -> int:
    """Return when the guard was set, or the flag last revived."""
    revival = records.get(REVIVAL, {}).get(key)
    revived_at = revival.get("at") if isinstance(revival, Mapping) else None
    return max(standing.set_at, revived_at if isinstance(revived_at, int) else 0)


def begun(at_ms: int, now_ms: int, now_s: int, this_minute: Evidence) -> Begun:
    """Return what is not judged, as a server sees it at its first look. One that comes late leaves the minute out."""
    if 0 <= now_ms - at_ms < FRESH_MS:
        return Begun(at_ms, now_s // MINUTE_S * MINUTE_S, this_minute)
    return Begun(at_ms, -(-at_ms // (MINUTE_S * 1000)) * MINUTE_S)


def window_start_s(standing: Standing, now_s: int) -> int:
    """Return the second at which the window began that is judged now."""
    window_s = standing.window_ms // 1000
    return now_s // window_s * window_s


def verdict(standing: Standing, flag: Any, now: int, seen: Evidence) -> str | None:
    """Say why the flag is to be killed now; None for leaving it alone."""
    if not isinstance(flag, Mapping) or flag.get("kill") is not None or flag.get("enabled") is not True:
        return None
    if standing.acted_at is not None and now - standing.acted_at < standing.cool_down_ms:
        return None
    return breach(standing.guard, seen, standing.guard.false_alarm)


def read_standing(plain: Any) -> Standing | None:
    """Read a record; None where there is none that can be read."""
    try:
        return None if plain is None else msgspec.convert(plain, Standing)
    except msgspec.ValidationError:
        return None
