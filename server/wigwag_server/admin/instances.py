"""`/admin/instances`: who is connected, how fresh, and with which version of the SDK."""

from collections import Counter
from http import HTTPStatus
from typing import Any

from aiohttp import web

from wigwag_server.admin.answers import admit, answer
from wigwag_server.admin.parameters import Parameters
from wigwag_server.admin.proof_shapes import InstancesQuery
from wigwag_server.auth.rights import Right
from wigwag_server.instances.describe import (
    describe_instances,
    describe_servers,
    describe_tripped,
    is_current,
    state_of,
)
from wigwag_server.problems import Problem
from wigwag_server.web.operation import operation

STATES = ("stream", "poll", "lost", "left", "unknown")
PRESENT = ("stream", "poll", "lost", "unknown")
LIMIT, MOST = 1000, 10_000


@operation("List the client instances", needs=Right.READ, takes=None, gives={200: dict[str, Any]}, query=InstancesQuery)
async def list_instances(request: web.Request) -> web.Response:
    """GET /admin/instances: those that are there, or with `?state=` those in that state; at most `?limit=`."""
    services, _, environment = admit(request)
    parameters = Parameters(request, "state", "limit")
    parameters.refuse()
    wanted, limit = _read_state(request), _read_limit(request)
    cursor = environment.replica.cursor
    assert cursor is not None
    look = await services.instances.look(environment.name)
    states = {id_: state_of(look, id_) for id_ in look.seats}
    found = [id_ for id_, state in states.items() if state in wanted]
    names = await services.instances.names(environment.name, found)
    found.sort(key=lambda id_: (names[id_].name if id_ in names else "", id_))
    body = {
        "environment": environment.name,
        "cursor": str(cursor),
        "counts": {state: sum(each == state for each in states.values()) for state in STATES},
        "servers": describe_servers(look, services.keys.name_of),
        "behind": sum(states[id_] in ("stream", "poll") and not is_current(look, id_, cursor) for id_ in states),
        "sdks": Counter(names[id_].sdk if id_ in names else "" for id_ in found),
        "total": len(found),
        "tripped": describe_tripped(look, found),
        "instances": describe_instances(look, names, found[:limit], cursor, services.keys.name_of),
    }
    return answer(body, cursor)


def _read_state(request: web.Request) -> tuple[str, ...]:
    state = request.query.get("state")
    if state is None:
        return PRESENT
    if state not in STATES:
        detail = f"state={state[:20]!r} is none of {', '.join(STATES)}."
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail)
    return (state,)


def _read_limit(request: web.Request) -> int:
    text = request.query.get("limit", str(LIMIT))
    if not text.isdecimal() or not 1 <= int(text[:6]) <= MOST:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"limit={text[:20]!r} is not a number from 1 to {MOST}.")
    return int(text)
