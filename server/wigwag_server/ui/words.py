"""How pages say things: times, numbers, JSON, and what a flag does in a line. Pure."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from markupsafe import Markup

OPERATORS = {
    "equals": "is",
    "notEquals": "is not",
    "in": "is one of",
    "notIn": "is none of",
    "contains": "contains",
    "startsWith": "starts with",
    "endsWith": "ends with",
    "greaterThan": ">",
    "greaterThanOrEqual": "≥",
    "lessThan": "<",
    "lessThanOrEqual": "≤",
    "before": "is before",
    "after": "is after",
    "semverEquals": "is version",
    "semverGreaterThan": "is a version after",
    "semverLessThan": "is a version before",
    "exists": "is there",
    "inSegment": "in segment",
    "notInSegment": "not in segment",
}
EVERYONE = "everyone"
STEPS = ((60, "s", 1), (3600, "min", 60), (86_400, "h", 3600), (86_400 * 60, "d", 86_400))


def ago(at_ms: float, now_ms: float | None = None) -> str:
    """Return how long ago a moment was, or how far off it is, in two or three words."""
    seconds = ((time.time() * 1000 if now_ms is None else now_ms) - at_ms) / 1000
    ahead, span = seconds < 0, abs(seconds)
    if span < 5:
        return "now"
    for below, unit, size in STEPS:
        if span < below:
            said = f"{int(span // size)} {unit}"
            return f"in {said}" if ahead else f"{said} ago"
    return day(at_ms)


def day(at_ms: float) -> str:
    """Return a date."""
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d}"


def iso(at_ms: float) -> str:
    """Return a moment as machines and tooltips have it."""
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"


def when(at_ms: float | None) -> Markup:
    """Return a moment as an element: how long ago, and exactly when for whoever points at it."""
    if not at_ms:
        return Markup("<span>never</span>")
    exact = iso(at_ms)
    return Markup('<time datetime="{0}" title="{0}">{1}</time>').format(exact, ago(at_ms))


def count(number: float) -> str:
    """Return a number, shortened where it is long."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if number >= size:
            return f"{number / (size if letter != 'k' else 1e3):.3g}{letter}"
    return f"{number:,.0f}"


def percent(number: float) -> str:
    """Return a percentage without needless zeros."""
    return f"{number:.3f}".rstrip("0").rstrip(".") + " %"


def share(number: float | None) -> str:
    """Return a measured share, as exactly as it means something."""
    return "–" if number is None else percent(round(number, 1))


def plain_number(number: Any) -> Any:
    """Return a number as people write it: without a decimal point where there is nothing behind it."""
    return int(number) if isinstance(number, float) and number.is_integer() else number


def brief(value: Any) -> str:
    """Return JSON in a line."""
    return json.dumps(_without_points(value), ensure_ascii=False)


def pretty(value: Any) -> str:
    """Return JSON as people edit it."""
    return json.dumps(_without_points(value), ensure_ascii=False, indent=2)


def _without_points(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _without_points(each) for name, each in value.items()}
    return [_without_points(each) for each in value] if isinstance(value, (list, tuple)) else plain_number(value)


def rule(plain: Any) -> str:
    """Return a condition as a phrase."""
    if not isinstance(plain, Mapping):
        return brief(plain)
    operator, value = str(plain.get("operator")), plain.get("value")
    attribute = str(plain.get("attribute"))
    if operator == "exists":
        return f"{attribute} is {'not there' if value is False else 'there'}"
    listed = ", ".join(map(brief, value)) if isinstance(value, list) else brief(value)
    return f"{attribute} {OPERATORS.get(operator, operator)} {listed}"


def arms(variants: Any) -> list[tuple[str, float, Any]]:
    """Return variants with their shares in percent."""
    known = [each for each in variants or () if isinstance(each, Mapping)]
    whole = sum(_number(each.get("weight")) for each in known)
    return [
        (str(each.get("name")), 100 * _number(each.get("weight")) / whole if whole else 0.0, each.get("value"))
        for each in known
    ]


def audience(flag: Mapping[str, Any]) -> str:
    """Return for whom a flag is on, were it enabled and not killed."""
    return " · ".join(_audience(flag)) or EVERYONE


def _audience(flag: Mapping[str, Any]) -> Iterator[str]:
    share = _number(flag.get("rolloutPercentage", 100))
    if share < 100:
        yield percent(share)
    for field, one, many in (
        ("rules", "rule", "rules"),
        ("overrides", "override", "overrides"),
        ("variants", "variant", "variants"),
        ("requires", "prerequisite", "prerequisites"),
    ):
        if number := len(flag.get(field) or ()):
            yield f"{number} {one if number == 1 else many}"
    if number := len(flag.get("whitelist") or ()):
        yield f"+{number} always on"
    if number := len(flag.get("blacklist") or ()):
        yield f"−{number} always off"


def _number(value: Any) -> float:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else 0.0


FILTERS: Mapping[str, Callable[..., Any]] = {
    "when": when,
    "ago": ago,
    "count": count,
    "percent": percent,
    "share": share,
    "number": plain_number,
    "brief": brief,
    "pretty": pretty,
    "rule": rule,
    "arms": arms,
    "audience": audience,
}
