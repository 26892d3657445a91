"""The state of a log after some revision, and its JSON form.

In JSON each table of records stands under the plural of its kind (`flags`, `segments`), so every member whose
value is an object is such a table; a table of a kind that this release does not know is carried along as it is.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from wigwag_proto.commit import Commit, Cursor
from wigwag_proto.errors import MalformedCursor, MalformedSnapshot

Tables = Mapping[str, Mapping[str, Any]]


# What servers keep in the log of an environment for themselves: apps have no use for it, and are not sent it.
SERVER_KINDS = frozenset({"rollout", "guard", "schedule"})


class Emergency(msgspec.Struct, frozen=True):
    """A kill that is in force without standing in the log yet, because its server could not reach the store."""

    id: str
    keys: tuple[str, ...]
    by: str
    reason: str
    at: int


class Snapshot(msgspec.Struct, frozen=True):
    """Everything after some revision: kind, then key, then the record as a plain object. `at` is Unix time in ms."""

    environment: str
    cursor: Cursor
    at: int
    records: Tables
    emergencies: tuple[Emergency, ...] = ()


def snapshot_to_plain(snapshot: Snapshot) -> dict[str, Any]:
    """Return the JSON form; `flags` and `segments` are always there."""
    tables = {f"{kind}s": table for kind, table in snapshot.records.items()}
    return {
        "environment": snapshot.environment,
        "cursor": str(snapshot.cursor),
        "at": snapshot.at,
        "flags": {},
        "segments": {},
        **tables,
        "emergencies": msgspec.to_builtins(snapshot.emergencies),
    }


def snapshot_from_plain(plain: Any) -> Snapshot:
    """Read the JSON form. Records are not looked into. Raises MalformedSnapshot."""
    if not isinstance(plain, dict):
        raise MalformedSnapshot(f"a snapshot is an object, not {type(plain).__name__}")
    try:
        return Snapshot(
            environment=msgspec.convert(plain["environment"], str),
            cursor=Cursor.parse(plain["cursor"]),
            at=msgspec.convert(plain["at"], int),
            records={name.removesuffix("s"): table for name, table in plain.items() if isinstance(table, dict)},
            emergencies=msgspec.convert(plain.get("emergencies", []), tuple[Emergency, ...]),
        )
    except (msgspec.ValidationError, MalformedCursor, KeyError, TypeError) as error:
        raise MalformedSnapshot(f"not a snapshot: {error!r}") from error


def without_server_kinds(snapshot: Snapshot) -> Snapshot:
    """Return the state as apps are sent it."""
    kept = {kind: table for kind, table in snapshot.records.items() if kind not in SERVER_KINDS}
    return msgspec.structs.replace(snapshot, records=kept)


def for_apps(commit: Commit) -> Commit:
    """Return a commit as apps are sent it: the same state by name, without what they have no use for."""
    if not any(change.kind in SERVER_KINDS for change in commit.changes):
        return commit
    kept = tuple(change for change in commit.changes if change.kind not in SERVER_KINDS)
    return msgspec.structs.replace(commit, changes=kept)
