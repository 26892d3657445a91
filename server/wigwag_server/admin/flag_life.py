"""Where a flag stands in its life, by evidence, and what is to be done next. Pure.

A flag that stays for good is one more case that everybody must think of. So release flags and experiments are to go
away again. Three things speak against one: it has been fully on or off for two weeks, nobody has asked for it for two
weeks, and its expected life is over. One makes it potentially stale, two make it stale. Nothing is inferred from
missing data: a flag that usage knows nothing of may be asked for by clients that do not report.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import msgspec

from wigwag_server.admin.flag_state import FlagState, flag_state

DAY_MS = 86_400_000
NEW_DAYS = 7
SETTLED_DAYS = 14
MORTAL = ("release", "experiment")
SETTLED = frozenset({FlagState.ON, FlagState.OFF, FlagState.KILLED})


class Stage(StrEnum):
    """Where a flag stands in its life."""

    NEW = "new"
    ACTIVE = "active"
    POTENTIALLY_STALE = "potentially-stale"
    STALE = "stale"
    ARCHIVED = "archived"


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What is known around a flag. `uses` is in how many places code asks, None where no code was ever scanned.

    `settled_ms` is since when nothing was changed that decides, None where the audit log was not asked or does not say.
    """

    now_ms: int
    life_days: int
    killed: bool = False
    asked_ms: int | None = None
    settled_ms: int | None = None
    uses: int | None = None


class Life(msgspec.Struct, frozen=True, rename="camel"):
    """The stage, why it is that, and what to do; empty where there is nothing to do."""

    state: Stage
    reasons: tuple[str, ...] = ()
    next_step: str = ""


def flag_life(key: str, flag: Any, known: Known) -> Life:
    """Return where a plain flag stands.

    Two weeks of being on or off count from the last change of what decides it. Where that is not known, they count from
    the last change of any sort, so that this may come late, and never early.
    """
    plain: Mapping[str, Any] = flag if isinstance(flag, Mapping) else {}
    if isinstance(archived := plain.get("archived"), Mapping):
        return Life(Stage.ARCHIVED, (_archived(archived),), f"Bring it back, or delete it: wigwag restore {key}")
    age_ms = known.now_ms - _ms(plain.get("createdAt"), known.now_ms)
    fresh = Stage.NEW if age_ms < NEW_DAYS * DAY_MS else Stage.ACTIVE
    if plain.get("kind", "release") not in MORTAL:
        return Life(fresh)
    settled = _settled(plain, known)
    unasked = _unasked(plain, known)
    over = _over(plain, age_ms, known)
    reasons = tuple(reason for reason in (settled, unasked, over) if reason)
    if not reasons:
        return Life(fresh)
    stage = Stage.STALE if len(reasons) > 1 else Stage.POTENTIALLY_STALE
    return Life(stage, reasons, _next_step(key, plain, known, settled=bool(settled), unasked=bool(unasked)))


def is_settled(flag: Mapping[str, Any], *, killed: bool = False) -> bool:
    """Say whether a plain flag decides the same for everybody."""
    state = flag_state(flag, killed=killed)
    # Two variants with weight are a split that still runs, whatever the percentage.
    variants = flag.get("variants")
    arms = variants if isinstance(variants, (list, tuple)) else ()
    split = sum(1 for each in arms if isinstance(each, Mapping) and each.get("weight")) > 1
    return state in SETTLED and not (state is FlagState.ON and split)


def may_be_settled(flag: Any, now_ms: int, *, killed: bool = False) -> bool:
    """Say whether it hangs on the audit log since when a plain flag is on or off: it was changed of late."""
    if not isinstance(flag, Mapping) or flag.get("kind", "release") not in MORTAL or flag.get("archived") is not None:
        return False
    weeks_ms = SETTLED_DAYS * DAY_MS
    old = now_ms - _ms(flag.get("createdAt"), now_ms) >= weeks_ms
    return old and now_ms - _ms(flag.get("updatedAt"), now_ms) < weeks_ms and is_settled(flag, killed=killed)


def _settled(flag: Mapping[str, Any], known: Known) -> str:
    state = flag_state(flag, killed=known.killed)
    updated_ms = _ms(flag.get("updatedAt"), known.now_ms)
    since_ms = known.now_ms - (updated_ms if known.settled_ms is None else min(updated_ms, known.settled_ms))
    if since_ms < SETTLED_DAYS * DAY_MS or not is_settled(flag, killed=known.killed):
        return ""
    how = {FlagState.ON: "fully on", FlagState.OFF: "off", FlagState.KILLED: "killed"}[state]
    return f"{how} for {since_ms // DAY_MS} days"


def _unasked(flag: Mapping[str, Any], known: Known) -> str:
    if known.asked_ms is None:
        return ""
    since_ms = known.now_ms - max(known.asked_ms, _ms(flag.get("createdAt"), 0))
    return f"not asked for since {since_ms // DAY_MS} days" if since_ms >= SETTLED_DAYS * DAY_MS else ""


def _over(flag: Mapping[str, Any], age_ms: int, known: Known) -> str:
    own = flag.get("expectedLifeDays")
    days = own if isinstance(own, int) and not isinstance(own, bool) else known.life_days
    return f"{age_ms // DAY_MS} days old, expected {days}" if age_ms >= days * DAY_MS else ""


def _next_step(key: str, flag: Mapping[str, Any], known: Known, *, settled: bool, unasked: bool) -> str:
    if unasked or known.uses == 0:
        return f"Nothing seems to ask for it: wigwag archive {key}"
    places = f" ({known.uses} places: wigwag references {key})" if known.uses else ""
    if not settled:
        return f"Bring it to an end, or let it live longer: wigwag set {key} --expected-life DAYS"
    if flag_state(flag, killed=known.killed) is FlagState.ON:
        return f"Take it out of the code{places}, keeping what it turns on; then: wigwag archive {key}"
    return f"Take it out of the code{places}, with what it turns on; then: wigwag archive {key}"


def _archived(archived: Mapping[str, Any]) -> str:
    why = f": {archived['reason']}" if archived.get("reason") else ""
    return f"archived by {archived.get('by')}{why}"


def _ms(value: Any, default: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else default
