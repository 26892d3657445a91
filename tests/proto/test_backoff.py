"""Backoff: bounded, jittered, and immutable."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from wigwag_proto.backoff import RECONNECT, REFUSED, Backoff


@given(st.integers(0, 200), st.integers())
def test_a_delay_is_between_the_floor_and_the_doubled_base_up_to_the_cap(failures: int, seed: int) -> None:
    for policy in (RECONNECT, REFUSED):
        backoff = Backoff(policy.base_s, policy.cap_s, policy.floor_s, failures)
        delay_s, after = backoff.after_failure(Random(seed))
        assert policy.floor_s <= delay_s <= min(policy.cap_s, policy.base_s * 2**failures)
        assert after.failures == failures + 1
        assert after.reset() == policy


def test_delays_are_spread_over_the_whole_range() -> None:
    rng = Random(7)
    delays = sorted(Backoff(failures=6).after_failure(rng)[0] for _ in range(2000))
    assert delays[0] < 0.1
    assert delays[-1] > 6.2
    assert 2.8 < sum(delays) / len(delays) < 3.6


def test_a_key_that_was_refused_is_tried_again_after_five_minutes_to_an_hour() -> None:
    rng = Random(7)
    backoff = REFUSED
    for _ in range(20):
        delay_s, backoff = backoff.after_failure(rng)
        assert 300 <= delay_s <= 3600
