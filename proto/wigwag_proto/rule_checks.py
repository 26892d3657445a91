"""Strict checks of rules: each operator with the values that it can use."""

from collections.abc import Callable
from typing import Any

from wigwag_proto.instants import parse_date_time
from wigwag_proto.operators import OPERATORS, SEGMENT_OPERATORS
from wigwag_proto.problems import Problems, a, every, shown, unknown_name
from wigwag_proto.versions import parse_version

LONGEST_TEXT = 10_000
LONGEST_NAME = 128
RULE_FIELDS = ("attribute", "operator", "value")
ALL_OPERATORS = (*OPERATORS, *sorted(SEGMENT_OPERATORS))

Check = Callable[[Problems, str, Any], bool]


def check_rules(problems: Problems, pointer: str, rules: Any, *, in_segment: bool = False) -> None:
    """Check a list of rules. A segment's rules must not name segments: they do not nest."""
    if problems.is_list(pointer, rules):
        for index, rule in enumerate(rules):
            check_rule(problems, f"{pointer}/{index}", rule, in_segment=in_segment)


def check_rule(problems: Problems, pointer: str, rule: Any, *, in_segment: bool = False) -> None:
    """Check one rule, whole."""
    if not problems.is_object(pointer, rule, RULE_FIELDS, required=("attribute", "operator")):
        return
    if "attribute" in rule:
        problems.is_text(f"{pointer}/attribute", rule["attribute"], LONGEST_NAME, shortest=1)
    operator = rule.get("operator")
    if operator is None and "operator" not in rule:
        return
    if not isinstance(operator, str) or operator not in ALL_OPERATORS:
        problems.add(f"{pointer}/operator", unknown_name("operator", operator, ALL_OPERATORS))
    elif in_segment and operator in SEGMENT_OPERATORS:
        problems.add(f"{pointer}/operator", "segments do not nest; repeat the other segment's rules here")
    elif "value" not in rule and operator != "exists":
        problems.add(pointer, f"needs the field 'value' for {operator}")
    else:
        VALUES[operator](problems, f"{pointer}/value", rule.get("value"))


def scalar(problems: Problems, pointer: str, value: Any) -> bool:
    """Check for what `equals` compares."""
    if value is None:
        return problems.add(pointer, "must not be null; to ask for absence, use exists with false")
    if isinstance(value, (bool, str)):
        return isinstance(value, bool) or problems.is_text(pointer, value, LONGEST_TEXT)
    if isinstance(value, (int, float)):
        return problems.is_number(pointer, value)
    return problems.add(pointer, f"must be a string, a number or a boolean, not {a(value)}")


def scalars(problems: Problems, pointer: str, value: Any) -> bool:
    """Check for a list of what `equals` compares."""
    if not problems.is_list(pointer, value):
        return False
    if not value:
        return problems.add(pointer, "must not be empty; remove the rule instead")
    return every([scalar(problems, f"{pointer}/{index}", item) for index, item in enumerate(value)])


def part(problems: Problems, pointer: str, value: Any) -> bool:
    """Check for what `contains` looks for. Every text contains the empty one, so that is a mistake."""
    if isinstance(value, str) and not value:
        return problems.add(pointer, "must not be empty")
    return scalar(problems, pointer, value)


def text(problems: Problems, pointer: str, value: Any) -> bool:
    """Check for a text that is not empty."""
    return problems.is_text(pointer, value, LONGEST_TEXT, shortest=1)


def date_time(problems: Problems, pointer: str, value: Any) -> bool:
    """Check for a date-time with its offset."""
    return (isinstance(value, str) and parse_date_time(value) is not None) or problems.add(
        pointer,
        f"must be an RFC 3339 date-time with an offset, such as 2026-01-31T09:00:00Z, not {shown(value)}",
    )


def version(problems: Problems, pointer: str, value: Any) -> bool:
    """Check for a semver version."""
    return parse_version(value) is not None or problems.add(
        pointer, f"must be a version by semver.org, such as 2.0.0 or 2.0.0-rc.1 (no 'v'), not {shown(value)}"
    )


def presence(problems: Problems, pointer: str, value: Any) -> bool:
    """Check for true (present) or false (absent); no value means true."""
    return value is None or problems.is_boolean(pointer, value)


def segment_keys(problems: Problems, pointer: str, value: Any) -> bool:
    """Check for the key of a segment, or a list of keys. Whether they exist is `references`' business."""
    if not isinstance(value, list):
        return problems.is_text(pointer, value, LONGEST_NAME, shortest=1)
    if not value:
        return problems.add(pointer, "must not be empty; remove the rule instead")
    return every([problems.is_text(f"{pointer}/{i}", key, LONGEST_NAME, shortest=1) for i, key in enumerate(value)])


def number(problems: Problems, pointer: str, value: Any) -> bool:
    """Check for a finite number."""
    return problems.is_number(pointer, value)


VALUES: dict[str, Check] = {
    "equals": scalar,
    "notEquals": scalar,
    "in": scalars,
    "notIn": scalars,
    "contains": part,
    "startsWith": text,
    "endsWith": text,
    "greaterThan": number,
    "greaterThanOrEqual": number,
    "lessThan": number,
    "lessThanOrEqual": number,
    "before": date_time,
    "after": date_time,
    "semverEquals": version,
    "semverGreaterThan": version,
    "semverLessThan": version,
    "exists": presence,
    "inSegment": segment_keys,
    "notInSegment": segment_keys,
}
