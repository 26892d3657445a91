"""The operators of rules. Nothing is coerced: `True` is not `1`, `"1"` is not `1`, and text is compared as given.

Each operator takes the rule's value once and returns the test for attributes. The test may raise on exotic values
(an `__eq__` that does): whoever calls it takes that for a mismatch. A missing attribute is None and matches
nothing, `notEquals` and `notIn` included; only `exists` sees absence. An operand that an operator cannot use gives
`never`. A value of no JSON type is compared by its own `==` and `<`.

`inSegment` and `notInSegment` look at more than one value: see `wigwag_proto.evaluate`.
"""

from collections.abc import Callable
from math import isnan
from operator import ge, gt, le, lt
from typing import Any

from wigwag_proto.instants import instant, parse_date_time
from wigwag_proto.versions import parse_version

Test = Callable[[Any], bool]
Scalar = str | int | float | bool
SEGMENT_OPERATORS = frozenset({"inSegment", "notInSegment"})


def never(value: Any) -> bool:  # noqa: ARG001  # a Test
    """Match nothing: the test of a rule that cannot be evaluated."""
    return False


def is_plain(operand: Any) -> bool:
    """Return whether `equals` is Python's own == for this operand: not for 0 and 1 (False and True), nor for NaN."""
    if isinstance(operand, str):
        return True
    if isinstance(operand, bool) or not isinstance(operand, (int, float)):
        return False
    return operand not in (0, 1) and not isnan(operand)


def all_plain(operands: list[Any]) -> bool:
    """Return whether all are plain; a list of texts, which is the usual one, is told quickly."""
    return set(map(type, operands)) == {str} or all(map(is_plain, operands))


def equals(operand: Any) -> Test:
    """Same type and value, where int and float are one type: number. NaN equals nothing."""
    if isinstance(operand, bool):
        return lambda value: value is operand
    if isinstance(operand, (int, float)):
        return lambda value: value is not True and value is not False and bool(value == operand)
    if isinstance(operand, str):
        return lambda value: bool(value == operand)
    return never


def not_equals(operand: Any) -> Test:
    """Present and not equal; a value of another type is not equal."""
    same = equals(operand)
    return never if same is never else lambda value: value is not None and not same(value)


def in_list(operand: Any) -> Test:
    """Equal to one of a list of strings, numbers and booleans."""
    if not isinstance(operand, list):
        return never
    members = frozenset(operand if all_plain(operand) else filter(is_plain, operand))
    others = [] if len(members) == len(operand) else [equals(e) for e in operand if not is_plain(e)]

    def test(value: Any) -> bool:
        try:
            if value in members:
                return True
        except TypeError:  # a list or a dict, which equals none of them
            return False
        return any(same(value) for same in others)

    return test


def not_in_list(operand: Any) -> Test:
    """Present and equal to none of a list."""
    one_of = in_list(operand)
    return never if one_of is never else lambda value: value is not None and not one_of(value)


def contains(operand: Any) -> Test:
    """Substring of a string, or an element (by `equals`) of a list; also of a tuple or set from Python."""
    same = equals(operand)
    if same is never:
        return never

    def test(value: Any) -> bool:
        if isinstance(value, str):
            return isinstance(operand, str) and operand in value
        return isinstance(value, (list, tuple, set, frozenset)) and any(same(element) for element in value)

    return test


def starts_with(operand: Any) -> Test:
    """Text that begins with a text."""
    if not isinstance(operand, str):
        return never
    return lambda value: isinstance(value, str) and value.startswith(operand)


def ends_with(operand: Any) -> Test:
    """Text that ends with a text."""
    if not isinstance(operand, str):
        return never
    return lambda value: isinstance(value, str) and value.endswith(operand)


def compares(holds: Callable[[Any, Any], Any]) -> Callable[[Any], Test]:
    """Compare numbers. What has no order beside a number (text, say) raises, and so is a mismatch."""

    def operator(operand: Any) -> Test:
        if isinstance(operand, bool) or not isinstance(operand, (int, float)):
            return never
        return lambda value: (
            value is not None and value is not True and value is not False and bool(holds(value, operand))
        )

    return operator


def happens(holds: Callable[[int, int], bool]) -> Callable[[Any], Test]:
    """Compare instants: RFC 3339 date-times and aware datetimes, see `wigwag_proto.instants`."""

    def operator(operand: Any) -> Test:
        bound = parse_date_time(operand) if isinstance(operand, str) else None
        if bound is None:
            return never

        def test(value: Any) -> bool:
            at = instant(value)
            return at is not None and holds(at, bound)

        return test

    return operator


def versioned(holds: Callable[[Any, Any], bool]) -> Callable[[Any], Test]:
    """Compare versions by semver precedence, see `wigwag_proto.versions`."""

    def operator(operand: Any) -> Test:
        bound = parse_version(operand)
        if bound is None:
            return never

        def test(value: Any) -> bool:
            version = parse_version(value)
            return version is not None and holds(version, bound)

        return test

    return operator


def exists(operand: Any) -> Test:
    """Present, for `true` or no value; absent, for `false`."""
    if operand is None or operand is True:
        return lambda value: value is not None
    return (lambda value: value is None) if operand is False else never


OPERATORS: dict[str, Callable[[Any], Test]] = {
    "equals": equals,
    "notEquals": not_equals,
    "in": in_list,
    "notIn": not_in_list,
    "contains": contains,
    "startsWith": starts_with,
    "endsWith": ends_with,
    "greaterThan": compares(gt),
    "greaterThanOrEqual": compares(ge),
    "lessThan": compares(lt),
    "lessThanOrEqual": compares(le),
    "before": happens(lt),
    "after": happens(gt),
    "semverEquals": versioned(lambda version, bound: bool(version == bound)),
    "semverGreaterThan": versioned(gt),
    "semverLessThan": versioned(lt),
    "exists": exists,
}


def rule_test(operator: str, operand: Any) -> Test:
    """Return the test of a rule's operator and value; `never` for an operator that this release does not know."""
    make = OPERATORS.get(operator)
    return never if make is None else make(operand)
