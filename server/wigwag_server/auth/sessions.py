"""A browser that has signed in: what its cookie holds, and until when that counts. Pure, but for what it looks up.

A session is good for one admin token, and ends with it. The cookie is signed with the token's hash, which only servers
of this store know and whoever holds the token itself. So every server takes it, also while the store is away: somebody
who wants to kill then is let in.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from aiohttp import web

from wigwag_proto.commit import Change
from wigwag_proto.replica import Replica
from wigwag_proto.snapshot import Tables
from wigwag_server.auth.keys import Key, KeyKind, Keys
from wigwag_server.settings import SessionTimes

# The sessions that were signed out before their time, in `_system`: each with the end that it had at most.
ENDED = "session-end"
COOKIE = re.compile(r"([^.]{1,64})\.([\w-]{1,64})\.(\d{1,12})\.(\d{1,12})\.([0-9a-f]{64})", re.ASCII)
# A session that goes on is noted in its cookie no more often than this.
RENEW_S = 60


@dataclass(frozen=True, slots=True)
class Session:
    """A session of a key. `begun_s` and `seen_s`, when somebody last did something in it, are Unix times."""

    key: Key
    id: str
    begun_s: int
    seen_s: int

    @classmethod
    def begin(cls, key: Key, now_s: float) -> Self:
        """Return a new one."""
        return cls(key, secrets.token_urlsafe(16), int(now_s), int(now_s))

    def cookie(self) -> str:
        """Return what the browser keeps."""
        return f"{self.key.id}.{self.id}.{self.begun_s}.{self.seen_s}.{self._signature()}"

    def csrf(self) -> str:
        """Return what a page of ours sends along with whatever changes something: no other page can know it."""
        return self._sign(f"csrf:{self.id}")

    def renewed(self, now_s: float) -> Self:
        """Return it as one in which somebody has just done something."""
        return replace(self, seen_s=int(now_s))

    def until_s(self, times: SessionTimes) -> float:
        """Return when it ends if nobody does anything any more (Unix s)."""
        return min(self.begun_s + times.longest_s, self.seen_s + times.idle_s)

    def is_signed_by(self, signature: str) -> bool:
        """Say whether this is the signature of what the session says."""
        return hmac.compare_digest(signature, self._signature())

    def _signature(self) -> str:
        return self._sign(f"session:{self.id}:{self.begun_s}:{self.seen_s}")

    def _sign(self, text: str) -> str:
        return hmac.new(self.key.hash.encode(), text.encode(), hashlib.sha256).hexdigest()


SESSION = web.RequestKey("session", Session)


class Sessions:
    """Finds the session of a cookie."""

    def __init__(self, keys: Keys, system: Replica, times: SessionTimes) -> None:
        """`system` is the replica of `_system`."""
        self.times = times
        self._keys = keys
        self._system = system

    def find(self, cookie: str, now_s: float) -> Session | None:
        """Return the session, or None for one that is over, forged, or of a token that is not valid any more."""
        match = COOKIE.fullmatch(cookie)
        key = self._keys.of_id(match[1]) if match else None
        if match is None or key is None or key.kind is not KeyKind.ADMIN:
            return None
        session = Session(key, match[2], int(match[3]), int(match[4]))
        if not session.is_signed_by(match[5]) or not self.goes_on(session, now_s):
            return None
        return session

    def goes_on(self, session: Session, now_s: float) -> bool:
        """Say whether a session has not come to its end."""
        key = self._keys.of_id(session.key.id)
        if key is None or key.expired(now_s * 1000) or now_s >= session.until_s(self.times):
            return False
        return session.id not in self._system.records.get(ENDED, {})


@dataclass(frozen=True, slots=True)
class EndSession:
    """Have no server take the cookie any more. Forgets the ends of sessions that would be over by themselves."""

    action: ClassVar[str] = "session.end"

    session: Session
    times: SessionTimes

    def __call__(self, records: Tables, revision: int, at: int) -> Sequence[Change]:  # noqa: ARG002
        """Return the changes."""
        over = [key for key, plain in records.get(ENDED, {}).items() if plain["until"] <= at]
        until = round((self.session.begun_s + self.times.longest_s) * 1000)
        own = Change(ENDED, self.session.id, {"keyId": self.session.key.id, "until": until})
        return [own, *(Change(ENDED, key, None) for key in over)]
