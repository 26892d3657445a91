"""`/admin/keys`: keys for apps, people and alerting systems."""

import secrets
import time
from collections import Counter
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from aiohttp import web

from wigwag_proto.codec import encode
from wigwag_server.admin import control_shapes
from wigwag_server.admin.answers import admit_to_server, author
from wigwag_server.admin.key_bodies import check_grant, covers, read_key_body, read_rotate_body
from wigwag_server.admin.parameters import Parameters
from wigwag_server.auth.key_commands import CreateKey, RevokeKey, RotateKey, find_key
from wigwag_server.auth.keys import Key, KeyKind, hash_token, new_token
from wigwag_server.auth.rights import Right
from wigwag_server.problems import Problem
from wigwag_server.services import Services
from wigwag_server.web.body import read_object
from wigwag_server.web.operation import operation


@operation(
    "Make a key",
    needs=Right.ADMINISTER,
    takes=control_shapes.KeyBody,
    gives={201: control_shapes.NewKey},
    refuses=(409,),
    of_server=True,
)
async def create_key(request: web.Request) -> web.Response:
    """POST /admin/keys: make a key. The answer is the only time that its token is shown."""
    services, caller = admit_to_server(request)
    Parameters(request).refuse()
    body = read_key_body(await read_object(request), services.environments)
    token = new_token(body.kind)
    key = Key(
        id=secrets.token_hex(8),
        kind=body.kind,
        name=body.name,
        hash=hash_token(token),
        environment=body.environment,
        role=body.role,
        scope=body.scope,
        flags=body.flags,
        created_at=_now_ms(),
        created_by=caller.name,
        expires_at=body.expires_at,
    )
    check_grant(caller, key)
    command = CreateKey(key, services.settings.limits.keys)
    await services.run_to_end(services.system.commit(command, author(request, caller, body.comment)))
    return _answer(shown(services, key, token=token), HTTPStatus.CREATED)


@operation(
    "List keys",
    needs=Right.ADMINISTER,
    takes=None,
    gives={200: control_shapes.KeyList},
    of_server=True,
)
async def list_keys(request: web.Request) -> web.Response:
    """GET /admin/keys: every key within the caller's limits, the newest first. Tokens are not stored, nor shown."""
    services, caller = admit_to_server(request)
    Parameters(request).refuse()
    keys = sorted(services.keys.all, key=lambda key: (-key.created_at, key.id))
    streams = _streams(services)
    return _answer({"keys": [shown(services, key, streams) for key in keys if covers(caller, key)]})


@operation(
    "Show one key",
    needs=Right.ADMINISTER,
    takes=None,
    gives={200: control_shapes.KeyAnswer},
    of_server=True,
)
async def show_key(request: web.Request) -> web.Response:
    """GET /admin/keys/{id}: whose it is, what it may do, and when it was last used."""
    services, caller = admit_to_server(request)
    Parameters(request).refuse()
    return _answer(shown(services, _within_reach(services, caller, request.match_info["id"])))


@operation(
    "Rotate a key",
    needs=Right.ADMINISTER,
    takes=control_shapes.RotateBody | None,
    gives={201: control_shapes.NewKey},
    refuses=(409,),
    of_server=True,
)
async def rotate_key(request: web.Request) -> web.Response:
    """POST /admin/keys/{id}/rotate: make a key in place of this one, which goes on for a while."""
    services, caller = admit_to_server(request)
    Parameters(request).refuse()
    old = _within_reach(services, caller, request.match_info["id"])
    body = read_rotate_body(await read_object(request, optional=True))
    token, now = new_token(old.kind), _now_ms()
    lifetime = None if old.expires_at is None else max(1, old.expires_at - old.created_at)
    key = msgspec.structs.replace(
        old,
        id=secrets.token_hex(8),
        hash=hash_token(token),
        created_at=now,
        created_by=caller.name,
        expires_at=body.expires_at or (None if lifetime is None else now + lifetime),
        rotated_from=old.id,
    )
    if old.id != caller.id:  # whose own token is to be as good as before may last as long as before
        check_grant(caller, key)
    command = RotateKey(key, body.overlap_ms, services.settings.limits.keys)
    await services.run_to_end(services.system.commit(command, author(request, caller, body.comment)))
    before = find_key(services.system.replica.records, old.id)
    return _answer({**shown(services, key, token=token), "rotated": shown(services, before)}, HTTPStatus.CREATED)


@operation(
    "Revoke a key",
    needs=Right.ADMINISTER,
    takes=None,
    gives={204: None},
    query=control_shapes.CommentQuery,
    refuses=(409,),
    of_server=True,
)
async def revoke_key(request: web.Request) -> web.Response:
    """DELETE /admin/keys/{id}: it opens nothing any more, and the streams that it has opened end."""
    services, caller = admit_to_server(request)
    parameters = Parameters(request, "comment")
    parameters.refuse()
    comment = parameters.text("comment") or ""
    key = _within_reach(services, caller, request.match_info["id"])
    command = RevokeKey(key.id)
    await services.run_to_end(services.system.commit(command, author(request, caller, comment)))
    return web.Response(status=HTTPStatus.NO_CONTENT)


def shown(
    services: Services, key: Key, streams: Mapping[str, int] | None = None, *, token: str | None = None
) -> dict[str, Any]:
    """Return a key as the API shows it; with `token`, for the one time that it is shown.

    `streams` are the open ones of this server, by the id of the key; they are counted where they are not given.
    """
    plain: dict[str, Any] = {
        "id": key.id,
        **({"key": token} if token else {}),
        "kind": key.kind,
        "name": key.name,
        "environment": key.environment,
    }
    if key.kind is KeyKind.ADMIN:
        plain |= {"role": key.role, **msgspec.to_builtins(key.scope)}
    if key.kind is KeyKind.RELAY:
        plain["environments"] = key.scope.environments
    if key.kind is KeyKind.HOOK:
        plain["flags"] = key.flags
    return {
        **plain,
        "createdAt": key.created_at,
        "createdBy": key.created_by,
        "expiresAt": key.expires_at,
        "expired": key.expired(_now_ms()),
        "rotatedFrom": key.rotated_from or None,
        "lastUsedAt": services.uses.last(key.id, services.system.replica.records),
        "streams": (_streams(services) if streams is None else streams).get(key.id, 0),
    }


def _within_reach(services: Services, caller: Key, key_id: str) -> Key:
    key = find_key(services.system.replica.records, key_id)
    if not covers(caller, key):
        raise Problem(HTTPStatus.FORBIDDEN, "This key reaches beyond what this token is limited to.")
    return key


def _streams(services: Services) -> Mapping[str, int]:
    hubs = (*services.hubs.values(), *services.key_logs.hubs)
    return Counter(connection.key_id for hub in hubs for connection in hub.connections)


def _now_ms() -> int:
    return round(time.time() * 1000)


def _answer(body: Any, status: HTTPStatus = HTTPStatus.OK) -> web.Response:
    return web.Response(status=status, body=encode(body), content_type="application/json")
