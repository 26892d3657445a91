"""What can be done to flags, as pure functions of the state it is done to.

A command is run again when somebody else committed first, so it never writes back a flag as it was some time ago.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from http import HTTPStatus
from typing import Any, ClassVar

import msgspec

from wigwag_proto.commit import Change
from wigwag_proto.flag import Archived, Flag, Kill
from wigwag_proto.records import Records
from wigwag_proto.references import check_references, flags_that_need_flag
from wigwag_proto.replica import REVIVAL
from wigwag_proto.snapshot import Tables
from wigwag_server.admin.bodies import refuse
from wigwag_server.admin.conditions import check_if_match
from wigwag_server.admin.find import Plain, fields_of_later, find_record
from wigwag_server.problems import Problem


@dataclass(frozen=True, slots=True)
class OwnerLimit:
    """How many release flags of one owner there may be, and whether one more is refused or only warned of."""

    most: int
    refuses: bool = False

    def exceeded(self, flags: Mapping[str, Any], key: str, flag: Mapping[str, Any]) -> str | None:
        """Return what is to be said where a flag as it is to be is one too many of its owner; None where not."""
        owner = flag.get("owner")
        if not owner or not _is_open_release(flag) or _is_owned(flags.get(key), owner):
            return None
        there = sum(_is_owned(each, owner) for each in flags.values())
        if there < self.most:
            return None
        return f"{there} release flags of '{owner}' are open already, and the limit of this environment is {self.most}."


def _is_open_release(flag: Any) -> bool:
    return isinstance(flag, Mapping) and flag.get("kind", "release") == "release" and flag.get("archived") is None


def _is_owned(flag: Any, owner: str) -> bool:
    return _is_open_release(flag) and flag.get("owner") == owner


@dataclass(frozen=True, slots=True)
class PutFlag:
    """Create a flag or replace its configuration. The kill layer stays as it is, unless `kill` adds one."""

    action: ClassVar[str] = "flag.put"

    key: str
    config: Plain
    catalog: Records
    flags_limit: int
    kill: Kill | None = None
    if_match: int | None = None
    owner_limit: OwnerLimit | None = None

    def __call__(self, records: Tables, revision: int, at: int) -> Sequence[Change]:
        """Return the change. Raises Problem: 409 when a limit is reached, 412, 422 for a reference to nothing."""
        flags = records.get("flag", {})
        before = find_record(records, "flag", self.key) if self.key in flags else {}
        check_if_match("flag", self.key, before, self.if_match)
        if not before and len(flags) >= self.flags_limit:
            detail = f"There are {len(flags)} flags already, which is the limit. Delete some that are done with."
            raise Problem(HTTPStatus.CONFLICT, detail)
        flag = msgspec.convert({**self.config, "key": self.key}, Flag)
        self._check_references(flag)
        value = {
            **fields_of_later(before, Flag),
            **msgspec.to_builtins(flag),
            "kill": _plain(self.kill) if self.kill else before.get("kill"),
            "archived": before.get("archived"),
            "createdAt": before.get("createdAt", at),
            "updatedAt": at,
            "revision": revision,
        }
        if self.owner_limit is not None and self.owner_limit.refuses:
            self._check_owner(self.owner_limit.exceeded(flags, self.key, value))
        return [Change("flag", self.key, value)]

    def _check_owner(self, exceeded: str | None) -> None:
        if exceeded is not None:
            raise Problem(HTTPStatus.CONFLICT, f"{exceeded} Archive one that is done with: wigwag stale")

    def _check_references(self, flag: Flag) -> None:
        flags = {**self.catalog.flags, self.key: flag}
        segments = {key: linked.segment for key, linked in self.catalog.segments.items()}
        refuse("The flag was not written.", check_references(self.key, flags, segments))


@dataclass(frozen=True, slots=True)
class KillFlags:
    """Turn flags off above all rules, in one revision. A kill that is in force already is replaced.

    `also` are flags that were found rather than named: one that is gone by then keeps no other from being killed.
    """

    action: ClassVar[str] = "flag.kill"

    keys: tuple[str, ...]
    by: str
    reason: str = ""
    until: int | None = None
    also: tuple[str, ...] = ()

    @property
    def all_keys(self) -> tuple[str, ...]:
        """Every flag that is to be killed, once."""
        return tuple(dict.fromkeys([*self.keys, *self.also]))

    def __call__(self, records: Tables, revision: int, at: int) -> Sequence[Change]:
        """Return the changes. Raises Problem (404) when one of the flags does not exist."""
        kill = _plain(Kill(by=self.by, reason=self.reason, at=at, until=self.until))
        there = [key for key in self.all_keys if key in self.keys or key in records.get("flag", {})]
        return [_updated(key, find_record(records, "flag", key), revision, at, kill=kill) for key in there]


@dataclass(frozen=True, slots=True)
class ReviveFlag:
    """Lift a kill: the configuration under it, as it is by now, is in force again.

    It also ends, wherever they are in force, the emergencies that were declared before it: their server may be gone.
    """

    action: ClassVar[str] = "flag.revive"

    key: str

    def __call__(self, records: Tables, revision: int, at: int) -> Sequence[Change]:
        """Return the changes. Raises Problem (404)."""
        flag = find_record(records, "flag", self.key)
        revival = Change(REVIVAL, self.key, {"at": at})
        killed = flag.get("kill") is not None
        return [_updated(self.key, flag, revision, at, kill=None), revival] if killed else [revival]


@dataclass(frozen=True, slots=True)
class ReviveFlags:
    """Lift the kills of several flags in one revision."""

    action: ClassVar[str] = ReviveFlag.action

    keys: tuple[str, ...]

    def __call__(self, records: Tables, revision: int, at: int) -> Sequence[Change]:
        """Return the changes. Raises Problem (404) when one of the flags does not exist."""
        return [change for key in self.keys for change in ReviveFlag(key)(records, revision, at)]


@dataclass(frozen=True, slots=True)
class LiftExpiredKills:
    """Revive every flag whose kill has run out, in one revision."""

    action: ClassVar[str] = "flag.kill-expired"

    def __call__(self, records: Tables, revision: int, at: int) -> Sequence[Change]:
        """Return the changes; none when another server was faster."""
        expired = [key for key, until in expiring_kills(records) if until <= at]
        return [_updated(key, records["flag"][key], revision, at, kill=None) for key in expired]


def expiring_kills(records: Tables) -> list[tuple[str, int]]:
    """Return the flags whose kill runs out by itself, each with that moment (Unix ms)."""
    kills = ((key, flag.get("kill")) for key, flag in records.get("flag", {}).items() if isinstance(flag, Mapping))
    found = ((key, kill.get("until")) for key, kill in kills if isinstance(kill, Mapping))
    return [(key, until) for key, until in found if isinstance(until, int)]


@dataclass(frozen=True, slots=True)
class DeleteFlag:
    """Remove a flag: code that asks for it gets its default."""

    action: ClassVar[str] = "flag.delete"

    key: str

    catalog: Records
    if_match: int | None = None

    def __call__(self, records: Tables, revision: int, at: int) -> Sequence[Change]:  # noqa: ARG002
        """Return the change. Raises Problem: 404, 409 that names the flags which require this one, 412."""
        check_if_match("flag", self.key, find_record(records, "flag", self.key), self.if_match)
        needed_by = flags_that_need_flag(self.key, self.catalog.flags)
        if needed_by:
            detail = f"'{self.key}' is required by {', '.join(needed_by)}. Change their 'requires' first."
            raise Problem(HTTPStatus.CONFLICT, detail, neededBy=needed_by)
        revival = [Change(REVIVAL, self.key, None)] if self.key in records.get(REVIVAL, {}) else []
        return [Change("flag", self.key, None), *revival]


@dataclass(frozen=True, slots=True)
class ArchiveFlag:
    """Note that a flag is done with. What is decided does not change: code that still asks may be running."""

    action: ClassVar[str] = "flag.archive"

    key: str
    archived: Archived
    if_match: int | None = None

    def __call__(self, records: Tables, revision: int, at: int) -> Sequence[Change]:
        """Return the change; none where it is archived already. Raises Problem (404, 412)."""
        flag = find_record(records, "flag", self.key)
        check_if_match("flag", self.key, flag, self.if_match)
        if flag.get("archived") is not None:
            return []
        archived = msgspec.to_builtins(msgspec.structs.replace(self.archived, at=at))
        return [_updated(self.key, flag, revision, at, archived=archived)]


@dataclass(frozen=True, slots=True)
class RestoreFlag:
    """Put an archived flag back on the lists."""

    action: ClassVar[str] = "flag.restore"

    key: str
    if_match: int | None = None

    def __call__(self, records: Tables, revision: int, at: int) -> Sequence[Change]:
        """Return the change; none where it is not archived. Raises Problem (404, 412)."""
        flag = find_record(records, "flag", self.key)
        check_if_match("flag", self.key, flag, self.if_match)
        return [_updated(self.key, flag, revision, at, archived=None)] if flag.get("archived") is not None else []


def tagged_keys(records: Tables, tags: Sequence[str]) -> tuple[str, ...]:
    """Return the keys of the flags with one of the tags. Raises Problem (404) for a tag that no flag has."""
    flags = records.get("flag", {})
    tagged: dict[str, list[str]] = {tag: [] for tag in tags}
    for key, flag in flags.items():
        for tag in flag.get("tags", ()) if isinstance(flag, Mapping) else ():
            if tag in tagged:
                tagged[tag].append(key)
    for tag, found in tagged.items():
        if not found:
            known = sorted({str(t) for f in flags.values() if isinstance(f, Mapping) for t in f.get("tags") or ()})
            detail = f"No flag is tagged '{tag}'. There are the tags: {', '.join(known[:20]) or 'none'}."
            raise Problem(HTTPStatus.NOT_FOUND, detail)
    return tuple(dict.fromkeys(key for found in tagged.values() for key in found))


def matching_keys(records: Tables, pattern: str) -> tuple[str, ...]:
    """Return the keys that a shell pattern matches. Raises Problem (404) for none."""
    found = tuple(key for key in sorted(records.get("flag", {})) if fnmatchcase(key, pattern))
    if not found:
        detail = f"No flag matches '{pattern}'. * stands for any characters, ? for one, [ab] for one of these."
        raise Problem(HTTPStatus.NOT_FOUND, detail)
    return found


def _updated(key: str, flag: Plain, revision: int, at: int, **fields: Any) -> Change:
    return Change("flag", key, {**flag, **fields, "updatedAt": at, "revision": revision})


def _plain(kill: Kill) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(kill)
    return plain
