"""What the admin routes have in common: who asks, making a commit, and the form of an answer."""

import logging
from http import HTTPStatus
from typing import Any

from aiohttp import web

from wigwag_proto.codec import encode
from wigwag_proto.commit import Cursor
from wigwag_server.auth.keys import Key, KeyKind
from wigwag_server.environment import COMMIT_TIMEOUT_S, Command, Environment
from wigwag_server.services import SERVICES, Services

logger = logging.getLogger(__name__)

CURSOR_HEADER = "Wigwag-Cursor"


def admit(request: web.Request) -> tuple[Services, Key, Environment]:
    """Return who asks, and the environment it is about. Raises Problem (401, 403, 404, 503)."""
    services = request.app[SERVICES]
    caller = services.guard.admit(request, KeyKind.ADMIN)
    return services, caller, services.known_environment(request.query.get("environment", "production"))


async def commit(
    services: Services,
    environment: Environment,
    command: Command,
    caller: Key,
    *,
    timeout_s: float = COMMIT_TIMEOUT_S,
) -> Cursor:
    """Commit, whether or not the caller waits for it: what was begun is not left half-known."""
    cursor = await services.run_to_end(environment.commit(command, timeout_s=timeout_s))
    logger.info("%s by %s: %s is at %s", type(command).__name__, caller.name, environment.name, cursor)
    return cursor


def answer(
    body: Any, cursor: Cursor | None, status: HTTPStatus = HTTPStatus.OK, *, etag: str | None = None
) -> web.Response:
    """Return JSON, with the state that it was read from in a header."""
    headers = {CURSOR_HEADER: str(cursor), **({"ETag": f'"{etag}"'} if etag else {})}
    return web.Response(status=status, body=encode(body), content_type="application/json", headers=headers)
