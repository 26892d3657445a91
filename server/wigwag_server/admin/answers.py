"""What the admin routes have in common: who asks, making a commit, and the form of an answer."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from aiohttp import web

from wigwag_proto.audit import Author
from wigwag_proto.codec import encode
from wigwag_proto.commit import Change, Cursor
from wigwag_proto.snapshot import Tables
from wigwag_server.admin.second_person import unless_proposed
from wigwag_server.auth.keys import Key
from wigwag_server.auth.peer import address_of
from wigwag_server.auth.rights import Right, Scope
from wigwag_server.environment import COMMIT_TIMEOUT_S, Command, Environment
from wigwag_server.environments import PRODUCTION
from wigwag_server.problems import Problem
from wigwag_server.services import SERVICES, Services
from wigwag_server.web.middleware import REQUEST_ID
from wigwag_server.web.operation import operation_of

logger = logging.getLogger(__name__)

CURSOR_HEADER = "Wigwag-Cursor"


def admit(request: web.Request) -> tuple[Services, Key, Environment]:
    """Return who asks, and the environment it is about. Raises Problem (401, 403, 404, 503)."""
    services, caller = admit_to_server(request)
    name = request.query.get("environment", PRODUCTION)
    check_environment(caller, name)
    return services, caller, services.known_environment(name)


def admit_to_server(request: web.Request) -> tuple[Services, Key]:
    """Return who asks, for what concerns no single environment. Raises Problem (401, 403, 503)."""
    services = request.app[SERVICES]
    right = operation_of(request.match_info.handler).needs
    assert isinstance(right, Right), "admin routes ask for a right"
    return services, services.guard.admit_to(request, right)


def check_environment(caller: Key, name: str) -> None:
    """Raise Problem (403) where a token is limited to other environments."""
    if not caller.scope.covers_environment(name):
        allowed = ", ".join(caller.scope.environments)
        raise Problem(HTTPStatus.FORBIDDEN, f"This token is limited to {allowed}, so it cannot be used on '{name}'.")


def author(request: web.Request, caller: Key, comment: str = "") -> Author:
    """Return on whose behalf a request changes something."""
    return Author(
        name=caller.name,
        key_id=caller.id,
        address=address_of(request),
        comment=comment,
        request=request.get(REQUEST_ID, ""),
    )


@dataclass(frozen=True, slots=True)
class Within:
    """A command that may touch only what is within a token's scope."""

    command: Command
    scope: Scope

    @property
    def action(self) -> str:
        """The command's own."""
        return self.command.action

    def __call__(self, records: Tables, revision: int, at: int) -> Sequence[Change]:
        """Return the command's changes. Raises Problem (403) when one is out of scope."""
        changes = self.command(records, revision, at)
        versions = ((each.kind, each.key, records.get(each.kind, {}).get(each.key), each.value) for each in changes)
        check_scope(self.scope, versions)
        return changes


def check_scope(scope: Scope, changes: Iterable[tuple[str, str, Any, Any]]) -> None:
    """Raise Problem (403) where one of these is out of scope: kind, key, and the record before and after."""
    for kind, key, before, after in changes:
        if kind == "flag" and not scope.covers_flag(key, before, after):
            detail = f"This token is limited to {_flags_of(scope)}; '{key}' is not among them."
            raise Problem(HTTPStatus.FORBIDDEN, detail)
        if kind == "segment" and scope.limits_flags:
            detail = f"This token is limited to {_flags_of(scope)}. A segment may concern other flags too."
            raise Problem(HTTPStatus.FORBIDDEN, detail)


def _flags_of(scope: Scope) -> str:
    parts = [f"flags named {' or '.join(scope.flags)}"] if scope.flags else []
    parts += [f"flags tagged {' or '.join(scope.tags)}"] if scope.tags else []
    return " and ".join(parts)


async def commit(
    request: web.Request,
    environment: Environment,
    command: Command,
    caller: Key,
    *,
    comment: str = "",
    timeout_s: float = COMMIT_TIMEOUT_S,
) -> Cursor:
    """Commit, whether or not the caller waits for it: what was begun is not left half-known.

    Raises StoreUnavailable, what the command raises, Problem (403) where the caller's scope is left, and Waiting where
    the environment asks for a second person first.
    """
    services = request.app[SERVICES]
    by = author(request, caller, comment)
    permitted, by = await unless_proposed(services, environment, Within(command, caller.scope), by)
    cursor = await services.run_to_end(environment.commit(permitted, by, timeout_s=timeout_s))
    logger.info("request %s: %s by %s: %s is at %s", by.request, command.action, by.name, environment.name, cursor)
    return cursor


def answer(
    body: Any, cursor: Cursor | None, status: HTTPStatus = HTTPStatus.OK, *, etag: str | None = None
) -> web.Response:
    """Return JSON, with the state that it was read from in a header."""
    headers = {CURSOR_HEADER: str(cursor), **({"ETag": f'"{etag}"'} if etag else {})}
    return web.Response(status=status, body=encode(body), content_type="application/json", headers=headers)
