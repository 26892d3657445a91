"""Changes that wait for a second person, as records of `_system`, and what can be done to them. Pure.

A proposal holds the changes as they would have been made, and the records as they were then. It can be approved for
as long as these have the same configuration. A kill that came meanwhile stays.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import Any, ClassVar

import msgspec

from wigwag_proto.codec import encode
from wigwag_proto.commit import Change
from wigwag_proto.differences import same_json
from wigwag_proto.records import Records
from wigwag_proto.replica import REVIVAL
from wigwag_proto.snapshot import Tables
from wigwag_server.admin.configuration import check_changes
from wigwag_server.admin.difference import KINDS, difference
from wigwag_server.problems import Problem

RECORD = "approval"
LASTS_MS = 7 * 86_400_000
# What was decided can be looked up for so long; the audit log has it for longer.
SHOWN_MS = 30 * 86_400_000
HIDDEN = ("keyId", "address", "request", "size")
STAMPS = ("createdAt", "updatedAt", "revision")


class Status(StrEnum):
    """What has become of a proposal."""

    PENDING = "pending"
    APPROVED = "approved"  # and not yet carried out
    APPLIED = "applied"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    OUTDATED = "outdated"  # approved, but the records were not as they had been
    EXPIRED = "expired"


class Proposed(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """One change: `before` is the record that it is based on, at `revision` (0: there was none)."""

    kind: str
    key: str
    revision: int
    before: Any
    after: Any


class Approval(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A proposal. Times are Unix times in ms; `cursor` is the state that it led to once it is applied."""

    id: str
    environment: str
    action: str
    by: str
    key_id: str
    address: str
    comment: str
    request: str
    created_at: int
    expires_at: int
    size: int
    changes: tuple[Proposed, ...]
    status: Status = Status.PENDING
    decided_by: str = ""
    decided_at: int | None = None
    decision_comment: str = ""
    cursor: str = ""

    def status_at(self, now_ms: float) -> Status:
        """Return what has become of it: one that nobody has decided on runs out."""
        return Status.EXPIRED if self.status is Status.PENDING and now_ms >= self.expires_at else self.status


@dataclass(frozen=True, slots=True)
class Propose:
    """Have changes wait. Of those that are over, the old ones are forgotten."""

    action: ClassVar[str] = "approval.propose"

    approval: Approval
    most: int
    most_bytes: int

    def __call__(self, records: Tables, revision: int, at: int) -> Sequence[Change]:  # noqa: ARG002
        """Return the changes. Raises Problem (409) where too much is waiting already."""
        known = [each for plain in records.get(RECORD, {}).values() if (each := read_approval(plain)) is not None]
        waiting = [each for each in known if each.status_at(at) in (Status.PENDING, Status.APPROVED)]
        size = sum(each.size for each in waiting) + self.approval.size
        if len(waiting) >= self.most or size > self.most_bytes:
            detail = f"{len(waiting)} changes wait for approval already, and there is no room for this one."
            raise Problem(HTTPStatus.CONFLICT, f"{detail} Decide on some of them, or withdraw them.")
        over = sorted((each for each in known if each not in waiting), key=lambda each: -each.created_at)
        recent = [each.id for each in over if at - each.created_at < SHOWN_MS][: self.most]
        forgotten = [Change(RECORD, each.id, None) for each in over if each.id not in recent]
        return [_change(self.approval), *forgotten]


@dataclass(frozen=True, slots=True)
class Decide:
    """Move a proposal on."""

    approval_id: str
    status: Status
    by: str
    comment: str = ""
    cursor: str = ""

    @property
    def action(self) -> str:
        """As the audit log names it, such as `approval.rejected`."""
        return f"approval.{self.status}"

    def __call__(self, records: Tables, revision: int, at: int) -> Sequence[Change]:  # noqa: ARG002
        """Return the change; none where it is so already. Raises Problem: 404, 409 when it was decided otherwise."""
        before = find_approval(records, self.approval_id)
        status = before.status_at(at)
        if status is self.status:
            return []
        carried_out = self.status in (Status.APPLIED, Status.OUTDATED)
        if status is not (Status.APPROVED if carried_out else Status.PENDING):
            raise over(before, status)
        if carried_out:
            return [_change(msgspec.structs.replace(before, status=self.status, cursor=self.cursor))]
        decided = msgspec.structs.replace(
            before, status=self.status, decided_by=self.by, decided_at=at, decision_comment=self.comment
        )
        return [_change(decided)]


@dataclass(frozen=True, slots=True)
class Apply:
    """Make the changes that were approved, once: what is as wanted already is not touched again."""

    approval: Approval
    catalog: Records

    @property
    def action(self) -> str:
        """That of the command that was proposed."""
        return self.approval.action

    def __call__(self, records: Tables, revision: int, at: int) -> Sequence[Change]:
        """Return the changes. Raises Problem: 409 where a record is not as it was, 422 where a reference is broken."""
        changes, outdated = [], []
        for each in self.approval.changes:
            now = records.get(each.kind, {}).get(each.key)
            if each.kind == REVIVAL:  # what is checked is the kill that it lifts
                changes.append(Change(each.kind, each.key, {"at": at}))
                continue
            if _as(each.after, now, kill=_moves_kill(each)):
                continue
            if not _as(each.before, now, kill=_moves_kill(each)):
                outdated.append(f"{each.kind} '{each.key}'")
                continue
            changes.append(Change(each.kind, each.key, _stamped(each, now, revision, at)))
        if outdated:
            detail = f"Since this was proposed, {', '.join(outdated)} has changed. Have it proposed anew."
            raise Problem(HTTPStatus.CONFLICT, detail, outdated=outdated)
        done = not any(change.kind != REVIVAL for change in changes)
        if done and any(each.kind != REVIVAL for each in self.approval.changes):
            return []
        check_changes(changes, self.catalog, "The change cannot be made any more.")
        return changes


def propose(changes: Sequence[Change], records: Tables) -> tuple[Proposed, ...]:
    """Return changes together with what they are based on."""
    found = []
    for change in changes:
        before = records.get(change.kind, {}).get(change.key)
        revision = before.get("revision", 0) if isinstance(before, Mapping) else 0
        found.append(Proposed(kind=change.kind, key=change.key, revision=revision, before=before, after=change.value))
    return tuple(found)


def size_of(changes: Sequence[Proposed]) -> int:
    """Return how many bytes of JSON they take."""
    return len(encode(msgspec.to_builtins(changes)))


def only_kills(changes: Sequence[Change], records: Tables) -> bool:
    """Say whether changes do nothing but kill flags: that waits for nobody."""
    return bool(changes) and all(_is_kill(change, records.get("flag", {}).get(change.key)) for change in changes)


def kills(changes: Sequence[Change], records: Tables) -> list[str]:
    """Return the flags that changes kill, or kill otherwise than they are."""
    flags = records.get("flag", {})
    return [
        change.key
        for change in changes
        if change.kind == "flag"
        and _kill(change.value) is not None
        and _kill(change.value) != _kill(flags.get(change.key))
    ]


def find_approval(records: Tables, approval_id: str) -> Approval:
    """Return a proposal by its id. Raises Problem (404)."""
    approval = read_approval(records.get(RECORD, {}).get(approval_id))
    if approval is None:
        detail = "There is no approval with this id. GET /admin/approvals lists what there is."
        raise Problem(HTTPStatus.NOT_FOUND, detail)
    return approval


def read_approval(plain: Any) -> Approval | None:
    """Read a record; None where there is none that can be read."""
    try:
        return None if plain is None else msgspec.convert(plain, Approval)
    except msgspec.ValidationError:
        return None


def over(approval: Approval, status: Status) -> Problem:
    """Return what is said to whoever comes too late."""
    by = f" by {approval.decided_by}" if approval.decided_by else ""
    return Problem(HTTPStatus.CONFLICT, f"This change is {status}{by} already.", approvalStatus=status)


def approval_plain(approval: Approval, now_ms: float) -> dict[str, Any]:
    """Return a proposal as the API shows it: with what it would change, not with whole records."""
    shown = {name: value for name, value in msgspec.to_builtins(approval).items() if name not in HIDDEN}
    return {**shown, "status": approval.status_at(now_ms), "changes": [_shown(each) for each in approval.changes]}


def _shown(each: Proposed) -> dict[str, Any]:
    revives = each.before is not None and each.after is not None and _moves_kill(each)
    kill = {"kill": {"before": _kill(each.before), "after": _kill(each.after)}} if revives else {}
    told = difference(each.kind, each.key, each.before, each.after) if each.kind in KINDS else None
    if told is None:
        told = {"kind": each.kind, "key": each.key, "change": "changed", "fields": {}}
    return {**told, "basedOn": each.revision, "fields": {**told["fields"], **kill}}


def _change(approval: Approval) -> Change:
    return Change(RECORD, approval.id, msgspec.to_builtins(approval))


def _kill(record: Any) -> Any:
    return record.get("kill") if isinstance(record, Mapping) else None


def _is_kill(change: Change, before: Any) -> bool:
    if change.kind != "flag" or not isinstance(before, Mapping) or _kill(change.value) is None:
        return False
    return same_json(_bare(change.value, kill=False), _bare(before, kill=False))


def _moves_kill(each: Proposed) -> bool:
    """Say whether the kill layer matters to the proposal: it is a revival, or a deletion, which would end a kill."""
    if each.kind != "flag" or each.before is None:
        return False
    return each.after is None or _kill(each.before) != _kill(each.after)


def _as(wanted: Any, now: Any, *, kill: bool) -> bool:
    """Say whether a record is as wanted, but for the stamps, and but for the kill unless that matters."""
    return same_json(_bare(wanted, kill=kill), _bare(now, kill=kill))


def _bare(record: Any, *, kill: bool) -> Any:
    if not isinstance(record, Mapping):
        return record
    left_out = STAMPS if kill else (*STAMPS, "kill")
    return {name: value for name, value in record.items() if name not in left_out}


def _stamped(each: Proposed, now: Any, revision: int, at: int) -> Any:
    """Return the record as it is written: with the kill that is in force, unless it is the kill that was to change."""
    if not isinstance(each.after, Mapping):
        return each.after
    known = now if isinstance(now, Mapping) else {}
    kill = {} if each.kind != "flag" or _moves_kill(each) else {"kill": known.get("kill")}
    return {
        **each.after,
        **kill,
        "createdAt": known.get("createdAt", at),
        "updatedAt": at,
        "revision": revision,
    }
