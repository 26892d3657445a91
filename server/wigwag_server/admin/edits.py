"""Edits that go by what there is: a patch, and a return to an earlier configuration. Pure, as all commands."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from wigwag_proto.codec import decode, encode
from wigwag_proto.commit import Change
from wigwag_proto.differences import differences
from wigwag_proto.problems import Violation, escaped, unknown_name
from wigwag_proto.snapshot import Tables
from wigwag_proto.validate import FLAG_FIELDS, SEGMENT_FIELDS, SERVER_FIELDS
from wigwag_server.admin.bodies import refuse
from wigwag_server.admin.conditions import check_if_match
from wigwag_server.admin.find import Plain, find_record, is_readable
from wigwag_server.admin.merge_patch import merge_patch
from wigwag_server.environment import Command
from wigwag_server.problems import Problem

FIELDS: Mapping[str, Collection[str]] = {"flag": FLAG_FIELDS, "segment": SEGMENT_FIELDS}
NOT_BY_PATCH = "a patch cannot touch the kill: POST …/kill kills, POST …/revive lifts the kill"

# What makes the command that writes a whole configuration, after checking it. Raises Problem (422).
Put = Callable[[dict[str, Any], Plain], Command]


@dataclass(frozen=True, slots=True)
class Patch:
    """Merge a patch into a record as it is by then, and check the result whole."""

    kind: str
    key: str
    patch: Plain
    put: Put
    if_match: int | None = None

    @property
    def action(self) -> str:
        """As the audit log names it."""
        return f"{self.kind}.patch"

    def __call__(self, records: Tables, revision: int, at: int) -> Sequence[Change]:
        """Return the change; none where the patch changes nothing. Raises Problem: 404, 409, 412, 422."""
        before = find_record(records, self.kind, self.key)
        check_if_match(self.kind, self.key, before, self.if_match)
        if not is_readable(records[self.kind][self.key]):
            detail = f"The record of '{self.key}' is damaged, so there is nothing to patch: write it anew with POST."
            raise Problem(HTTPStatus.CONFLICT, detail)
        before = decode(encode(before))
        fields = FIELDS[self.kind]
        refuse(f"The {self.kind} was not written.", _wrong_in_patch(self.patch, before, fields))
        own = {name: value for name, value in self.patch.items() if name in fields}
        merged = merge_patch({name: before[name] for name in fields if name in before}, own)
        return _unless_same(self.kind, before, self.put(merged, before)(records, revision, at))


@dataclass(frozen=True, slots=True)
class Revert:
    """Write the configuration that a record once had. The kill layer stays as it is.

    `kill` is the one under which a flag was deleted: if it is still gone when this runs, it comes back killed, since
    nobody has revived it.
    """

    kind: str
    key: str
    config: Plain
    put: Put
    kill: Any = None
    if_match: int | None = None

    @property
    def action(self) -> str:
        """As the audit log names it."""
        return f"{self.kind}.revert"

    def __call__(self, records: Tables, revision: int, at: int) -> Sequence[Change]:
        """Return the change; none where the configuration is that already. Raises Problem: 409, 412, 422."""
        there = self.key in records.get(self.kind, {})
        before = find_record(records, self.kind, self.key) if there else {}
        check_if_match(self.kind, self.key, before, self.if_match)
        config = {name: self.config[name] for name in FIELDS[self.kind] if name in self.config}
        changes = self.put(config, before)(records, revision, at)
        if there:
            return _unless_same(self.kind, before, changes)
        return [_killed(change, self.kill) for change in changes] if self.kill is not None else changes


def _wrong_in_patch(patch: Plain, before: Plain, fields: Collection[str]) -> list[Violation]:
    """What the server fills in may stand in a patch, as it is: people send back what they got."""
    found = []
    for name, value in patch.items():
        if name in fields:
            continue
        pointer = f"/{escaped(name)}"
        if name == "killSwitch" or (name == "kill" and value != before.get("kill")):
            found.append(Violation(pointer, NOT_BY_PATCH))
        elif name not in SERVER_FIELDS:
            found.append(Violation(pointer, unknown_name("field", name, (*fields, "comment"))))
        elif value != before.get(name):
            found.append(Violation(pointer, "cannot be patched: the server fills it in"))
    return found


def _unless_same(kind: str, before: Plain, changes: Sequence[Change]) -> Sequence[Change]:
    return changes if any(differences(kind, before, change.value) for change in changes) else []


def _killed(change: Change, kill: Any) -> Change:
    return Change(change.kind, change.key, {**change.value, "kill": kill})
