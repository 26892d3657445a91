"""Where a flag stands in its life, by evidence."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wigwag_server.admin.flag_life import DAY_MS, Known, Stage, flag_life

NOW = 1_800_000_000_000
ON = {"enabled": True, "rolloutPercentage": 100}
HALF = {"enabled": True, "rolloutPercentage": 50}
SPLIT = {**ON, "variants": [{"name": "a", "weight": 1}, {"name": "b", "weight": 1}]}


def stage(flag: dict[str, Any], age: float, unchanged: float = 0, *, asked: float | None = None, **known: Any) -> Stage:
    """Return the stage of a flag of these days of age, unchanged and last asked for so many days ago."""
    times = {"createdAt": round(NOW - age * DAY_MS), "updatedAt": round(NOW - unchanged * DAY_MS)}
    asked_ms = None if asked is None else round(NOW - asked * DAY_MS)
    return flag_life("f", {**flag, **times}, Known(now_ms=NOW, life_days=40, asked_ms=asked_ms, **known)).state


@pytest.mark.parametrize(
    ("flag", "days", "wanted"),
    [
        (HALF, {"age": 6.9}, Stage.NEW),
        (HALF, {"age": 7}, Stage.ACTIVE),
        (HALF, {"age": 39.9, "unchanged": 39}, Stage.ACTIVE),
        (HALF, {"age": 40}, Stage.POTENTIALLY_STALE),
        (HALF, {"age": 40, "asked": 14}, Stage.STALE),
        (HALF, {"age": 40, "asked": 13.9}, Stage.POTENTIALLY_STALE),
        (ON, {"age": 20, "unchanged": 13.9}, Stage.ACTIVE),
        (ON, {"age": 20, "unchanged": 14}, Stage.POTENTIALLY_STALE),
        (ON, {"age": 40, "unchanged": 14}, Stage.STALE),
        (ON, {"age": 20, "unchanged": 14, "asked": 14}, Stage.STALE),
        (SPLIT, {"age": 20, "unchanged": 14}, Stage.ACTIVE),
        ({}, {"age": 20, "unchanged": 14}, Stage.POTENTIALLY_STALE),
        (HALF, {"age": 20, "unchanged": 14, "killed": True}, Stage.POTENTIALLY_STALE),
        ({**HALF, "expectedLifeDays": 90}, {"age": 89}, Stage.ACTIVE),
        ({**HALF, "expectedLifeDays": 10}, {"age": 10}, Stage.POTENTIALLY_STALE),
        ({**HALF, "kind": "experiment"}, {"age": 40}, Stage.POTENTIALLY_STALE),
        ({**ON, "kind": "ops"}, {"age": 900, "unchanged": 900, "asked": 900}, Stage.ACTIVE),
        ({**ON, "kind": "permission"}, {"age": 900, "unchanged": 900, "asked": 900}, Stage.ACTIVE),
        ({**ON, "archived": {"by": "ann", "at": 1}}, {"age": 1}, Stage.ARCHIVED),
    ],
)
def test_evidence_decides(flag: dict[str, Any], days: dict[str, Any], wanted: Stage) -> None:
    assert stage(flag, **days) is wanted


def test_each_reason_is_told_with_what_to_do() -> None:
    flag = {**ON, "createdAt": NOW - 50 * DAY_MS, "updatedAt": NOW - 20 * DAY_MS}
    life = flag_life("f", flag, Known(now_ms=NOW, life_days=40, uses=3))
    assert life.reasons == ("fully on for 20 days", "50 days old, expected 40")
    assert "3 places" in life.next_step
    assert "keeping what it turns on" in life.next_step
    unused = flag_life("f", flag, Known(now_ms=NOW, life_days=40, uses=0))
    assert unused.next_step.endswith("wigwag archive f")
    growing = flag_life("f", {**HALF, "createdAt": NOW - 50 * DAY_MS}, Known(now_ms=NOW, life_days=40))
    assert "--expected-life" in growing.next_step


json = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda each: st.lists(each, max_size=2))
damaged = st.dictionaries(
    st.sampled_from(["enabled", "kind", "variants", "createdAt", "updatedAt", "expectedLifeDays", "archived", "kill"]),
    json,
)


@given(damaged | json, st.none() | st.integers(0, NOW))
def test_whatever_is_in_the_store_has_a_stage(flag: Any, asked: int | None) -> None:
    assert flag_life("f", flag, Known(now_ms=NOW, life_days=40, asked_ms=asked)).state in Stage


@given(st.sampled_from([ON, HALF, SPLIT, {}]), st.floats(7, 400), st.floats(0, 400), st.none() | st.floats(0, 400))
def test_time_alone_never_makes_a_flag_younger(
    flag: dict[str, Any], age: float, unchanged: float, asked: float | None
) -> None:
    order = [Stage.ACTIVE, Stage.POTENTIALLY_STALE, Stage.STALE]
    later = None if asked is None else asked + 10
    now, then = stage(flag, age, unchanged, asked=asked), stage(flag, age + 10, unchanged + 10, asked=later)
    assert order.index(now) <= order.index(then)
