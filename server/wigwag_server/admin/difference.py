"""What differs between two states of configuration, by flag, segment and field. Pure.

Bookkeeping (`createdAt`, `updatedAt`, `revision`) and the kill layer are no configuration.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from wigwag_proto.commit import Change
from wigwag_proto.differences import same_json
from wigwag_proto.flag import Flag, Segment
from wigwag_proto.snapshot import Tables
from wigwag_proto.validate import FLAG_FIELDS, SEGMENT_FIELDS

KINDS = ("flag", "segment")
TYPES: Mapping[str, type[Flag | Segment]] = {"flag": Flag, "segment": Segment}
FIELDS: Mapping[str, Sequence[str]] = {"flag": FLAG_FIELDS, "segment": SEGMENT_FIELDS}
DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    kind: {name: value for name, value in msgspec.to_builtins(type_(key="-")).items() if name in FIELDS[kind]}
    for kind, type_ in TYPES.items()
}


def configuration(kind: str, record: Any) -> Mapping[str, Any] | None:
    """Return the configuration in a record, every field of it; None where there is none that can be read."""
    if not isinstance(record, Mapping):
        return None
    try:
        read = msgspec.convert({"key": "-", **record}, TYPES[kind])
    except (msgspec.ValidationError, RecursionError):
        return None
    return {name: value for name, value in msgspec.to_builtins(read).items() if name in FIELDS[kind]}


def without_defaults(kind: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a configuration that say something: those that are not as they are without being given."""
    return {name: value for name, value in config.items() if not same_json(value, DEFAULTS[kind].get(name))}


def difference(kind: str, key: str, before: Any, after: Any) -> dict[str, Any] | None:
    """Return what differs between two records (None: not there), as the API shows it; None where nothing does."""
    old, new = configuration(kind, before), configuration(kind, after)
    if before is None and after is None:
        return None
    what = "added" if before is None else "removed" if after is None else "changed"
    base = DEFAULTS[kind]
    left, right = old or base, new or base
    fields = {
        name: {"before": left[name] if old else None, "after": right[name] if new else None}
        for name in FIELDS[kind]
        if not same_json(left[name], right[name])
    }
    unreadable_before = before is not None and old is None
    if what == "changed" and not fields and not unreadable_before:
        return None
    return {"kind": kind, "key": key, "change": what, "fields": fields}


def differences(before: Tables, after: Tables) -> list[dict[str, Any]]:
    """Return what differs between two states, flags first, by key."""
    found = [
        difference(kind, key, before.get(kind, {}).get(key), after.get(kind, {}).get(key))
        for kind in KINDS
        for key in sorted(before.get(kind, {}).keys() | after.get(kind, {}).keys())
    ]
    return [each for each in found if each is not None]


def differences_of(changes: Iterable[Change], records: Tables) -> list[dict[str, Any]]:
    """Return what changes would do to the configuration in these records, flags first, by key."""
    there = [change for change in changes if change.kind in KINDS]
    before: dict[str, dict[str, Any]] = {kind: {} for kind in KINDS}
    after: dict[str, dict[str, Any]] = {kind: {} for kind in KINDS}
    for change in there:
        before[change.kind][change.key] = records.get(change.kind, {}).get(change.key)
        after[change.kind][change.key] = change.value
    found = {(each["kind"], each["key"]): each for each in differences(before, after)}
    for change in there:
        was, is_ = (_archived(each.get(change.key)) for each in (before[change.kind], after[change.kind]))
        if change.kind == "flag" and change.value is not None and not same_json(was, is_):
            blank = {"kind": "flag", "key": change.key, "change": "changed", "fields": {}}
            found.setdefault(("flag", change.key), blank)["fields"]["archived"] = {"before": was, "after": is_}
    return sorted(found.values(), key=lambda each: (KINDS.index(each["kind"]), each["key"]))


def _archived(record: Any) -> Any:
    return record.get("archived") if isinstance(record, Mapping) else None
