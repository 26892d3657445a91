"""`/admin/changes`: how an environment stands, once or as it moves. What people have open follows it."""

import asyncio
import time
from collections.abc import Callable

import msgspec
from aiohttp import web

from wigwag_proto.codec import encode
from wigwag_proto.sse import encode_event
from wigwag_server.admin.answers import admit, answer
from wigwag_server.auth.keys import Key
from wigwag_server.auth.rights import Right
from wigwag_server.auth.sessions import SESSION
from wigwag_server.changes import Watching
from wigwag_server.environment import Environment
from wigwag_server.services import Services
from wigwag_server.web.operation import operation

LOOK_EVERY_S = 1.0
KEEP_ALIVE_S = 5.0
STREAM = "text/event-stream"
HEADERS = {"Content-Type": STREAM, "Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"}


class State(msgspec.Struct, frozen=True):
    """How an environment stands. `degraded`: its store was not lately proven to be there; kills work all the same."""

    environment: str
    cursor: str
    degraded: bool
    emergencies: int


@operation("Show how an environment stands, once or as it moves", needs=Right.READ, takes=None, gives={200: State})
async def watch_changes(request: web.Request) -> web.StreamResponse:
    """GET /admin/changes: JSON; or with `Accept: text/event-stream`, a `state` and a `change` whenever there is one.

    A `change` names the `keys` of flags and segments; null means that it may be any. An event `system` names the
    `kinds` of the server's own records of which some were changed. There is nothing to resume: whoever connects looks
    at everything anew.
    """
    services, caller, environment = admit(request)
    if STREAM in request.headers.get("Accept", ""):
        return await _watch(request, services, caller, environment)
    return answer(msgspec.to_builtins(_state(environment)), environment.replica.cursor)


async def _watch(request: web.Request, services: Services, caller: Key, environment: Environment) -> web.StreamResponse:
    changes = services.changes[environment.name]
    response = web.StreamResponse(headers=HEADERS)
    await response.prepare(request)
    watching = Watching()
    changes.watching.add(watching)
    try:
        await _tell(response, watching, environment, lambda: _may_watch(request, services, caller))
    finally:
        changes.watching.discard(watching)
    await response.write_eof()
    return response


async def _tell(
    response: web.StreamResponse, watching: Watching, environment: Environment, may_go_on: Callable[[], bool]
) -> None:
    """Write what there is to tell, until the watcher goes, or has to."""
    seen, sent_at = None, 0.0
    while not watching.ended and may_go_on():
        told = watching.taken()
        state = _state(environment)
        data = b"".join(encode_event(event, encode(each)) for event, each in told)
        if (state.degraded, state.emergencies) != seen or told:
            data = encode_event("state", encode(msgspec.to_builtins(state))) + data
            seen = state.degraded, state.emergencies
        elif time.monotonic() - sent_at > KEEP_ALIVE_S:
            data = b": still there\n\n"
        if data:
            await response.write(data)
            sent_at = time.monotonic()
        try:
            async with asyncio.timeout(LOOK_EVERY_S):
                await watching.news.wait()
        except TimeoutError:
            pass


def _may_watch(request: web.Request, services: Services, caller: Key) -> bool:
    session = request.get(SESSION)
    if session is not None:
        return services.sessions.goes_on(session, time.time())
    return services.keys.valid(caller.id, time.time() * 1000)


def _state(environment: Environment) -> State:
    return State(
        environment.name,
        str(environment.replica.cursor),
        environment.degraded,
        len(environment.replica.emergencies),
    )
