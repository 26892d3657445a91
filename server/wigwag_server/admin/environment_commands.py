"""What can be done to environments: pure functions of `_system`, and of the environment itself.

An environment's log outlives it in the store. So its state is emptied when it is deleted, and once more when one of
that name is made: a later environment must not come back with old flags.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, ClassVar

import msgspec

from wigwag_proto.commit import Change
from wigwag_proto.replica import ABSORPTION
from wigwag_proto.snapshot import Tables
from wigwag_server.admin.configuration import Wanted, set_configuration
from wigwag_server.admin.proposals import RECORD as APPROVAL
from wigwag_server.auth.key_commands import forget
from wigwag_server.auth.keys import RECORD as KEY
from wigwag_server.auth.keys import Key, key_change, read_key
from wigwag_server.environments import PRODUCTION, RECORD, EnvironmentRecord, environment_record
from wigwag_server.problems import Problem


@dataclass(frozen=True, slots=True)
class CreateEnvironment:
    """Have every server open it."""

    action: ClassVar[str] = "environment.create"

    record: EnvironmentRecord
    limit: int

    def __call__(self, records: Tables, revision: int, at: int) -> Sequence[Change]:  # noqa: ARG002
        """Return the change. Raises Problem (409) where there is one of that name, or too many."""
        there = {PRODUCTION, *records.get(RECORD, {})}
        if self.record.name in there:
            raise Problem(HTTPStatus.CONFLICT, f"There is an environment '{self.record.name}' already.")
        if len(there) >= self.limit:
            raise Problem(HTTPStatus.CONFLICT, f"There are {len(there)} environments already, which is the limit.")
        return [Change(RECORD, self.record.name, msgspec.to_builtins(self.record))]


@dataclass(frozen=True, slots=True)
class EditEnvironment:
    """Change what is known about it."""

    action: ClassVar[str] = "environment.edit"

    name: str
    fields: dict[str, Any]

    def __call__(self, records: Tables, revision: int, at: int) -> Sequence[Change]:  # noqa: ARG002
        """Return the change; none where it is so already. Raises Problem (404)."""
        if self.name != PRODUCTION and self.name not in records.get(RECORD, {}):
            raise Problem(HTTPStatus.NOT_FOUND, f"There is no environment '{self.name}' any more.")
        before = environment_record(records, self.name)
        after = msgspec.structs.replace(before, **self.fields)
        return [] if after == before else [Change(RECORD, self.name, msgspec.to_builtins(after))]


@dataclass(frozen=True, slots=True)
class DeleteEnvironment:
    """Have every server close it, and take away what belongs to it: keys, tokens for it alone, approvals."""

    action: ClassVar[str] = "environment.delete"

    name: str

    def __call__(self, records: Tables, revision: int, at: int) -> Sequence[Change]:  # noqa: ARG002
        """Return the changes. Raises Problem (404)."""
        if self.name not in records.get(RECORD, {}):
            raise Problem(HTTPStatus.NOT_FOUND, f"There is no environment '{self.name}' any more.")
        keys = [key for plain in records.get(KEY, {}).values() if (key := read_key(plain)) is not None]
        gone = [key.id for key in keys if key.environment == self.name or key.scope.environments == (self.name,)]
        narrowed = [_without(key, self.name) for key in keys if len(key.scope.environments) > 1]
        approvals = records.get(APPROVAL, {})
        return [
            Change(RECORD, self.name, None),
            *forget(records, gone),
            *(key_change(key) for key in narrowed if key is not None),
            *(Change(APPROVAL, id_, None) for id_, each in approvals.items() if each.get("environment") == self.name),
        ]


@dataclass(frozen=True, slots=True)
class Begin:
    """Give an environment this configuration and nothing else, whatever an earlier one of its name has left."""

    wanted: Wanted
    action: str = "environment.clone"

    def __call__(self, records: Tables, revision: int, at: int) -> Sequence[Change]:
        """Return the changes."""
        changes = {(change.kind, change.key): change for change in _emptied(records)}
        for kind, table in self.wanted.records.items():
            for key, config in sorted(table.items()):
                change = set_configuration(kind, key, config, None, stamp=(revision, at))
                assert change is not None, "there is nothing before it"
                changes[kind, key] = change
        return list(changes.values())


def _without(key: Key, name: str) -> Key | None:
    """Return a token that is limited to several environments without one of them; None where it has no part in it."""
    rest = tuple(each for each in key.scope.environments if each != name)
    if len(rest) == len(key.scope.environments):
        return None
    return msgspec.structs.replace(key, scope=msgspec.structs.replace(key.scope, environments=rest))


def _emptied(records: Tables) -> list[Change]:
    """Return the changes that leave nothing, but for the record of the emergencies that were taken in."""
    return [Change(kind, key, None) for kind, table in records.items() if kind != ABSORPTION for key in table]


EMPTY = Begin(Wanted({}), "environment.empty")
