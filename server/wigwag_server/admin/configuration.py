"""From the configuration that is wanted to the changes that bring it about: for import, promotion and clone. Pure.

Whatever is wanted, the kill layer stays as it is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import msgspec

from wigwag_proto.commit import Change
from wigwag_proto.differences import same_json
from wigwag_proto.flag import Flag, Segment
from wigwag_proto.problems import Violation, escaped
from wigwag_proto.records import Records
from wigwag_proto.references import check_references_of
from wigwag_proto.snapshot import Tables
from wigwag_server.admin.bodies import refuse
from wigwag_server.admin.difference import KINDS, TYPES, configuration
from wigwag_server.admin.find import Plain
from wigwag_server.admin.flag_commands import OwnerLimit
from wigwag_server.problems import Problem

MOST_VIOLATIONS = 50


@dataclass(frozen=True, slots=True)
class Wanted:
    """Configuration by kind and key, as the checks of bodies return it.

    Of the kinds in `whole`, there is to be nothing else. A kind that is nowhere here stays as it is.
    """

    records: Mapping[str, Mapping[str, Plain]]
    whole: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done. `kept` are killed flags that would have gone: without them, nothing would hold their kill."""

    changes: list[Change] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Configure:
    """Bring about what is wanted, in one revision."""

    action: str
    wanted: Wanted
    catalog: Records
    limits: Mapping[str, int]
    owner_limit: OwnerLimit | None = None

    def __call__(self, records: Tables, revision: int, at: int) -> Sequence[Change]:
        """Return the changes. Raises Problem: 409 when a limit is reached, 422 for a reference to nothing."""
        changes = plan(self.wanted, records, revision, at).changes
        for kind, limit in self.limits.items():
            table = records.get(kind, {})
            added = sum(
                change.key not in table for change in changes if change.kind == kind and change.value is not None
            )
            removed = sum(change.value is None for change in changes if change.kind == kind)
            if added and len(table) + added - removed > limit:
                there_are = f"There would be {len(table) + added - removed} {kind}s, and the limit is {limit}."
                raise Problem(HTTPStatus.CONFLICT, f"{there_are} Nothing was changed.")
        check_changes(changes, self.catalog, "Nothing was changed.")
        if self.owner_limit is not None:
            self.owner_limit.check(records.get("flag", {}), changes)
        return changes


def plan(wanted: Wanted, records: Tables, revision: int, at: int) -> Plan:
    """Return what is to be done to these records, as revision `revision` at `at` (Unix ms)."""
    found = Plan()
    for kind in KINDS:
        there, here = wanted.records.get(kind, {}), records.get(kind, {})
        for key, config in sorted(there.items()):
            change = set_configuration(kind, key, config, here.get(key), stamp=(revision, at))
            if change is not None:
                found.changes.append(change)
        for key in sorted(here.keys() - there.keys()) if kind in wanted.whole else ():
            if kind == "flag" and isinstance(here[key], Mapping) and here[key].get("kill") is not None:
                found.kept.append(key)
            else:
                found.changes.append(Change(kind, key, None))
    return found


def set_configuration(kind: str, key: str, config: Plain, before: Any, *, stamp: tuple[int, int]) -> Change | None:
    """Return the change that gives a record this configuration; None when it has it. `stamp` is revision and time.

    A flag is archived, or not, as `archived` says; without that it stays as it is.
    """
    record = msgspec.to_builtins(msgspec.convert({**config, "key": key}, TYPES[kind]))
    now = configuration(kind, before)
    known = before if isinstance(before, Mapping) else {}
    archived = config["archived"] if "archived" in config else known.get("archived")
    unmoved = kind != "flag" or same_json(archived, known.get("archived"))
    if unmoved and now is not None and all(same_json(value, record[name]) for name, value in now.items()):
        return None
    kept = {"kill": known.get("kill"), "archived": archived} if kind == "flag" else {}
    revision, at = stamp
    times = {"createdAt": known.get("createdAt", at), "updatedAt": at, "revision": revision}
    return Change(kind, key, {**record, **kept, **times})


def check_changes(changes: Sequence[Change], catalog: Records, detail: str) -> None:
    """Hold the state that these changes lead to against all references in it. Raises Problem (422)."""
    flags: dict[str, Flag] = dict(catalog.flags)
    segments: dict[str, Segment] = {key: linked.segment for key, linked in catalog.segments.items()}
    touched: dict[str, set[str]] = {kind: set() for kind in KINDS}
    for change in changes:
        if change.kind in KINDS:
            touched[change.kind].add(change.key)
            table: dict[str, Any] = flags if change.kind == "flag" else segments
            table.pop(change.key, None)
            if change.value is not None:
                table[change.key] = msgspec.convert({**change.value, "key": change.key}, TYPES[change.kind])
    broken = check_references_of(touched["flag"], touched["segment"], flags, segments, most=MOST_VIOLATIONS)
    refuse(detail, [Violation(f"/flags/{escaped(key)}{each.pointer}", each.message) for key, each in broken])
