"""What a relay may see of `_system`: the keys of apps in its environments, by their hashes. Pure.

Never an admin token or a hook: those can change something, and a relay changes nothing. The filtered log has the very
cursors of `_system`, a commit for each of its commits, if need be an empty one. So it is resumed and proven as any
other, and servers and relays serve the same one.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import msgspec

from wigwag_proto.commit import Change, Commit
from wigwag_proto.snapshot import Snapshot, Tables
from wigwag_server.auth.keys import RECORD as KEY
from wigwag_server.auth.keys import Key, KeyKind, read_key

ENVIRONMENT = "environment"
# The name of this log, in place of an environment's. No environment can be called so.
KEYS = "_keys"


def visible_snapshot(snapshot: Snapshot, environments: Collection[str], always: Collection[str] = ()) -> Snapshot:
    """Return what is visible of a state. `always` are environments that are there without a record."""
    records = {
        KEY: dict(_visible_table(KEY, snapshot.records, environments)),
        ENVIRONMENT: {
            **{name: {"name": name} for name in always if name in environments},
            **dict(_visible_table(ENVIRONMENT, snapshot.records, environments)),
        },
    }
    return Snapshot(KEYS, snapshot.cursor, snapshot.at, records)


def visible_commit(commit: Commit, environments: Collection[str], shown: Tables) -> Commit:
    """Return what is visible of a commit, for whoever has been `shown` these records.

    Removals always are: whether somebody who comes back after a while was shown the record is not known.
    """
    changes = tuple(_visible_changes(commit.changes, environments, shown))
    return Commit(commit.revision, commit.prev, commit.head, commit.at, changes)


def _visible_changes(changes: Collection[Change], environments: Collection[str], shown: Tables) -> Iterator[Change]:
    for change in changes:
        if change.kind not in (KEY, ENVIRONMENT):
            continue
        value = _visible(change.kind, change.key, change.value, environments)
        if value is not None or change.value is None or change.key in shown.get(change.kind, {}):
            yield Change(change.kind, change.key, value)


def _visible_table(kind: str, records: Tables, environments: Collection[str]) -> Iterator[tuple[str, Any]]:
    for key, value in records.get(kind, {}).items():
        if (seen := _visible(kind, key, value, environments)) is not None:
            yield key, seen


def _visible(kind: str, name: str, value: Any, environments: Collection[str]) -> Mapping[str, Any] | None:
    if kind == ENVIRONMENT:
        return {"name": name} if value is not None and name in environments else None
    key = read_key(value)
    if key is None or not _may_pass(key, environments):
        return None
    # Who made it, and in place of which, is nobody's business there.
    shown: dict[str, Any] = msgspec.to_builtins(msgspec.structs.replace(key, created_by="", rotated_from=""))
    return shown


def _may_pass(key: Key, environments: Collection[str]) -> bool:
    if key.kind in (KeyKind.SERVER, KeyKind.CLIENT):
        return key.environment in environments
    if key.kind is KeyKind.RELAY:
        return bool(key.scope.environments) and set(key.scope.environments) <= set(environments)
    return False
