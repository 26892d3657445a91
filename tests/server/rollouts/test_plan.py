"""The state machine of a rollout: what is due, and what must never be."""

from typing import Any

import msgspec
import pytest

from wigwag_server.rollouts.evidence import Evidence, Guard, Side
from wigwag_server.rollouts.plan import (
    OnBreach,
    RollbackTo,
    Rollout,
    Seen,
    Status,
    found_elapsed,
    holds,
    resumed,
    step,
)

HOUR_MS = 3_600_000
GUARD = Guard(max_error_increase=0.0, min_samples=100)
GOOD = Evidence(Side(1000, 10), Side(9000, 90))
BAD = Evidence(Side(1000, 50), Side(9000, 90))


def rollout(**fields: Any) -> Rollout:
    base = Rollout(id="r", stages=(1, 10, 100), interval_ms=HOUR_MS)
    return msgspec.structs.replace(base, **fields)


def at(stage: int, **fields: Any) -> Rollout:
    """Return one in a stage that has begun."""
    return rollout(stage=stage, percentage=(1, 10, 100)[stage], stage_at=1000, **fields)


def flag(percentage: float, **fields: Any) -> dict[str, Any]:
    return {"key": "checkout", "enabled": True, "kill": None, "rolloutPercentage": percentage, **fields}


def test_the_first_stage_is_due_at_once_and_the_next_after_the_interval() -> None:
    begun = step(rollout(), flag(0), 5000, Seen())
    assert begun is not None
    assert (begun.action, begun.percentage) == ("rollout.advance", 1)
    assert (begun.rollout.stage, begun.rollout.stage_at) == (0, 5000)
    assert step(begun.rollout, flag(1), 6000, Seen(HOUR_MS - 1)) is None
    moved = step(begun.rollout, flag(1), 6000, Seen(HOUR_MS))
    assert moved is not None
    assert (moved.percentage, moved.rollout.stage) == (10, 1)


def test_however_late_it_is_no_stage_is_skipped() -> None:
    moved = step(at(0), flag(1), 10**15, Seen(1000 * HOUR_MS))
    assert moved is not None
    assert moved.rollout.stage == 1


def test_the_last_stage_is_watched_for_its_time_and_then_it_is_done() -> None:
    assert step(at(2), flag(100), 0, Seen(HOUR_MS - 1)) is None
    done = step(at(2), flag(100), 0, Seen(HOUR_MS))
    assert done is not None
    assert (done.action, done.percentage, done.rollout.status) == ("rollout.done", None, Status.DONE)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"rolloutPercentage": 30}, "the percentage was changed by hand from 1 to 30"),
        ({"kill": {"by": "ann", "reason": "", "at": 0}}, "the flag was killed by ann"),
        ({"enabled": False}, "the flag was turned off"),
    ],
)
def test_what_a_person_does_to_the_flag_pauses_it_and_is_said(changed: dict[str, Any], why: str) -> None:
    paused = step(at(0), {**flag(1), **changed}, 0, Seen(HOUR_MS))
    assert paused is not None
    assert (paused.rollout.status, paused.rollout.reason, paused.percentage) == (Status.PAUSED, why, None)
    assert step(paused.rollout, {**flag(1), **changed}, 0, Seen(HOUR_MS)) is None


def test_other_edits_do_not_concern_it() -> None:
    assert step(at(0), flag(1, whitelist=["ann"], description="new"), 0, Seen(0)) is None


@pytest.mark.parametrize(
    ("on_breach", "rollback_to", "action", "percentage", "status"),
    [
        (OnBreach.PAUSE, RollbackTo.ZERO, "rollout.breach", None, Status.PAUSED),
        (OnBreach.ROLLBACK, RollbackTo.ZERO, "rollout.rollback", 0, Status.ROLLED_BACK),
        (OnBreach.ROLLBACK, RollbackTo.PREVIOUS, "rollout.rollback", 1, Status.ROLLED_BACK),
        (OnBreach.KILL, RollbackTo.ZERO, "rollout.kill", None, Status.KILLED),
    ],
)
def test_a_breach_does_what_the_guard_says(
    on_breach: OnBreach, rollback_to: RollbackTo, action: str, percentage: float | None, status: Status
) -> None:
    guarded = at(1, guard=GUARD, on_breach=on_breach, rollback_to=rollback_to)
    found = step(guarded, flag(10), 0, Seen(0, BAD, 0, BAD))
    assert found is not None
    assert (found.action, found.percentage, found.rollout.status) == (action, percentage, status)
    assert found.rollout.reason.startswith("50 of 1,000 runs (5.00%) failed with the flag on")
    assert bool(found.kill) is (on_breach is OnBreach.KILL)


def test_runs_from_before_the_stage_are_not_held_against_it() -> None:
    assert step(at(1, guard=GUARD, base=BAD), flag(10), 0, Seen(0, BAD, 0, BAD)) is None


def test_too_few_runs_hold_it_and_so_do_counts_that_cannot_be_read() -> None:
    guarded = at(0, guard=GUARD)
    few = Evidence(Side(5), Side(500))
    assert step(guarded, flag(1), 0, Seen(HOUR_MS, few, 0, few)) is None
    assert holds(guarded, Seen(HOUR_MS, few)) == "5 of 100 runs with the flag on"
    assert step(guarded, flag(1), 0, Seen(HOUR_MS)) is None
    assert holds(guarded, Seen(HOUR_MS)) == "the counts of runs cannot be read"
    moved = step(guarded, flag(1), 0, Seen(HOUR_MS, GOOD, 7200, GOOD))
    assert moved is not None
    assert (moved.rollout.since_hour, moved.rollout.base) == (7200, GOOD)


def test_it_is_resumed_where_the_percentage_is_by_now_and_the_stage_begins_anew() -> None:
    going = resumed(at(0, status=Status.PAUSED, reason="by hand"), 30)
    assert (going.status, going.stage, going.percentage, going.stage_at) == (Status.RUNNING, 1, 30, 0)
    begun = step(going, flag(30), 9000, Seen(HOUR_MS))
    assert begun is not None
    assert (begun.action, begun.percentage, begun.rollout.stage_at) == ("rollout.begin", None, 9000)
    assert resumed(at(0), 0).stage == -1


def test_a_clock_that_was_set_ends_one_stage_early_at_most_and_none_too_late() -> None:
    ahead = at(0)
    assert found_elapsed(ahead, 1000 + 99 * HOUR_MS) == HOUR_MS
    assert found_elapsed(ahead, -5 * HOUR_MS) == 0
    assert found_elapsed(ahead, 1000 + HOUR_MS // 2) == HOUR_MS // 2


def test_what_is_over_stays_over() -> None:
    for status in (Status.PAUSED, Status.ROLLED_BACK, Status.KILLED, Status.ABORTED, Status.DONE):
        assert step(at(0, status=status), flag(1), 0, Seen(HOUR_MS)) is None
    assert step(at(0), None, 0, Seen(HOUR_MS)) is None
