"""In front of every route: which key is this, and may it come in here."""

import hmac
import logging
import math
import random
import time
from collections import Counter
from http import HTTPStatus
from ipaddress import IPv6Address, ip_address

from aiohttp import web

from wigwag_server.auth.buckets import Buckets
from wigwag_server.auth.keys import Key, KeyKind, Keys
from wigwag_server.auth.last_use import LastUse
from wigwag_server.auth.peer import address_of
from wigwag_server.auth.rights import RIGHTS, Right, roles_with
from wigwag_server.auth.sessions import SESSION, Session
from wigwag_server.problems import Problem
from wigwag_server.settings import Limits

logger = logging.getLogger(__name__)

CSRF_HEADER = "Wigwag-CSRF"
CHALLENGE = {"WWW-Authenticate": 'Bearer realm="wigwag"'}
# Whoever is told to wait and has a valid key by then is let in at once. So this may be long: what it slows down are
# apps whose key was revoked, which would come back sooner than after a 401.
WAIT_S = (60, 120)
# A kill waits for nothing, and reading costs little.
LIMITED = frozenset({Right.EDIT, Right.REVIVE, Right.ADMINISTER})


class Guard:
    """Admits requests by their `Authorization: Bearer <key>` header, and to `/admin` also by a session."""

    def __init__(self, keys: Keys, uses: LastUse, limits: Limits) -> None:
        self.refused: Counter[str] = Counter()  # keys that are not valid, by what became of the request
        self._keys = keys
        self._uses = uses
        self._failures = Buckets(limits.failed_keys, limits.failed_keys_per_s)
        self._warnings = Buckets(1, 1 / 60)
        self._writes = Buckets(limits.writes, limits.writes_per_s)

    def admit(self, request: web.Request, *kinds: KeyKind, api_key: bool = False) -> Key:
        """Return the key of the request. With `api_key` it may also stand in `X-API-Key`, as OFREP has it.

        Raises Problem: 401 for no valid key, 403 for one of another kind, 429 after too many keys that are none, 503.
        """
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if api_key and not token and "X-API-Key" in request.headers:
            scheme, token = "bearer", request.headers["X-API-Key"]
        if scheme.lower() != "bearer" or not token.strip():
            raise Problem(
                HTTPStatus.UNAUTHORIZED,
                f"Send a key in the header 'Authorization: Bearer <key>'. {_wanted(kinds)}",
                headers=CHALLENGE,
            )
        if not self._keys.known:
            # A 401 would make clients wait for minutes.
            detail = "This server has not reached its store yet, so it cannot tell which keys are valid."
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, headers={"Retry-After": "1"})
        now_ms = time.time() * 1000
        key = self._keys.find(token.strip())
        if key is None or key.expired(now_ms):
            raise self._refusal(request)
        self._uses.used(key.id, now_ms)
        if key.kind not in kinds:
            raise Problem(HTTPStatus.FORBIDDEN, f"A key of kind '{key.kind}' cannot do this. {_wanted(kinds)}")
        return key

    def admit_to(self, request: web.Request, right: Right) -> Key:
        """Return the admin token of the request.

        Raises Problem: as `admit`, 403 where its role lacks the right, and 429 where it writes too much.
        """
        session = request.get(SESSION)
        key = self.admit(request, KeyKind.ADMIN) if session is None else self._admit_session(request, session)
        if right not in RIGHTS[key.role]:
            enough = " or ".join(f"'{role}'" for role in roles_with(right))
            detail = f"A token of the role '{key.role}' may not do this. It takes the role {enough}."
            raise Problem(HTTPStatus.FORBIDDEN, detail)
        if right in LIMITED and request.method not in ("GET", "HEAD"):
            wait_s = self._writes.take(key.id, time.monotonic())
            if wait_s:
                detail = (
                    "This token writes faster than the server permits. An import changes many flags in one request."
                )
                headers = {"Retry-After": str(math.ceil(wait_s))}
                raise Problem(HTTPStatus.TOO_MANY_REQUESTS, detail, headers=headers)
        return key

    def _admit_session(self, request: web.Request, session: Session) -> Key:
        """Return the token that a browser has signed in with.

        A browser sends its cookie along with whatever a page asks for, so a change has to come with what only our own
        pages know. Raises Problem (403).
        """
        if request.method not in ("GET", "HEAD") and not hmac.compare_digest(
            request.headers.get(CSRF_HEADER, "").encode(errors="replace"), session.csrf().encode()
        ):
            detail = f"With a cookie, a change needs the header {CSRF_HEADER}, which pages of this server send."
            raise Problem(HTTPStatus.FORBIDDEN, detail)
        self._uses.used(session.key.id, time.time() * 1000)
        return session.key

    def _refusal(self, request: web.Request) -> Problem:
        address = network(address_of(request))
        if self._failures.take(address, time.monotonic()) == 0:
            self.refused["unauthorized"] += 1
            return Problem(
                HTTPStatus.UNAUTHORIZED,
                "This key is not valid here: it may be mistyped, expired, revoked, or of another server.",
                headers=CHALLENGE,
            )
        self.refused["throttled"] += 1
        if self._warnings.take(address, time.monotonic()) == 0:
            logger.warning("too many keys that are not valid come from %s", address)
        return Problem(
            HTTPStatus.TOO_MANY_REQUESTS,
            "Too many keys that are not valid came from this address. A valid one is taken at any time.",
            headers={"Retry-After": str(random.randint(*WAIT_S))},  # noqa: S311 - so that not all come back at once
        )


def network(address: str) -> str:
    """Return what stands for whoever has an address: of IPv6, which people get by the net, the first 64 bits."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return address
    return str(parsed.ipv4_mapped or IPv6Address(int(parsed) >> 64 << 64))


def _wanted(kinds: tuple[KeyKind, ...]) -> str:
    names = " or ".join("an admin token" if kind is KeyKind.ADMIN else f"a key of kind '{kind}'" for kind in kinds)
    return f"It takes {names}."
