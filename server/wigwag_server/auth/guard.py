"""In front of every route: which key is this, and may it come in here."""

import time
from http import HTTPStatus

from aiohttp import web

from wigwag_server.auth.keys import Key, KeyKind, Keys
from wigwag_server.auth.rights import RIGHTS, Right, roles_with
from wigwag_server.problems import Problem

CHALLENGE = {"WWW-Authenticate": 'Bearer realm="wigwag"'}


class Guard:
    """Admits requests by their `Authorization: Bearer <key>` header."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def admit(self, request: web.Request, *kinds: KeyKind, api_key: bool = False) -> Key:
        """Return the key of the request. Raises Problem: 401 for no valid key, 403 for one of another kind, 503.

        With `api_key` it may also stand in `X-API-Key`, as OFREP has it.
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
        key = self._keys.find(token.strip())
        if key is None or key.expired(time.time() * 1000):
            raise Problem(
                HTTPStatus.UNAUTHORIZED,
                "This key is not valid here: it may be mistyped, expired, revoked, or of another server.",
                headers=CHALLENGE,
            )
        if key.kind not in kinds:
            raise Problem(HTTPStatus.FORBIDDEN, f"A key of kind '{key.kind}' cannot do this. {_wanted(kinds)}")
        return key

    def admit_to(self, request: web.Request, right: Right) -> Key:
        """Return the admin token of the request. Raises Problem: as `admit`, and 403 where its role lacks the right."""
        key = self.admit(request, KeyKind.ADMIN)
        if right not in RIGHTS[key.role]:
            enough = " or ".join(f"'{role}'" for role in roles_with(right))
            detail = f"A token of the role '{key.role}' may not do this. It takes the role {enough}."
            raise Problem(HTTPStatus.FORBIDDEN, detail)
        return key


def _wanted(kinds: tuple[KeyKind, ...]) -> str:
    names = " or ".join("an admin token" if kind is KeyKind.ADMIN else f"a key of kind '{kind}'" for kind in kinds)
    return f"It takes {names}."
