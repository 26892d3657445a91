"""Links that sign a browser in: one use, a few minutes. Only the hash of what stands in a link is stored. Pure."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, ClassVar

from wigwag_proto.commit import Change
from wigwag_proto.snapshot import Tables
from wigwag_server.auth.keys import hash_token
from wigwag_server.problems import Problem

RECORD = "login-link"
PATH = "/ui/login/"
MOST_WAITING = 100


def new_secret() -> str:
    """Return what stands in a new link."""
    return secrets.token_urlsafe(32)


@dataclass(frozen=True, slots=True)
class MakeLink:
    """Make a link good for signing in as a key. Forgets those that have run out."""

    action: ClassVar[str] = "login-link.create"

    secret: str = field(repr=False)
    key_id: str
    lasts_s: float

    def __call__(self, records: Tables, revision: int, at: int) -> Sequence[Change]:  # noqa: ARG002
        """Return the changes. Raises Problem (409) when too many wait to be used."""
        known = records.get(RECORD, {})
        over = [name for name, plain in known.items() if plain["until"] <= at]
        if sum(plain["keyId"] == self.key_id for plain in known.values()) - len(over) >= MOST_WAITING:
            detail = f"{MOST_WAITING} links of this token wait to be used. They run out within minutes."
            raise Problem(HTTPStatus.CONFLICT, detail)
        until = at + round(self.lasts_s * 1000)
        made = Change(RECORD, _name(self.secret), {"keyId": self.key_id, "until": until})
        return [made, *(Change(RECORD, name, None) for name in over)]


@dataclass(frozen=True, slots=True)
class UseLink:
    """Use a link up: of two who use it at the same moment, one is told that it was used."""

    action: ClassVar[str] = "login-link.use"

    secret: str = field(repr=False)

    def __call__(self, records: Tables, revision: int, at: int) -> Sequence[Change]:  # noqa: ARG002
        """Return the change. Raises Problem (410)."""
        find_link(records, self.secret, at)
        return [Change(RECORD, _name(self.secret), None)]


def find_link(records: Tables, secret: str, now_ms: float) -> dict[str, Any]:
    """Return the record of a link. Raises Problem (410) for one that was used, has run out, or never was."""
    found: dict[str, Any] | None = records.get(RECORD, {}).get(_name(secret))
    if found is None or found["until"] <= now_ms:
        detail = "This link was used already, or has run out. Get another one with: wigwag login-link"
        raise Problem(HTTPStatus.GONE, detail)
    return found


def _name(secret: str) -> str:
    return hash_token(secret)[:32]
