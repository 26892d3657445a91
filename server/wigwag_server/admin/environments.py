"""`/admin/environments`: making, describing and deleting them."""

import logging
import time
from collections import Counter
from http import HTTPStatus
from typing import Any

from aiohttp import web

from wigwag_proto.audit import Author
from wigwag_proto.codec import encode
from wigwag_proto.commit import Cursor
from wigwag_proto.errors import StoreUnavailable
from wigwag_server.admin import control_shapes
from wigwag_server.admin.answers import CURSOR_HEADER, admit_to_server, author, check_environment
from wigwag_server.admin.configuration import Wanted
from wigwag_server.admin.environment_bodies import read_create_body, read_edit_body
from wigwag_server.admin.environment_commands import (
    EMPTY,
    Begin,
    CreateEnvironment,
    DeleteEnvironment,
    EditEnvironment,
)
from wigwag_server.admin.parameters import Parameters
from wigwag_server.admin.transfers import whole_configuration
from wigwag_server.auth.rights import Right
from wigwag_server.environment import COMMIT_TIMEOUT_S
from wigwag_server.environments import PRODUCTION, EnvironmentRecord, environment_record
from wigwag_server.problems import Problem
from wigwag_server.services import Services
from wigwag_server.web.body import read_object
from wigwag_server.web.operation import operation

logger = logging.getLogger(__name__)


@operation(
    "List environments",
    needs=Right.READ,
    takes=None,
    gives={200: control_shapes.EnvironmentList},
    of_server=True,
)
async def list_environments(request: web.Request) -> web.Response:
    """GET /admin/environments: those that the token may look into, by name."""
    services, caller = admit_to_server(request)
    Parameters(request).refuse()
    names = [name for name in sorted(services.environments) if caller.scope.covers_environment(name)]
    keys = Counter(key.environment for key in services.keys.all)
    return _answer({"environments": [_shown(services, name, keys) for name in names]})


@operation(
    "Show one environment",
    needs=Right.READ,
    takes=None,
    gives={200: control_shapes.EnvironmentAnswer},
    of_server=True,
)
async def show_environment(request: web.Request) -> web.Response:
    """GET /admin/environments/{name}: how much is in it, and whether its changes wait for a second person."""
    services, caller = admit_to_server(request)
    name = request.match_info["name"]
    check_environment(caller, name)
    Parameters(request).refuse()
    return _answer(_shown(services, services.environment(name).name))


@operation(
    "Make an environment",
    needs=Right.ADMINISTER,
    takes=control_shapes.EnvironmentBody,
    gives={201: control_shapes.EnvironmentAnswer},
    refuses=(404, 409),
    of_server=True,
)
async def create_environment(request: web.Request) -> web.Response:
    """POST /admin/environments: an empty one, or with the flags and segments (but not the kills) of another."""
    services, caller = admit_to_server(request)
    Parameters(request).refuse()
    body = read_create_body(await read_object(request))
    check_environment(caller, body.name)
    wanted = Wanted({})
    if body.clone_from is not None:
        check_environment(caller, body.clone_from)
        wanted = whole_configuration(services.known_environment(body.clone_from).replica.records)
    record = EnvironmentRecord(
        name=body.name,
        description=body.description,
        approvals=body.approvals,
        created_at=round(time.time() * 1000),
        created_by=caller.name,
    )
    by = author(request, caller, body.comment)
    cursor = await services.run_to_end(_create(services, record, wanted, by))
    return _answer(_shown(services, body.name), HTTPStatus.CREATED, cursor)


@operation(
    "Change what is known about an environment",
    needs=Right.ADMINISTER,
    takes=control_shapes.EnvironmentPatch,
    gives={200: control_shapes.EnvironmentAnswer},
    refuses=(409,),
    of_server=True,
)
async def edit_environment(request: web.Request) -> web.Response:
    """PATCH /admin/environments/{name}: its description, and whether changes need a second person."""
    services, caller = admit_to_server(request)
    name = request.match_info["name"]
    check_environment(caller, name)
    services.environment(name)
    Parameters(request).refuse()
    body = read_edit_body(await read_object(request))
    command = EditEnvironment(name, body.fields)
    await services.run_to_end(services.system.commit(command, author(request, caller, body.comment)))
    if body.fields.get("sample_contexts") is False:
        await _forget_samples(services, name)
    return _answer(_shown(services, name))


@operation(
    "Delete an environment",
    needs=Right.ADMINISTER,
    takes=None,
    gives={204: None},
    query=control_shapes.ConfirmQuery,
    refuses=(409,),
    of_server=True,
)
async def delete_environment(request: web.Request) -> web.Response:
    """DELETE /admin/environments/{name}?confirm={name}: with its flags, segments and keys; its streams end."""
    services, caller = admit_to_server(request)
    name = request.match_info["name"]
    check_environment(caller, name)
    if name == PRODUCTION:
        raise Problem(HTTPStatus.CONFLICT, f"'{PRODUCTION}' is always there. Its flags can be deleted one by one.")
    services.known_environment(name)
    parameters = Parameters(request, "confirm", "comment")
    parameters.refuse()
    if parameters.text("confirm") != name:
        detail = f"This deletes '{name}' with its flags, segments and keys. If that is meant, add ?confirm={name}."
        wrong = {"parameter": "confirm", "detail": f"must be {name}"}
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, violations=[wrong])
    await services.run_to_end(_delete(services, name, author(request, caller, parameters.text("comment") or "")))
    return web.Response(status=HTTPStatus.NO_CONTENT)


async def _create(services: Services, record: EnvironmentRecord, wanted: Wanted, by: Author) -> Cursor | None:
    """Make it, wait until this server follows it, and give it its configuration."""
    name = record.name
    await services.system.commit(CreateEnvironment(record, services.settings.limits.environments), by)
    try:
        return await _begin(services, name, wanted, by)
    except StoreUnavailable as error:
        detail = (
            f"The environment '{name}' was made, but it is not certain whether it has got its configuration: {error}. "
            "Look at it; promote to it what it lacks, or delete it and make it again."
        )
        raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, headers={"Retry-After": "1"}) from error


async def _begin(services: Services, name: str, wanted: Wanted, by: Author) -> Cursor:
    if not await services.system.wait_until(lambda: name in services.environments, COMMIT_TIMEOUT_S):
        raise StoreUnavailable(f"{name} was not opened in time")
    environment = services.environments[name]
    if not await environment.wait_until(lambda: not environment.degraded, COMMIT_TIMEOUT_S):
        raise StoreUnavailable(f"{name} is not known yet")
    return await environment.commit(Begin(wanted), by)


async def _delete(services: Services, name: str, by: Author) -> None:
    await services.environments[name].commit(EMPTY, by)
    await services.system.commit(DeleteEnvironment(name), by)
    await _forget_samples(services, name)


async def _forget_samples(services: Services, name: str) -> None:
    try:
        await services.samples.forget(name)
    except StoreUnavailable:
        logger.warning("the samples of %s are still in the store: they end within a day", name)


def _shown(services: Services, name: str, keys: Counter[str | None] | None = None) -> dict[str, Any]:
    record = environment_record(services.system.replica.records, name)
    environment = services.environment(name)
    records = environment.replica.records
    counted = Counter(key.environment for key in services.keys.all) if keys is None else keys
    return {
        "name": name,
        "description": record.description,
        "approvals": record.approvals,
        "expectedLifeDays": record.expected_life_days,
        "ownerReleaseFlags": record.owner_release_flags,
        "refuseOverLimit": record.refuse_over_limit,
        "sampleContexts": record.sample_contexts,
        "createdAt": record.created_at or None,
        "createdBy": record.created_by,
        "cursor": str(environment.replica.cursor) if environment.replica.cursor else None,
        "flags": len(records.get("flag", {})),
        "segments": len(records.get("segment", {})),
        "keys": counted[name],
        "streams": len(services.hubs[name].connections) if name in services.hubs else 0,
    }


def _answer(body: Any, status: HTTPStatus = HTTPStatus.OK, cursor: Cursor | None = None) -> web.Response:
    headers = {CURSOR_HEADER: str(cursor)} if cursor else None
    return web.Response(status=status, body=encode(body), content_type="application/json", headers=headers)
