"""A rollout as a state machine: `step` says what is to be done now, and does nothing. Pure.

The state is one record in the log of its environment, changed in the same commit as the percentage. A commit that
moves a rollout on checks that it still is where the mover saw it: so whichever of several servers comes first makes
the step, and no other can make it again. That is the fencing; there is no lock that could be held too long.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import msgspec

from wigwag_proto.bucketing import rollout_limit
from wigwag_server.rollouts.evidence import Evidence, Guard, breach, lacking

RECORD = "rollout"


class Status(StrEnum):
    """What has become of a rollout."""

    RUNNING = "running"
    PAUSED = "paused"
    ROLLED_BACK = "rolledBack"
    KILLED = "killed"  # by its guard
    ABORTED = "aborted"
    DONE = "done"


class OnBreach(StrEnum):
    """What a guard does."""

    PAUSE = "pause"
    ROLLBACK = "rollback"
    KILL = "kill"


class RollbackTo(StrEnum):
    """How far a rollback goes."""

    PREVIOUS = "previous"
    ZERO = "zero"


class Rollout(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """The state. Times are Unix times in ms.

    `stage` is the index of the stage in force, -1 before the first. `percentage` is what the flag is to have: where it
    has another, somebody has changed it by hand. `since_hour` and `base` are what had been counted when the stage
    began, so that only later runs are judged.
    """

    id: str
    stages: tuple[float, ...]
    interval_ms: int
    guard: Guard | None = None
    on_breach: OnBreach = OnBreach.ROLLBACK
    rollback_to: RollbackTo = RollbackTo.ZERO
    by: str = ""
    started_at: int = 0
    status: Status = Status.RUNNING
    stage: int = -1
    percentage: float = 0
    stage_at: int = 0
    reason: str = ""
    since_hour: int = 0
    base: Evidence = Evidence()

    @property
    def alpha(self) -> float:
        """The false alarms that one stage may have: all stages together have what was promised."""
        return self.guard.false_alarm / len(self.stages) if self.guard else 0.0


class Step(msgspec.Struct, frozen=True):
    """What is to be done: the next state and, where they change, the percentage and the kill.

    `action` is the audit log's name for it.
    """

    action: str
    rollout: Rollout
    percentage: float | None = None
    kill: str = ""


class Seen(msgspec.Struct, frozen=True):
    """What a server knows of a rollout. `elapsed_ms` is for how long its stage has been in force: see `found_elapsed`.

    `total` is what was counted since `Rollout.since_hour`, and `this_hour` since the hour that begins at `hour`; None
    where the counts cannot be read.
    """

    elapsed_ms: float = 0
    total: Evidence | None = None
    hour: int = 0
    this_hour: Evidence | None = None


def step(rollout: Rollout, flag: Any, now: int, seen: Seen) -> Step | None:
    """Return what is to be done now; None for nothing."""
    if flag is None or rollout.status is not Status.RUNNING:
        return None
    stopped = interference(rollout, flag)
    if stopped is not None:
        return Step("rollout.pause", paused(rollout, stopped))
    if rollout.stage < 0:
        return _enter(rollout, 0, now, seen)
    if not rollout.stage_at:
        return None if _blind(rollout, seen) else Step("rollout.begin", begun(rollout, now, seen))
    if rollout.guard is not None and seen.total is not None:
        wrong = breach(rollout.guard, seen.total.since(rollout.base), rollout.alpha)
        if wrong is not None:
            return _break_off(rollout, wrong)
    if seen.elapsed_ms < rollout.interval_ms or holds(rollout, seen) is not None:
        return None
    if rollout.stage + 1 == len(rollout.stages):
        return Step("rollout.done", msgspec.structs.replace(rollout, status=Status.DONE, reason=""))
    return _enter(rollout, rollout.stage + 1, now, seen)


def found_elapsed(rollout: Rollout, now: int) -> int:
    """Return for how long a stage that a server finds at its start has been in force, by the wall clock.

    A server that has heard a stage begin counts from then, on a clock that nobody can set. One that has not must
    believe the wall clocks, and does so for this stage only: a wrong one can end it early, or have it begin anew, and
    the stages after it have their full time again.
    """
    return min(max(0, now - rollout.stage_at), rollout.interval_ms)


def holds(rollout: Rollout, seen: Seen) -> str | None:
    """Say what a stage waits for beyond its time; None where that is nothing."""
    if rollout.guard is None or rollout.stage + 1 == len(rollout.stages):
        return None
    if seen.total is None:
        return "the counts of runs cannot be read"
    there = seen.total.since(rollout.base)
    return lacking(rollout.guard, there, off_expected=0 <= rollout.percentage < 100)


def interference(rollout: Rollout, flag: Any) -> str | None:
    """Say what somebody did to the flag that a rollout must not go on after."""
    if not isinstance(flag, Mapping):
        return "the flag cannot be read"
    kill = flag.get("kill")
    if kill is not None:
        by = kill.get("by", "somebody") if isinstance(kill, Mapping) else "somebody"
        return f"the flag was killed by {by}"
    if flag.get("enabled") is not True:
        return "the flag was turned off"
    percentage = flag.get("rolloutPercentage", 100)
    if rollout_limit(percentage) != rollout_limit(rollout.percentage):
        return f"the percentage was changed by hand from {rollout.percentage:g} to {percentage:g}"
    return None


def paused(rollout: Rollout, reason: str) -> Rollout:
    """Return it paused."""
    return msgspec.structs.replace(rollout, status=Status.PAUSED, reason=reason)


def resumed(rollout: Rollout, percentage: float) -> Rollout:
    """Return it running on from the percentage that the flag has by now, which is left as it is.

    The stage that it is in, the last that the percentage has reached, begins anew. Where it is in none, the first
    follows at once.
    """
    stage = max((i for i, each in enumerate(rollout.stages) if each <= percentage), default=-1)
    return msgspec.structs.replace(
        rollout, status=Status.RUNNING, stage=stage, percentage=percentage, stage_at=0, since_hour=0, reason=""
    )


def begun(rollout: Rollout, now: int, seen: Seen) -> Rollout:
    """Return it with the stage that it is in counted from now on."""
    base = seen.this_hour or Evidence()
    return msgspec.structs.replace(rollout, stage_at=now, since_hour=seen.hour, base=base)


def _enter(rollout: Rollout, stage: int, now: int, seen: Seen) -> Step | None:
    if _blind(rollout, seen):
        return None
    percentage = rollout.stages[stage]
    moved = msgspec.structs.replace(rollout, stage=stage, percentage=percentage, reason="")
    return Step("rollout.advance", begun(moved, now, seen), percentage)


def _blind(rollout: Rollout, seen: Seen) -> bool:
    """Say that a stage cannot begin: what is counted from now on could not be told from what was before."""
    return rollout.guard is not None and seen.this_hour is None


def _break_off(rollout: Rollout, wrong: str) -> Step:
    match rollout.on_breach:
        case OnBreach.PAUSE:
            return Step("rollout.breach", paused(rollout, wrong))
        case OnBreach.KILL:
            killed = msgspec.structs.replace(rollout, status=Status.KILLED, reason=wrong)
            return Step("rollout.kill", killed, kill=wrong)
    back = rollout.rollback_to is RollbackTo.PREVIOUS and rollout.stage > 0
    percentage = rollout.stages[rollout.stage - 1] if back else 0.0
    rolled_back = msgspec.structs.replace(
        rollout,
        status=Status.ROLLED_BACK,
        stage=rollout.stage - 1 if back else -1,
        percentage=percentage,
        reason=wrong,
    )
    return Step("rollout.rollback", rolled_back, percentage)


def read_rollout(plain: Any) -> Rollout | None:
    """Read a record; None where there is none that can be read."""
    try:
        return None if plain is None else msgspec.convert(plain, Rollout)
    except msgspec.ValidationError:
        return None
