"""The conditions of flagd's targeting (JSONLogic), as far as wigwag's rules can say the same. Pure.

A condition becomes a list of alternatives, each a list of rules that must all match.
"""

import itertools
from collections.abc import Mapping
from typing import Any

Rules = list[dict[str, Any]]

COMPARISONS = {
    "==": "equals",
    "===": "equals",
    "!=": "notEquals",
    "!==": "notEquals",
    ">": "greaterThan",
    ">=": "greaterThanOrEqual",
    "<": "lessThan",
    "<=": "lessThanOrEqual",
    "starts_with": "startsWith",
    "ends_with": "endsWith",
}
# What a comparison is with its two sides exchanged.
EXCHANGED = {">": "<", "<": ">", ">=": "<=", "<=": ">="}
OPPOSITES = {"in": "notIn", "notIn": "in", "equals": "notEquals", "notEquals": "equals"}
VERSIONS = {"=": "semverEquals", ">": "semverGreaterThan", "<": "semverLessThan"}
NEGATIVE = ("notEquals", "notIn")
MOST_ALTERNATIVES = 32


class Untranslatable(Exception):
    """There is no rule that says this; the message says what."""


def alternatives(condition: Any) -> list[Rules]:
    """Return the alternatives. Raises Untranslatable."""
    operator, operands = operation(condition)
    if operator == "and":
        parts = [alternatives(each) for each in operands]
        found = [list(itertools.chain.from_iterable(choice)) for choice in itertools.product(*parts)]
    elif operator == "or":
        found = [each for operand in operands for each in alternatives(operand)]
    elif operator == "!":
        found = [[_opposite(operands[0])]]
    else:
        found = [[_rule(operator, operands)]]
    if len(found) > MOST_ALTERNATIVES:
        raise Untranslatable(f"it has more than {MOST_ALTERNATIVES} alternatives")
    return found


def operation(logic: Any) -> tuple[str, list[Any]]:
    """Return operator and operands. Raises Untranslatable."""
    if not isinstance(logic, Mapping) or len(logic) != 1:
        raise Untranslatable(f"{logic!r} is no operation")
    operator, operands = next(iter(logic.items()))
    return str(operator), operands if isinstance(operands, list) else [operands]


def attribute(logic: Any) -> str:
    """Return the attribute that a `var` names. Raises Untranslatable."""
    if not (isinstance(logic, Mapping) and list(logic) == ["var"]):
        raise Untranslatable(f"{logic!r} is no attribute")
    name = logic["var"][0] if isinstance(logic["var"], list) and logic["var"] else logic["var"]
    if not isinstance(name, str) or not name or "." in name:
        raise Untranslatable(f"the attribute {name!r} is nested, or no attribute of the context")
    return "userId" if name == "targetingKey" else name


def _is_attribute(logic: Any) -> bool:
    return isinstance(logic, Mapping) and list(logic) == ["var"]


def _rule(operator: str, operands: list[Any]) -> dict[str, Any]:
    if operator == "in" and len(operands) == 2:
        return _within(*operands)
    if operator == "sem_ver" and len(operands) == 3 and operands[1] in VERSIONS:
        return _compared(VERSIONS[operands[1]], operands[0], operands[2])
    if operator in COMPARISONS and len(operands) == 2:
        if not _is_attribute(operands[0]):
            operator, operands = EXCHANGED.get(operator, operator), operands[::-1]
        return _compared(COMPARISONS[operator], *operands)
    raise Untranslatable(f"there is no rule for {operator!r}")


def _within(needle: Any, hay: Any) -> dict[str, Any]:
    if _is_attribute(hay) and isinstance(needle, str):
        return _compared("contains", hay, needle)
    if isinstance(hay, list) and hay and all(isinstance(each, (str, int, float, bool)) for each in hay):
        return {"attribute": attribute(needle), "operator": "in", "value": hay}
    raise Untranslatable("there is no rule for this use of 'in'")


def _compared(operator: str, left: Any, value: Any) -> dict[str, Any]:
    if not isinstance(value, (str, int, float, bool)):
        raise Untranslatable(f"no rule compares with {value!r}")
    return {"attribute": attribute(left), "operator": operator, "value": value}


def _opposite(condition: Any) -> dict[str, Any]:
    found = alternatives(condition)
    if len(found) == 1 and len(found[0]) == 1 and found[0][0]["operator"] in OPPOSITES:
        rule = found[0][0]
        return {**rule, "operator": OPPOSITES[rule["operator"]]}
    raise Untranslatable("there is no rule for the opposite of this condition")
