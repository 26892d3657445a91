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


def window_start_s(standing: Standing, records: Tables, key: str, now_s: int) -> int:
    """Return from which second on runs are judged: this window, but nothing before the guard or a revival."""
    window_s = standing.window_ms // 1000
    revival = records.get(REVIVAL, {}).get(key)
    revived_at = revival.get("at") if isinstance(revival, Mapping) else None
    begin_ms = max(standing.set_at, revived_at if isinstance(revived_at, int) else 0)
    # Counts are kept by the minute, so the one in which it was revived is left out.
    return max(now_s // window_s * window_s, -(-begin_ms // (MINUTE_S * 1000)) * MINUTE_S)


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
