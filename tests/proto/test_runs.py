"""Counting how the code behind flags fared."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wigwag_proto.runs import BOUNDS_S, LONGEST_NAME, MOST_ROWS, OTHERS, Ending, RunCount, Runs

added = st.tuples(
    st.sampled_from(["a", "b", "<odd>"]), st.sampled_from(Ending), st.none() | st.floats(0, 100), st.booleans()
)


@given(st.lists(added), st.integers(1, 5))
def test_nothing_is_lost_and_nothing_counted_twice_however_it_is_drained(
    runs_added: list[tuple[str, Ending, float | None, bool]], most: int
) -> None:
    runs = Runs()
    drained: list[RunCount] = []
    for key, ending, duration_s, enabled in runs_added:
        runs.add(key, ending, duration_s, enabled=enabled)
        drained += runs.drain(most) if len(drained) % 2 else []
    drained += runs.drain()
    for ending, field in (
        (Ending.SUCCESS, "successes"),
        (Ending.ERROR, "errors"),
        (Ending.CANCELLED, "cancelled"),
    ):
        assert sum(getattr(row, field) for row in drained) == sum(each[1] is ending for each in runs_added)
    known = [duration for _, _, duration, _ in runs_added if duration is not None]
    assert sum(sum(row.durations) for row in drained) == len(known)
    assert math.isclose(sum(row.seconds for row in drained), sum(known), abs_tol=1e-9)
    assert runs.drain() == []


def test_a_bucket_holds_what_does_not_exceed_its_bound() -> None:
    runs = Runs()
    for duration_s in (0.0, 0.001, 0.0011, 30.0, 31.0):
        runs.add("f", Ending.SUCCESS, duration_s, enabled=True)
    (row,) = runs.drain()
    assert row.durations[0] == 2
    assert row.durations[1] == 1
    assert row.durations[-2:] == (1, 1)
    assert len(row.durations) == len(BOUNDS_S) + 1


def test_the_two_sides_of_a_flag_are_told_apart() -> None:
    runs = Runs()
    runs.add("f", Ending.ERROR, None, enabled=True)
    runs.add("f", Ending.SUCCESS, None, enabled=False)
    assert {(row.enabled, row.successes, row.errors) for row in runs.drain()} == {(True, 0, 1), (False, 1, 0)}


@pytest.mark.parametrize("duration", [math.nan, math.inf, -1.0, "1", None, object()])
def test_a_duration_that_is_none_counts_the_run_alone(duration: object) -> None:
    runs = Runs()
    runs.add("f", Ending.SUCCESS, duration, enabled=True)  # type: ignore[arg-type]
    (row,) = runs.drain()
    assert (row.successes, row.seconds, sum(row.durations)) == (1, 0.0, 0)


def test_rows_are_bounded_whatever_names_come() -> None:
    runs = Runs()
    runs.add("x" * 1000, Ending.SUCCESS, None, enabled=True)
    runs.add(["no", "name"], Ending.SUCCESS, None, enabled=True)
    for n in range(MOST_ROWS + 50):
        runs.add(f"f{n}", Ending.SUCCESS, None, enabled=True)
    rows = {row.flag: row for row in runs.drain()}
    assert len(rows) == MOST_ROWS + 1
    assert rows[OTHERS].successes == 52
    assert "x" * LONGEST_NAME in rows
    assert "<list>" in rows
