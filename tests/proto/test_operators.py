"""What the vectors cannot carry: Python's own types, NaN, and values that raise."""

import math
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.proto import strategies
from tests.proto.test_vectors import flags_of
from wigwag_proto.instants import instant
from wigwag_proto.operators import never, rule_test
from wigwag_proto.rule_checks import ALL_OPERATORS
from wigwag_proto.versions import parse_version

NAN = float("nan")


class Plan(StrEnum):
    PREMIUM = "premium"


class Level(IntEnum):
    HIGH = 3


def matches(operator: str, operand: Any, value: Any) -> bool:
    """Decide one rule, compiled and as defined; they must agree."""
    flags = flags_of(
        {"f": {"enabled": True, "rules": [{"attribute": "x", "operator": operator, "value": operand}]}}, {}
    )
    assert flags.is_enabled("f", x=value) is flags.explain("f", x=value).enabled
    return flags.is_enabled("f", x=value)


@pytest.mark.parametrize(
    "operator", ["equals", "in", "greaterThan", "greaterThanOrEqual", "lessThan", "lessThanOrEqual"]
)
def test_nan_equals_nothing_and_has_no_order(operator: str) -> None:
    assert not matches(operator, [NAN, 1] if operator == "in" else 1, NAN)
    assert not matches(operator, [NAN] if operator == "in" else NAN, NAN)


def test_nan_is_not_equal_to_anything() -> None:
    assert matches("notEquals", 1, NAN)
    assert matches("notIn", [1, 2], NAN)


@given(st.sampled_from(ALL_OPERATORS), strategies.operands, strategies.values)
def test_no_value_makes_a_decision_raise(operator: str, operand: Any, value: Any) -> None:
    matches(operator, operand, value)


@given(st.sampled_from([o for o in ALL_OPERATORS if o != "exists"]), strategies.operands)
def test_a_missing_attribute_never_matches(operator: str, operand: Any) -> None:
    assert not matches(operator, operand, None)


def test_enums_are_their_values() -> None:
    assert matches("equals", "premium", Plan.PREMIUM)
    assert matches("startsWith", "prem", Plan.PREMIUM)
    assert matches("greaterThan", 2, Level.HIGH)
    assert matches("in", [3], Level.HIGH)


def test_tuples_and_sets_are_lists() -> None:
    assert matches("contains", "beta", ("beta", "x"))
    assert matches("contains", "beta", frozenset({"beta"}))
    assert not matches("contains", 1, {True})


def test_large_integers_and_infinities_compare_as_numbers() -> None:
    assert matches("greaterThan", 1.5, 10**400)
    assert matches("lessThan", 1.5, -(10**400))
    assert matches("greaterThan", 10**300, math.inf)
    assert matches("equals", 2.5, Decimal("2.5"))


def test_an_aware_datetime_is_an_instant_and_a_naive_one_is_none() -> None:
    east = timezone(timedelta(hours=5, minutes=30))
    assert matches("before", "2026-01-31T09:00:00Z", datetime(2026, 1, 31, 14, 29, 59, tzinfo=east))
    assert not matches("before", "2026-01-31T09:00:00Z", datetime(2026, 1, 31, 14, 30, tzinfo=east))
    assert not matches("before", "2026-01-31T09:00:00Z", datetime(2020, 1, 1))  # noqa: DTZ001
    assert not matches("before", "2026-01-31T09:00:00Z", date(2020, 1, 1))
    assert instant(datetime(2020, 1, 1)) is None  # noqa: DTZ001
    assert instant(date(2020, 1, 1)) is None
    assert instant(datetime.max.replace(tzinfo=timezone(-timedelta(hours=23)))) is not None


def test_an_instant_is_counted_from_1970() -> None:
    assert instant("1970-01-01T00:00:00.000000001Z") == 1
    assert instant(datetime(1970, 1, 1, microsecond=1, tzinfo=UTC)) == 1000


@given(st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=-7))])))
def test_the_text_of_a_datetime_is_the_same_instant(moment: datetime) -> None:
    assert instant(moment.isoformat()) == instant(moment)


def test_the_precedence_of_the_specification_s_own_example() -> None:
    ordered = ["alpha", "alpha.1", "alpha.beta", "beta", "beta.2", "beta.11", "rc.1"]
    ordered = [*(f"1.0.0-{pre_release}" for pre_release in ordered), "1.0.0"]
    parsed = [parse_version(text) for text in ordered]
    assert None not in parsed
    assert parsed == sorted(parsed, key=lambda version: version or (0, 0, 0, 0, ()))
    assert len(set(parsed)) == len(ordered)


def test_text_is_compared_as_given() -> None:
    assert not matches("equals", "é", "e\u0301")
    assert not matches("contains", "STRASSE", "straße")
    assert rule_test("equals", "İ")("İ")


def test_an_operator_is_never_guessed() -> None:
    assert not matches("eq", "a", "a")


@pytest.mark.parametrize(
    ("operator", "operand"),
    [
        ("equals", []),
        ("notEquals", {}),
        ("in", "a"),
        ("notIn", None),
        ("contains", ["a"]),
        ("startsWith", 5),
        ("endsWith", ["a"]),
        ("greaterThan", "1"),
        ("lessThanOrEqual", True),
        ("before", 5),
        ("after", "2026-01-31"),
        ("semverEquals", "1.2"),
        ("exists", "yes"),
        ("soundsLike", "a"),
    ],
)
def test_what_an_operator_cannot_use_is_known_before_any_attribute(operator: str, operand: Any) -> None:
    assert rule_test(operator, operand) is never
