"""Flags in a few words, as plain JSON: what `FakeFlags`, `FlagClient.from_dict` and the server take."""

from collections.abc import Iterable, Mapping
from typing import Any

Plain = dict[str, Any]

UNSET: Any = object()


def rule(attribute: str, operator: str, value: Any = None) -> Plain:
    """Return a condition: `rule("plan", "equals", "premium")`."""
    return {"attribute": attribute, "operator": operator, "value": value}


def flag(
    *rules: Plain,
    enabled: bool = True,
    killed: bool = False,
    percentage: float = 100,
    value: Any = UNSET,
    variants: Mapping[str, Any] | None = None,
    overrides: Iterable[Plain] = (),
    **fields: Any,
) -> Plain:
    """Return a flag that is on, unless said otherwise, for whom all rules match.

    `value` is one variant for everybody; `variants` are names and values, picked with equal weight. `fields` are the
    remaining ones of a flag by their JSON names (`whitelist`, `bucketBy`, …).
    """
    made: Plain = {"enabled": enabled, **_arm(rules, percentage, value, variants), **fields}
    if overrides:
        made["overrides"] = list(overrides)
    if killed:
        made["killSwitch"] = True
    return made


def override(
    name: str,
    *rules: Plain,
    percentage: float = 100,
    value: Any = UNSET,
    variants: Mapping[str, Any] | None = None,
) -> Plain:
    """Return one of a flag's `overrides`: it takes over for whom all rules match."""
    return {"name": name, **_arm(rules, percentage, value, variants)}


def segment(*rules: Plain, include: Iterable[str] = (), exclude: Iterable[str] = ()) -> Plain:
    """Return a named set of users."""
    return {"include": list(include), "exclude": list(exclude), "rules": list(rules)}


def _arm(rules: Iterable[Plain], percentage: float, value: Any, variants: Mapping[str, Any] | None) -> Plain:
    if value is not UNSET and variants is not None:
        raise TypeError("give a value or variants, not both")
    named = {"value": value} if value is not UNSET else variants or {}
    return {
        "rules": list(rules),
        "rolloutPercentage": percentage,
        "variants": [{"name": name, "weight": 1, "value": each} for name, each in named.items()],
    }
