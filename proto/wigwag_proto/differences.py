"""What a change did to a record, field by field. Pure, on plain objects: a field of a newer release is told as well."""

from collections.abc import Mapping
from typing import Any

import msgspec

from wigwag_proto.codec import decode, encode
from wigwag_proto.flag import Flag, Segment
from wigwag_proto.ruleset import What

# What a write sets by itself, and what names the record: no difference that anybody has made.
BOOKKEEPING = frozenset({"key", "createdAt", "updatedAt", "revision"})
# A field that is not there means its default.
DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "flag": decode(encode(msgspec.to_builtins(Flag(key="")))),
    "segment": decode(encode(msgspec.to_builtins(Segment(key="")))),
}


def what_happened(before: Any, after: Any) -> What:
    """Say what became of a record; None is one that is not there."""
    if before is None or after is None:
        return What.CREATED if before is None else What.DELETED
    was, now = _kill(before), _kill(after)
    if was is None and now is not None:
        return What.KILLED
    return What.REVIVED if was is not None and now is None else What.UPDATED


def differences(kind: str, before: Any, after: Any) -> list[dict[str, Any]]:
    """Return the fields that differ, in the order of the record. None is a record that is not there.

    `{field, before, after}`; for lists of texts of which some came or went `{field, added, removed}`, since a list of
    ten thousand users in which one has changed is otherwise no help.
    """
    defaults = DEFAULTS.get(kind, {})
    old, new = _fields(defaults, before), _fields(defaults, after)
    return [
        _difference(name, old.get(name), new.get(name))
        for name in {**old, **new}
        if name not in BOOKKEEPING and not same_json(old.get(name), new.get(name))
    ]


def same_json(one: Any, other: Any) -> bool:
    """Return whether two plain values are the same JSON: a tuple is a list, but true is not 1."""
    return one is other or encode(one) == encode(other) or _typed(one) == _typed(other)


def _fields(defaults: Mapping[str, Any], record: Any) -> dict[str, Any]:
    if record is None:
        return dict(defaults)
    return {**defaults, **record} if isinstance(record, Mapping) else {"record": record}


def _difference(field: str, before: Any, after: Any) -> dict[str, Any]:
    if _are_texts(before) and _are_texts(after):
        old, new = set(before), set(after)
        added, removed = [each for each in after if each not in old], [each for each in before if each not in new]
        if added or removed:
            return {"field": field, "added": added, "removed": removed}
    return {"field": field, "before": before, "after": after}


def _are_texts(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(isinstance(each, str) for each in value)


def _kill(record: Any) -> Any:
    return record.get("kill") if isinstance(record, Mapping) else None


def _typed(value: Any) -> Any:
    """Return a value that is equal only to the same JSON, whatever the order of its members."""
    if isinstance(value, Mapping):
        return {name: _typed(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_typed(each) for each in value]
    return isinstance(value, bool), value
