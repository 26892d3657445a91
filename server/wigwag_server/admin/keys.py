"""`/admin/keys`: keys for apps and people."""

import secrets
import time
from http import HTTPStatus
from typing import Any

from aiohttp import web

from wigwag_proto.codec import encode
from wigwag_server.admin.answers import admit_to_server, author
from wigwag_server.auth.keys import Key, KeyKind, PutKeys, hash_token, new_token
from wigwag_server.auth.rights import Right
from wigwag_server.problems import Problem
from wigwag_server.services import Services
from wigwag_server.web.body import read_object
from wigwag_server.web.operation import operation

FIELDS = ("kind", "environment", "name", "flags")
MOST_FLAGS = 100
MAX_NAME = 128


@operation("Make a key", needs=Right.ADMINISTER)
async def create_key(request: web.Request) -> web.Response:
    """POST /admin/keys: make a key. The answer is the only time that its token is shown."""
    services, caller = admit_to_server(request)
    body_in = await read_object(request)
    kind, environment, name = _read(services, body_in)
    token = new_token(kind)
    key = Key(
        id=secrets.token_hex(8),
        kind=kind,
        name=name,
        hash=hash_token(token),
        environment=environment,
        flags=tuple(body_in.get("flags", ())),
        created_at=round(time.time() * 1000),
        created_by=caller.name,
    )
    await services.run_to_end(services.system.commit(PutKeys((key,)), author(request, caller)))
    body = {
        "id": key.id,
        "key": token,
        "kind": key.kind,
        "environment": key.environment,
        "name": key.name,
        "createdAt": key.created_at,
    }
    return web.Response(status=HTTPStatus.CREATED, body=encode(body), content_type="application/json")


def _read(services: Services, body: dict[str, Any]) -> tuple[KeyKind, str | None, str]:
    """Check the whole body. Raises Problem (422) with everything that is wrong in it."""
    violations = [
        {"pointer": f"/{field}", "detail": f"unknown field; a key has {', '.join(FIELDS)}"}
        for field in body
        if field not in FIELDS
    ]
    if body.get("kind") not in tuple(KeyKind):
        violations.append({"pointer": "/kind", "detail": f"must be one of {', '.join(KeyKind)}"})
    name = body.get("name", "")
    if not isinstance(name, str) or len(name) > MAX_NAME or not name.isprintable():
        violations.append({"pointer": "/name", "detail": f"must be printable text of at most {MAX_NAME} characters"})
    environment = body.get("environment", "production")
    if not isinstance(environment, str) or environment not in services.environments:
        known = ", ".join(sorted(services.environments))
        violations.append({"pointer": "/environment", "detail": f"must be one of {known}"})
    flags = body.get("flags", [])
    if not isinstance(flags, list) or not all(isinstance(each, str) for each in flags) or len(flags) > MOST_FLAGS:
        wanted = f"must be a list of at most {MOST_FLAGS} keys of flags"
        violations.append({"pointer": "/flags", "detail": wanted})
    elif bool(flags) != (body.get("kind") == KeyKind.HOOK):
        violations.append({"pointer": "/flags", "detail": "says what a key of kind 'hook' may kill; others have none"})
    if violations:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "The key was not made.", violations=violations)
    kind = KeyKind(body["kind"])
    return kind, None if kind is KeyKind.ADMIN else environment, name or kind.value
