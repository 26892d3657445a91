"""A flag in words, as people read it in tables, on its page, and in what has changed. Pure.

Flags are taken as plain objects, so that a field of a newer server is told rather than lost.
"""

import json
from collections.abc import Mapping
from typing import Any

from wigwag.cli.output import plain
from wigwag_proto.validate import FLAG_FIELDS

Plain = Mapping[str, Any]

LISTS = {"whitelist": "always on", "blacklist": "always off", "tags": "tags"}
NAMES = {"rolloutPercentage": "rollout", "rules": "only if", "enabled": "switch"}
DEFAULTS: Plain = {"rolloutPercentage": 100, "bucketBy": "userId", "kind": "release"}
EMPTY: tuple[Any, ...] = (None, False, "", [], {})
UNITS = ((86_400 * 365, "y"), (86_400, "d"), (3_600, "h"), (60, "min"))


def state(flag: Plain) -> str:
    """Return `on`, `off` or `KILLED`: what beats all else comes first."""
    if flag.get("kill") is not None:
        return "KILLED"
    return "on" if flag.get("enabled") else "off"


def summary(flag: Plain) -> str:
    """Return the state and what narrows it, in a few words."""
    words = [state(flag), percent(flag)]
    if targeting(flag):
        words.append(targeting(flag))
    return ", ".join(words)


def percent(flag: Plain) -> str:
    """Return the rollout percentage as people write it."""
    return f"{flag.get('rolloutPercentage', 100):g}%"


def targeting(flag: Plain) -> str:
    """Return rules and lists in brief."""
    words = [rules(flag.get("rules") or [])] if flag.get("rules") else []
    words += [
        f"{len(flag[field])} {name}" for field, name in LISTS.items() if field != "tags" and len(flag.get(field) or [])
    ]
    words += [
        f"{len(flag[field])} {field.removesuffix('s') if len(flag[field]) == 1 else field}"
        for field in ("variants", "overrides")
        if flag.get(field)
    ]
    return " · ".join(words)


def rules(all_of: list[Plain]) -> str:
    """Return rules in the form in which `--rule` takes them."""
    return " and ".join(_rule(rule) for rule in all_of)


def kill_words(kill: Plain) -> str:
    """Return who killed a flag, and why."""
    by = f"by {plain(str(kill.get('by') or 'somebody'))}"
    return f"{by}: {plain(str(kill['reason']))}" if kill.get("reason") else by


def ago(then_ms: int, now_ms: int) -> str:
    """Return how long ago something was."""
    seconds = max(0, now_ms - then_ms) // 1000
    for unit_s, name in UNITS:
        if seconds >= unit_s:
            return f"{seconds // unit_s} {name} ago"
    return "just now" if seconds < 5 else f"{seconds} s ago"


def differences(before: Plain, after: Plain) -> list[str]:
    """Return what a change did to the configuration, field by field."""
    return [
        _difference(field, before.get(field), after.get(field))
        for field in FLAG_FIELDS
        if _normal(field, before) != _normal(field, after)
    ]


def is_default(field: str, flag: Plain) -> bool:
    """Say whether a field says nothing that is worth a line."""
    return flag.get(field, DEFAULTS.get(field)) == DEFAULTS.get(field) or flag.get(field) in EMPTY


def value_words(field: str, value: Any) -> str:
    """Return one field's value."""
    if field == "rules":
        return rules(value or []) or "none"
    if field == "rolloutPercentage":
        return percent({} if value is None else {field: value})
    if field == "enabled":
        return "on" if value else "off"
    if isinstance(value, str):
        return plain(value) or "none"
    return "none" if value in EMPTY else compact(value)


def compact(value: Any) -> str:
    """Return JSON on one line."""
    return plain(json.dumps(value, ensure_ascii=False))


def _rule(rule: Plain) -> str:
    value = rule.get("value")
    words = [plain(str(rule.get("attribute"))), plain(str(rule.get("operator")))]
    if value is not None:
        words.append(_operand(value))
    return " ".join(words)


def _operand(value: Any) -> str:
    """Return a rule's value; text that would read as another type is quoted, as `--rule` needs it."""
    if not isinstance(value, str):
        return compact(value)
    try:
        json.loads(value)
    except ValueError:
        return plain(value) or '""'
    return compact(value)


def _difference(field: str, before: Any, after: Any) -> str:
    if field in LISTS:
        old, new = before or [], after or []
        moves = [f"+{plain(str(item))}" for item in new if item not in old]
        moves += [f"-{plain(str(item))}" for item in old if item not in new]
        return f"{LISTS[field]} {' '.join(moves) or 'in another order'}"
    return f"{NAMES.get(field, field)} {value_words(field, before)} → {value_words(field, after)}"


def _normal(field: str, flag: Plain) -> Any:
    value = flag.get(field, DEFAULTS.get(field))
    return None if value in EMPTY else value
