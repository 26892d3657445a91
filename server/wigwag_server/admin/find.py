"""Finding a record by its key, or saying which key was perhaps meant."""

from collections.abc import Mapping
from difflib import get_close_matches
from http import HTTPStatus
from typing import Any

import msgspec

from wigwag_proto.snapshot import Tables
from wigwag_server.problems import Problem

Plain = Mapping[str, Any]


def find_record(records: Tables, kind: str, key: str) -> Plain:
    """Return the record. Raises Problem (404) that names the nearest keys."""
    table = records.get(kind, {})
    if key not in table:
        raise no_such_record(kind, key, table)
    record = table[key]
    # A record that is damaged in the store can still be killed, written anew and deleted.
    return record if isinstance(record, Mapping) else {"key": key}


def fields_of_later(record: Any, known: type[msgspec.Struct]) -> dict[str, Any]:
    """Return the fields that only a later release knows: who edits the record with this one must not lose them."""
    if not isinstance(record, Mapping):
        return {}
    names = {field.encode_name for field in msgspec.structs.fields(known)}
    return {name: value for name, value in record.items() if name not in names}


def is_readable(record: Any) -> bool:
    """Say whether a record is one: the store may hold anything."""
    return isinstance(record, Mapping)


def no_such_record(kind: str, key: str, table: Mapping[str, Any]) -> Problem:
    """Return the problem (404) that names the nearest keys."""
    nearest = nearest_keys(key, table)
    hint = f"Did you mean {' or '.join(nearest)}?" if nearest else f"GET /admin/{kind}s lists what there is."
    return Problem(HTTPStatus.NOT_FOUND, f"There is no {kind} '{key}'. {hint}", nearest=nearest)


def nearest_keys(key: str, table: Mapping[str, Any]) -> list[str]:
    """Return up to three keys that may have been meant: alike, or containing what was given."""
    by_lower = {known.lower(): known for known in table}
    wanted = key.lower()
    alike = get_close_matches(wanted, by_lower, n=3, cutoff=0.6)
    within = sorted(known for known in by_lower if wanted in known and known not in alike)
    return [by_lower[known] for known in [*alike, *within][:3]]
