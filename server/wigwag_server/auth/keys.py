"""API keys: what they look like, how they are stored, and the index that finds them. Pure.

A token is 256 random bits. Only its SHA-256 is stored: a plain hash is right here, since there is nothing to guess.
"""

import hashlib
import hmac
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec

from wigwag_proto.commit import Change, Commit, Epoch
from wigwag_proto.replica import Replica
from wigwag_proto.snapshot import Tables
from wigwag_server.auth.rights import Role, Scope

RECORD = "key"
MIN_TOKEN_LENGTH = 16


class KeyKind(StrEnum):
    """Who holds a key: an app's server side, a browser or phone, an operator, or an alerting system."""

    SERVER = "server"
    CLIENT = "client"
    ADMIN = "admin"
    HOOK = "hook"


class Key(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A key as it is stored. All but admin tokens belong to one environment; times are Unix times in ms.

    `role` and `scope` are an admin token's. `flags` (shell patterns) are those that a hook may kill, and it may do
    nothing else. `rotated_from` is the id of the key that this one takes the place of.
    """

    id: str
    kind: KeyKind
    name: str
    hash: str
    environment: str | None = None
    role: Role = Role.ADMIN
    scope: Scope = Scope()
    flags: tuple[str, ...] = ()
    created_at: int
    created_by: str = ""
    expires_at: int | None = None
    rotated_from: str = ""

    def __repr__(self) -> str:
        """Leave the hash out: sessions are signed with it, and representations end up in logs."""
        return f"Key(id={self.id!r}, kind={self.kind.value!r}, name={self.name!r})"

    def expired(self, now_ms: float) -> bool:
        """Say whether its time is over."""
        return self.expires_at is not None and now_ms >= self.expires_at

    def administers(self, now_ms: float) -> bool:
        """Say whether its holder can do everything on this server: while there is such a key, nobody is locked out."""
        everything = self.kind is KeyKind.ADMIN and self.role is Role.ADMIN and self.scope == Scope()
        return everything and not self.expired(now_ms)


def new_token(kind: KeyKind) -> str:
    """Return a fresh token; its beginning tells people and secret scanners what it is."""
    return f"ww_{kind}_{secrets.token_urlsafe(32)}"


def hash_token(token: str) -> str:
    """Return what is stored in place of the token."""
    return hashlib.sha256(token.encode(errors="surrogateescape")).hexdigest()


@dataclass(frozen=True, slots=True)
class PutKeys:
    """Make keys valid, or replace what is stored of them."""

    keys: tuple[Key, ...]
    action: str = "key.create"

    def __call__(self, records: Tables, revision: int, at: int) -> Sequence[Change]:  # noqa: ARG002
        """Return the changes."""
        return [key_change(key) for key in self.keys]


def key_change(key: Key) -> Change:
    """Return the change of `_system` that makes the key valid."""
    return Change(RECORD, key.id, msgspec.to_builtins(key))


def read_key(plain: Any) -> Key | None:
    """Read a record; None where it was removed, or is of a kind that this release does not know: it opens nothing."""
    try:
        return None if plain is None else msgspec.convert(plain, Key)
    except msgspec.ValidationError:
        return None


class Keys:
    """Finds keys by their tokens. Follows the replica of `_system` as a listener."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica
        self._by_hash: dict[str, Key] = {}
        self._by_id: dict[str, Key] = {}

    def find(self, token: str) -> Key | None:
        """Return the valid key that this is the token of."""
        digest = hash_token(token)
        key = self._by_hash.get(digest)
        # The look-up above takes time that depends on the hash alone, which says nothing of the token.
        return key if key is not None and hmac.compare_digest(key.hash, digest) else None

    def of_id(self, key_id: str) -> Key | None:
        """Return the key of that id."""
        return self._by_id.get(key_id)

    @property
    def known(self) -> bool:
        """Whether it is known yet which keys there are."""
        return self._replica.cursor is not None

    @property
    def all(self) -> Collection[Key]:
        """Every key, expired ones included."""
        return self._by_id.values()

    def any_admin(self, now_ms: float) -> bool:
        """Say whether anybody can administer this server."""
        return any(key.administers(now_ms) for key in self._by_id.values())

    def valid(self, key_id: str, now_ms: float) -> bool:
        """Say whether a key that let somebody in would still do so."""
        key = self._by_id.get(key_id)
        return key is not None and not key.expired(now_ms)

    def loaded(self) -> None:
        """Read all keys anew."""
        self._by_hash.clear()
        self._by_id.clear()
        for key_id in self._replica.records.get(RECORD, {}):
            self._read(key_id)

    def committed(self, epoch: Epoch, commit: Commit) -> None:  # noqa: ARG002 - a listener's signature
        """Read the keys that have changed."""
        for change in commit.changes:
            if change.kind == RECORD:
                self._read(change.key)

    def _read(self, key_id: str) -> None:
        if (old := self._by_id.pop(key_id, None)) is not None:
            self._by_hash.pop(old.hash, None)
        key = read_key(self._replica.records.get(RECORD, {}).get(key_id))
        if key is None:
            return
        self._by_id[key_id] = key
        self._by_hash[key.hash] = key
