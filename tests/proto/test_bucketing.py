"""Bucketing: stable, uniform, and indifferent to strange ids."""

import math
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.proto.murmur3 import bucket_of
from tests.proto.test_vectors import flags_of
from wigwag_proto.bucketing import (
    BUCKETS,
    ROLLOUT_SEED,
    SPLIT_SEED,
    bucket,
    hash_limit,
    hash_prefix,
    id_text,
    split_limits,
)

# The chi-square value that a fair split exceeds once in 100,000 times, by degrees of freedom. Seeds are fixed, so
# these tests either always pass or never.
CHI_SQUARE = {1: 19.5, 2: 23.0, 9: 39.3, 99: 165.0}
users = st.text(max_size=20)
percentages = st.integers(0, 100_000).map(lambda thousandths: thousandths / 1000)


def chi_square(observed: list[int], shares: list[float]) -> float:
    """Return how far counts are from their shares."""
    total = sum(observed)
    return sum((o - total * s) ** 2 / (total * s) for o, s in zip(observed, shares, strict=True))


@given(st.text(max_size=30), st.text(max_size=30))
def test_buckets_are_those_of_an_independent_murmur3(flag: str, user: str) -> None:
    for seed in (ROLLOUT_SEED, SPLIT_SEED):
        assert bucket(hash_prefix(flag), user, seed) == bucket_of(flag, user, seed)


@given(users, percentages, percentages)
def test_raising_a_percentage_never_removes_a_user(user: str, one: float, other: float) -> None:
    low, high = sorted((one, other))
    flags = flags_of({p: {"enabled": True, "rolloutPercentage": v} for p, v in (("f", low),)}, {})
    raised = flags_of({"f": {"enabled": True, "rolloutPercentage": high}}, {})
    if flags.is_enabled("f", user_id=user):
        assert raised.is_enabled("f", user_id=user)


@given(users, percentages, percentages)
def test_the_split_of_a_user_does_not_depend_on_the_percentage(user: str, one: float, other: float) -> None:
    variants = [{"name": n, "weight": 1} for n in "abc"]
    seen = {
        flags_of({"f": {"enabled": True, "rolloutPercentage": p, "variants": variants}}, {}).variant("f", user_id=user)
        for p in (one, other, 100)
    } - {None}
    assert len(seen) == 1


@given(st.integers(0, BUCKETS), st.integers(0, 2**32 - 1))
def test_comparing_hashes_is_comparing_buckets(limit: int, hashed: int) -> None:
    assert (hashed < hash_limit(limit)) is (hashed * BUCKETS >> 32 < limit)


@pytest.mark.parametrize("seed", [ROLLOUT_SEED, SPLIT_SEED])
def test_users_are_uniform_over_the_buckets_of_a_flag(seed: int) -> None:
    for flag in ("new-checkout", "search", "a"):
        counts = Counter((bucket(hash_prefix(flag), f"user-{n}", seed) or 0) // 1000 for n in range(20_000))
        assert chi_square([counts[i] for i in range(100)], [0.01] * 100) < CHI_SQUARE[99]


def test_flags_are_uniform_over_the_buckets_of_a_user() -> None:
    for user in ("user-1", "42", "ann@example.com"):
        counts = Counter((bucket(hash_prefix(f"flag-{n}"), user, ROLLOUT_SEED) or 0) // 10_000 for n in range(20_000))
        assert chi_square([counts[i] for i in range(10)], [0.1] * 10) < CHI_SQUARE[9]


def test_rollout_and_split_are_independent() -> None:
    cells = Counter(
        ((bucket(b"f:", f"u{n}", ROLLOUT_SEED) or 0) // 10_000, (bucket(b"f:", f"u{n}", SPLIT_SEED) or 0) // 10_000)
        for n in range(40_000)
    )
    assert chi_square([cells[i, j] for i in range(10) for j in range(10)], [0.01] * 100) < CHI_SQUARE[99]


def test_rollouts_of_two_flags_are_independent() -> None:
    cells = Counter(
        ((bucket(b"f:", f"u{n}", ROLLOUT_SEED) or 0) // 10_000, (bucket(b"g:", f"u{n}", ROLLOUT_SEED) or 0) // 10_000)
        for n in range(40_000)
    )
    assert chi_square([cells[i, j] for i in range(10) for j in range(10)], [0.01] * 100) < CHI_SQUARE[99]


def test_weights_of_1_1_98_give_these_shares() -> None:
    limits = split_limits([1, 1, 98])
    counts = Counter(
        next(i for i, v in enumerate(limits) if (bucket(b"f:", f"u{n}", 1) or 0) < v) for n in range(50_000)
    )
    assert chi_square([counts[i] for i in range(3)], [0.01, 0.01, 0.98]) < CHI_SQUARE[2]


def test_a_weight_that_is_not_finite_counts_as_0() -> None:
    assert split_limits([math.inf, 1]) == (0, BUCKETS)
    assert split_limits([math.nan, 1]) == (0, BUCKETS)


def test_a_thousandth_of_a_percent_takes_in_some_and_few() -> None:
    flags = flags_of({"f": {"enabled": True, "rolloutPercentage": 0.001}}, {})
    taken_in = sum(flags.is_enabled("f", user_id=f"u{n}") for n in range(500_000))
    assert 0 < taken_in < 20  # 5 are expected


@pytest.mark.parametrize("user", ["\ud800", "a\udfffb", "x" * 10_000, "é" * 10_000, "\x00", ""])
def test_strange_ids_and_keys_have_a_bucket(user: str) -> None:
    assert bucket(b"f:", user, ROLLOUT_SEED) == bucket_of("f", user, ROLLOUT_SEED)
    flags = flags_of({"f": {"enabled": True, "rolloutPercentage": 50}}, {})
    assert flags.is_enabled("f", user_id=user) is (bucket_of("f", user, 0) < 50_000)
    assert bucket(hash_prefix(user), "u", ROLLOUT_SEED) == bucket_of(user, "u", ROLLOUT_SEED)


@pytest.mark.parametrize(
    "value", [None, True, False, 1.0, float("nan"), [], {}, object(), b"u", pytest.param(10**5000, id="huge")]
)
def test_what_is_neither_text_nor_integer_has_no_id(value: Any) -> None:
    assert id_text(value) is None
