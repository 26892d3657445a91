"""`/admin/propagation/{revision}`: where a revision is in force, once or as it spreads; and waiting for it."""

import asyncio
import re
import time
from http import HTTPStatus
from typing import Any

from aiohttp import web

from wigwag_proto.codec import encode
from wigwag_proto.commit import Cursor
from wigwag_proto.errors import StoreUnavailable
from wigwag_proto.sse import encode_event
from wigwag_server.admin.answers import admit, answer
from wigwag_server.admin.parameters import Parameters
from wigwag_server.admin.proof_shapes import NoQuery
from wigwag_server.auth.rights import Right
from wigwag_server.environment import Environment
from wigwag_server.instances.describe import describe, to_name
from wigwag_server.instances.propagation import propagation
from wigwag_server.problems import Problem
from wigwag_server.services import Services
from wigwag_server.web.operation import operation

LOOK_EVERY_S = 0.1
KEEP_ALIVE_S = 5.0
LONGEST_WATCH_S = 600.0
LONGEST_WAIT_S = 60.0
WAIT = "wait"
WAIT_FORM = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)(ms|s|)")
REVISION = re.compile(r"\d{1,15}")
HEADERS = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-cache, no-transform",
    "X-Accel-Buffering": "no",
}


@operation(
    "Show where a revision is in force, once or as it spreads",
    needs=Right.READ,
    takes=None,
    gives={200: dict[str, Any]},
    query=NoQuery,
    refuses=(404,),
)
async def show_propagation(request: web.Request) -> web.StreamResponse:
    """GET /admin/propagation/{revision}: JSON, or with `Accept: text/event-stream` an event for every change."""
    services, _, environment = admit(request)
    parameters = Parameters(request)
    parameters.refuse()
    revision = _read_revision(request, environment)
    if "text/event-stream" in request.headers.get("Accept", ""):
        return await _watch(request, services, environment, revision)
    return answer(await proof(services, environment, revision), environment.replica.cursor)


def read_wait(request: web.Request) -> float:
    """Return for how many seconds a caller waits for the confirmations; 0 without `?wait`. Raises Problem (422)."""
    text = request.query.get("wait")
    if text is None:
        return 0.0
    match = WAIT_FORM.fullmatch(text)
    wait_s = float(match[1]) / (1000 if match[2] == "ms" else 1) if match else 0.0
    if not 0 < wait_s <= LONGEST_WAIT_S:
        detail = (
            f"wait={text[:20]!r} is not a time such as 2s or 500ms, of at most {LONGEST_WAIT_S:g}s. Nothing was done."
        )
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail)
    return wait_s


async def proof(services: Services, environment: Environment, revision: int) -> dict[str, Any]:
    """Return where a revision is in force. Raises StoreUnavailable."""
    instances = services.instances
    await instances.frozen(environment.name, revision)
    look = await instances.look(environment.name, revision)
    cursor = environment.replica.cursor
    verdict = propagation(look, str(cursor.epoch) if cursor else "", revision)
    names = await instances.names(environment.name, to_name(verdict))
    return describe(verdict, look, names, environment.name, revision, relay_name=services.keys.name_of)


async def proof_within(
    services: Services, environment: Environment, cursor: Cursor | None, wait_s: float
) -> dict[str, Any]:
    """Wait until everybody has confirmed, but no longer than `wait_s`; the last look is the member `propagation`.

    Empty where nobody waits. What was done is done: a roster that cannot be read is no error of the request.
    """
    if not wait_s or cursor is None:
        return {}
    found: dict[str, Any] | None = None
    try:
        async with asyncio.timeout(wait_s):
            while True:
                found = await proof(services, environment, cursor.revision)
                if found["complete"]:
                    break
                await asyncio.sleep(LOOK_EVERY_S)
    except (StoreUnavailable, TimeoutError):
        pass  # what was seen last is what is told
    return {"propagation": found}


async def _watch(
    request: web.Request, services: Services, environment: Environment, revision: int
) -> web.StreamResponse:
    """Send what there is to see, and again whenever it is something else; end when there is nothing to wait for."""
    found = await proof(services, environment, revision)
    with services.instances.watching():
        response = web.StreamResponse(headers=HEADERS)
        await response.prepare(request)
        end = time.monotonic() + LONGEST_WATCH_S
        seen, sent_at = None, 0.0
        while True:
            if _gist(found) != seen:
                await response.write(encode_event("propagation", encode(found)))
                seen, sent_at = _gist(found), time.monotonic()
            if found["complete"] or services.draining or time.monotonic() > end:
                break
            if time.monotonic() - sent_at > KEEP_ALIVE_S:
                await response.write(b": still there\n\n")
                sent_at = time.monotonic()
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                found = await proof(services, environment, revision)
            except StoreUnavailable:
                continue  # the stream stays; whoever watches sees no progress, which is so
        await response.write_eof()
    return response


def _gist(found: dict[str, Any]) -> Any:
    return found["counts"], found["ms"], [each["id"] for each in found["pending"]]


def _read_revision(request: web.Request, environment: Environment) -> int:
    """Return the revision in the path. Raises Problem (404)."""
    text, cursor = request.match_info["revision"], environment.replica.cursor
    newest = cursor.revision if cursor else 0
    if not REVISION.fullmatch(text) or int(text) > newest:
        detail = f"There is no revision {text[:20]!r} in {environment.name}; the newest is {newest}."
        raise Problem(HTTPStatus.NOT_FOUND, detail)
    return int(text)
