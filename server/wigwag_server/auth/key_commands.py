"""What can be done to keys, as pure functions of `_system`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import ClassVar

import msgspec

from wigwag_proto.commit import Change
from wigwag_proto.snapshot import Tables
from wigwag_server.auth.keys import RECORD, Key, key_change, read_key
from wigwag_server.environment import USE
from wigwag_server.problems import Problem

# Keys that have run out are shown for so long, and then forgotten with the next one that is made.
FORGET_MS = 30 * 86_400_000


@dataclass(frozen=True, slots=True)
class CreateKey:
    """Make a key valid."""

    action: ClassVar[str] = "key.create"

    key: Key
    limit: int

    def __call__(self, records: Tables, revision: int, at: int) -> Sequence[Change]:  # noqa: ARG002
        """Return the changes. Raises Problem (409) when there are too many keys."""
        forgotten = list(_forgotten(records, at))
        check_room(records, self.limit + len(forgotten))
        return [key_change(self.key), *forget(records, forgotten)]


@dataclass(frozen=True, slots=True)
class RotateKey:
    """Make `key` valid in place of the one that it was rotated from, which goes on for a while."""

    action: ClassVar[str] = "key.rotate"

    key: Key
    overlap_ms: int
    limit: int

    def __call__(self, records: Tables, revision: int, at: int) -> Sequence[Change]:  # noqa: ARG002
        """Return the changes. Raises Problem: 404, or 409 for one that has run out, or too many keys."""
        old = find_key(records, self.key.rotated_from)
        if old.expired(at):
            detail = "This key has run out, so there is nothing to take its place without a gap. Make a new one."
            raise Problem(HTTPStatus.CONFLICT, detail)
        forgotten = list(_forgotten(records, at))
        check_room(records, self.limit + len(forgotten))
        end = at + self.overlap_ms
        ending = msgspec.structs.replace(old, expires_at=min(end, old.expires_at or end))
        return [key_change(self.key), key_change(ending), *forget(records, forgotten)]


@dataclass(frozen=True, slots=True)
class RevokeKey:
    """Make a key invalid, everywhere and at once."""

    action: ClassVar[str] = "key.revoke"

    key_id: str

    def __call__(self, records: Tables, revision: int, at: int) -> Sequence[Change]:  # noqa: ARG002
        """Return the changes. Raises Problem: 404, or 409 for the last token that can do everything."""
        if find_key(records, self.key_id).administers(at):
            others = (read_key(plain) for key_id, plain in records[RECORD].items() if key_id != self.key_id)
            if not any(key is not None and key.administers(at) for key in others):
                detail = (
                    "This is the last admin token without limits: nobody could administer this server any more. "
                    "Make another one first, or rotate this one."
                )
                raise Problem(HTTPStatus.CONFLICT, detail)
        return forget(records, [self.key_id])


def find_key(records: Tables, key_id: str) -> Key:
    """Return a key by its id. Raises Problem (404)."""
    key = read_key(records.get(RECORD, {}).get(key_id))
    if key is None:
        raise Problem(HTTPStatus.NOT_FOUND, "There is no key with this id. GET /admin/keys lists what there is.")
    return key


def forget(records: Tables, key_ids: Sequence[str]) -> list[Change]:
    """Return the changes that remove keys, and what is known of their use."""
    used = records.get(USE, {})
    return [
        *(Change(RECORD, key_id, None) for key_id in key_ids),
        *(Change(USE, key_id, None) for key_id in key_ids if key_id in used),
    ]


def check_room(records: Tables, limit: int) -> None:
    """Raise Problem (409) where there are too many keys already."""
    known = len(records.get(RECORD, {}))
    if known >= limit:
        raise Problem(HTTPStatus.CONFLICT, f"There are {known} keys already, which is the limit. Revoke some.")


def _forgotten(records: Tables, at: int) -> Iterator[str]:
    for key_id, plain in records.get(RECORD, {}).items():
        key = read_key(plain)
        if key is not None and key.expires_at is not None and key.expires_at + FORGET_MS < at:
            yield key_id
