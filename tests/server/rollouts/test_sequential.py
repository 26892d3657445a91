"""The sequential test keeps what it promises, whenever it is looked at: a thousand simulated rollouts say so."""

import random
from math import log

from hypothesis import given
from hypothesis import strategies as st

from wigwag_server.rollouts.evidence import Evidence, Guard, Side, breach, lacking
from wigwag_server.rollouts.sequential import (
    evidence_above,
    evidence_of_increase,
    interval,
    log_likelihood,
    log_mixture,
)

STAGES = (1, 5, 10, 25, 50, 100)
LOOKS = 8  # at each stage
RUNS = 1000  # between two looks
FALSE_ALARM = 0.05
GUARD = Guard(
    max_error_rate=0.03, max_error_increase=0.0, max_p95_increase=0.5, min_samples=50, false_alarm=FALSE_ALARM
)
USUALLY, LATE = 5, 8  # buckets: up to 50 ms, up to 500 ms


def drawn(rng: random.Random, runs: int, rate: float) -> int:
    """Return how many of the runs fail: the gaps between failures are geometric."""
    found, at = 0, 0
    while True:
        at += int(log(1 - rng.random()) / log(1 - rate)) + 1
        if at > runs:
            return found
        found += 1


def runs_of(rng: random.Random, runs: int, rate: float, late: float) -> Side:
    """Return runs of which about these shares fail, and take long."""
    durations = [0] * len(Side().durations)
    durations[LATE] = drawn(rng, runs, late)
    durations[USUALLY] = runs - durations[LATE]
    return Side(runs, drawn(rng, runs, rate), tuple(durations))


def simulated(
    rng: random.Random, on_rate: float, off_rate: float, on_late: float = 0.04, off_late: float = 0.04
) -> tuple[str | None, int, int]:
    """Roll out; return why that was broken off, at which stage, and after how many runs with the flag on."""
    hurt = 0
    for stage, percentage in enumerate(STAGES):
        on = off = Side()
        for _ in range(LOOKS):
            runs = RUNS * percentage // 100
            on = on.plus(runs_of(rng, runs, on_rate, on_late))
            off = off.plus(runs_of(rng, RUNS - runs, off_rate, off_late))
            hurt += runs
            if (why := breach(GUARD, Evidence(on, off), FALSE_ALARM / len(STAGES))) is not None:
                return why, stage, hurt
    return None, len(STAGES), hurt


def test_a_thousand_rollouts_without_a_bug_are_rolled_back_no_more_often_than_promised() -> None:
    rng = random.Random(1)
    broken_off = sum(simulated(rng, 0.01, 0.01)[0] is not None for _ in range(1000))
    assert broken_off <= 1000 * FALSE_ALARM


def test_no_more_often_either_where_everything_is_just_as_bad_as_it_may_be() -> None:
    rng = random.Random(4)
    broken_off = sum(simulated(rng, 0.03, 0.03, on_late=0.05)[0] is not None for _ in range(500))
    assert broken_off <= 500 * FALSE_ALARM


def test_code_that_is_late_twice_as_often_as_it_may_be_is_found() -> None:
    rng = random.Random(5)
    found = [simulated(rng, 0.01, 0.01, on_late=0.1, off_late=0.02)[0] for _ in range(100)]
    assert sum("95th percentile" in (why or "") for why in found) >= 95


def test_a_bug_of_five_percent_is_found_at_the_ten_percent_stage_at_the_latest() -> None:
    rng = random.Random(2)
    found = [simulated(rng, 0.05, 0.01) for _ in range(300)]
    stages = [stage for _, stage, _ in found]
    assert sum(STAGES[min(stage, 5)] <= 10 for stage in stages) >= 0.95 * len(stages)


def test_without_sharing_the_looks_a_fixed_test_would_cry_wolf() -> None:
    """What the method is for: a z-test at 5 %, looked at as often, is wrong far more often than 5 %."""
    rng = random.Random(3)
    wrong = 0
    for _ in range(300):
        on = off = 0
        for look in range(1, 49):
            on, off = on + drawn(rng, 500, 0.05), off + drawn(rng, 500, 0.05)
            rate = (on + off) / (1000 * look)
            spread = (2 * rate * (1 - rate) / (500 * look)) ** 0.5
            if (on - off) / (500 * look) > 1.645 * spread:
                wrong += 1
                break
    assert wrong > 0.15 * 300


def test_slower_code_is_found_and_equally_fast_code_is_not() -> None:
    fast = (0, 0, 0, 0, 200, 700, 90, 10, 0, 0, 0, 0, 0, 0, 0)
    slow = (0, 0, 0, 0, 100, 300, 300, 200, 100, 0, 0, 0, 0, 0, 0)
    guard = Guard(max_p95_increase=0.5)
    why = breach(guard, Evidence(Side(1000, 0, slow), Side(1000, 0, fast)), 0.01)
    assert why == (
        "the 95th percentile of the duration is above 250 ms with the flag on, and at most 100 ms with it off"
    ), why
    assert breach(guard, Evidence(Side(1000, 0, fast), Side(1000, 0, fast)), 0.01) is None
    assert 0.05 < (Side(1000, 0, fast).p95_s or 0) <= 0.1
    assert Side().p95_s is None


def test_too_few_runs_decide_nothing() -> None:
    guard = Guard(max_error_rate=0.01, max_error_increase=0.0, min_samples=100)
    few = Evidence(Side(99, 99), Side(10_000, 0))
    assert breach(guard, few, 0.01) is None
    assert lacking(guard, few, off_expected=True) == "99 of 100 runs with the flag on"
    assert lacking(guard, Evidence(Side(100), Side(3)), off_expected=True) == "3 of 100 runs with the flag off"
    assert lacking(guard, Evidence(Side(100), Side()), off_expected=False) is None


runs_and_hits = st.integers(1, 100_000).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n)))


@given(runs_and_hits, runs_and_hits, st.floats(0, 0.5))
def test_evidence_of_an_increase_holds_against_every_explanation_without_one(
    on: tuple[int, int], off: tuple[int, int], allowed: float
) -> None:
    evidence = evidence_of_increase(allowed, on[1], on[0], off[1], off[0])
    mixture = log_mixture(on[1], on[0]) + log_mixture(off[1], off[0])
    for base in (0.0001, 0.001, 0.01, 0.1, 0.3, 0.49, off[1] / off[0]):
        for more in (0.0, allowed / 2, allowed):
            if evidence <= 0 or base + more > 1:
                continue
            other = log_likelihood(base + more, on[1], on[0]) + log_likelihood(base, off[1], off[0])
            assert mixture - other >= evidence - 1e-3


@given(runs_and_hits, st.floats(0.001, 0.5))
def test_an_interval_holds_the_rate_and_is_where_evidence_begins(runs: tuple[int, int], alpha: float) -> None:
    low, high = interval(runs[1], runs[0], alpha)
    assert 0 <= low <= runs[1] / runs[0] <= high <= 1
    if low > 0.001:
        assert evidence_above(low * 0.99, runs[1], runs[0]) >= log(1 / alpha) - 1e-6
