"""The first admin token of a fresh store."""

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from wigwag_proto.commit import Change
from wigwag_proto.snapshot import Tables
from wigwag_server.auth.keys import MIN_TOKEN_LENGTH, RECORD, Key, KeyKind, hash_token, key_change, new_token, read_key
from wigwag_server.services import Services
from wigwag_server.settings import BadSetting


@dataclass(frozen=True, slots=True)
class FirstKeys:
    """Add these keys if there is no admin key yet: of several servers that start at once, one succeeds."""

    action: ClassVar[str] = "key.bootstrap"

    keys: tuple[Key, ...]

    def __call__(self, records: Tables, revision: int, at: int) -> Sequence[Change]:  # noqa: ARG002
        """Return the changes, or none when somebody can administer the server already."""
        known = (read_key(plain) for plain in records.get(RECORD, {}).values())
        if any(key is not None and key.administers(at) for key in known):
            return []
        return [key_change(key) for key in self.keys]


def check_bootstrap_token(token: str | None) -> None:
    """Refuse a token that could be guessed or mistyped into a header. Raises BadSetting."""
    if token is not None and (len(token) < MIN_TOKEN_LENGTH or not token.isascii() or not token.isprintable()):
        raise BadSetting(
            f"WIGWAG_BOOTSTRAP_TOKEN must be at least {MIN_TOKEN_LENGTH} printable ASCII characters; "
            "`openssl rand -hex 32` makes a good one"
        )


async def first_admin_token(services: Services) -> str | None:
    """Make sure that somebody can administer the server.

    Returns the token that was made up for that, to be shown once; None when there was an admin key, when the
    settings named the token, or when another server was faster. Raises StoreUnavailable.
    """
    if services.keys.any_admin(time.time() * 1000):
        return None
    given = services.settings.bootstrap_token
    token = given or new_token(KeyKind.ADMIN)
    await services.run_to_end(services.system.commit(FirstKeys((make_key(KeyKind.ADMIN, "bootstrap", token),))))
    return token if given is None and services.keys.find(token) is not None else None


def make_key(kind: KeyKind, name: str, token: str, environment: str | None = None) -> Key:
    """Return the record of a key whose token is known already."""
    return Key(
        id=secrets.token_hex(8),
        kind=kind,
        name=name,
        hash=hash_token(token),
        environment=environment,
        created_at=round(time.time() * 1000),
        created_by="bootstrap",
    )
