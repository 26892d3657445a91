"""`/ofrep/v1`: decisions made on the server, for browsers and for languages without a client of ours.

Source: OFREP 0.3.0, and its ADR-0008 for the event streams.
"""

import asyncio
import functools
import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from aiohttp import web

from wigwag_proto.codec import decode, encode
from wigwag_proto.commit import Cursor
from wigwag_proto.context import Context
from wigwag_proto.errors import Malformed
from wigwag_server.auth.keys import Key, KeyKind
from wigwag_server.ofrep import stream_tokens
from wigwag_server.ofrep.answers import etag_of, failure, success
from wigwag_server.ofrep.notices import Listening, Notices
from wigwag_server.ofrep.shapes import (
    Evaluation,
    EvaluationFailure,
    EvaluationRequest,
    Evaluations,
    EventsQuery,
    FreshnessQuery,
)
from wigwag_server.problems import Problem
from wigwag_server.services import SERVICES
from wigwag_server.web.depth import DEEPEST, too_deep
from wigwag_server.web.operation import Header, Media, operation

KINDS = (KeyKind.CLIENT, KeyKind.SERVER)
# How long a fetch waits for the state that an event has told of: it may have come from a server that is ahead.
FRESHNESS_S = 2.0
FRESHNESS_LOOK_S = 0.02
INACTIVITY_S = 120
HEARTBEAT_S = 15.0
STUCK_S = 15.0
RETRY_MS = 2000
STREAM_HEADERS = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-cache, no-transform",
    "X-Accel-Buffering": "no",
}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Refused(Exception):
    """Ends an OFREP request with one of its errors."""

    def __init__(self, status: HTTPStatus, code: str, details: str) -> None:
        super().__init__(details)
        self.status = status
        self.code = code


def in_its_words(handler: Handler) -> Handler:
    """Answer errors in the form that OFREP's clients read."""

    @functools.wraps(handler)
    async def answering(request: web.Request) -> web.StreamResponse:
        headers: dict[str, str] = {}
        try:
            return await handler(request)
        except Refused as refused:
            status, code, details = refused.status, refused.code, str(refused)
        except Problem as problem:
            status, code, details, headers = problem.status, "GENERAL", problem.detail, problem.headers
        except web.HTTPRequestEntityTooLarge:
            status, code, details = HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "INVALID_CONTEXT", "The context is too large."
        return _json(failure(code, details, request.match_info.get("key")), status, headers)

    return answering


@operation(
    "Decide one flag",
    needs=KINDS,
    takes=EvaluationRequest | None,
    gives={200: Evaluation},
    refuses=(404,),
    fails=EvaluationFailure,
)
@in_its_words
async def evaluate_flag(request: web.Request) -> web.StreamResponse:
    """POST /ofrep/v1/evaluate/flags/{key}: for a context. A browser key sees only flags that are `clientVisible`."""
    services, key = request.app[SERVICES], _admit(request)
    context = await _read_context(request)
    evaluator = services.evaluators[services.known_environment(key.environment or "").name]
    name = request.match_info["key"]
    compiled = evaluator.find(name, to_browsers=key.kind is KeyKind.CLIENT)
    if compiled is None:
        raise Refused(HTTPStatus.NOT_FOUND, "FLAG_NOT_FOUND", f"There is no flag {name[:128]!r} for this key.")
    return _json(success(compiled.flag, evaluator.decide(compiled, context)))


@operation(
    "Decide all flags",
    needs=KINDS,
    takes=EvaluationRequest | None,
    gives={200: Evaluations, 304: None},
    query=FreshnessQuery,
    headers=(Header("If-None-Match", "The `ETag` of the answer before: if it would be the same, 304."),),
    fails=EvaluationFailure,
)
@in_its_words
async def evaluate_flags(request: web.Request) -> web.StreamResponse:
    """POST /ofrep/v1/evaluate/flags: all that the key may see, with an ETag, and where to hear of changes."""
    services, key = request.app[SERVICES], _admit(request)
    context = await _read_context(request)
    name = services.known_environment(key.environment or "").name
    evaluator = services.evaluators[name]
    await _be_as_fresh_as(request.query.get("flagConfigEtag"), services.notices[name])
    browser = key.kind is KeyKind.CLIENT
    found = [evaluator.find(each, to_browsers=browser) for each in evaluator.visible(to_browsers=browser)]
    flags = [success(each.flag, evaluator.decide(each, context)) for each in found if each is not None]
    until = stream_tokens.window_end(time.time())
    etag = etag_of(flags, context, until)
    headers = {"ETag": f'"{etag}"', "Cache-Control": "no-cache"}
    if etag in {each.value for each in request.if_none_match or ()}:
        return web.Response(status=HTTPStatus.NOT_MODIFIED, headers=headers)
    uri = f"/ofrep/v1/events?token={stream_tokens.make_token(key, until)}"
    body = {
        "flags": flags,
        "eventStreams": [{"type": "sse", "endpoint": {"requestUri": uri}, "inactivityDelaySec": INACTIVITY_S}],
    }
    return _json(body, headers=headers)


@operation(
    "Hear when there is something to fetch",
    needs=(),
    whom="who has a signed address",
    gives={200: Media("text/event-stream")},
    query=EventsQuery,
    refuses=(401, 503),
    fails=EvaluationFailure,
)
@in_its_words
async def events(request: web.Request) -> web.StreamResponse:
    """GET /ofrep/v1/events?token=…: one `refetchEvaluation` at once, and one whenever an answer may have changed."""
    services = request.app[SERVICES]
    key = _key_of_token(request)
    if services.draining:
        raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "This server is shutting down.", headers={"Retry-After": "1"})
    notices = services.notices[services.known_environment(key.environment or "").name]
    response = web.StreamResponse(headers=STREAM_HEADERS)
    await response.prepare(request)
    await response.write(b"retry: %d\n" % RETRY_MS)
    listening = Listening(key.id, browser=key.kind is KeyKind.CLIENT)
    notices.listening.add(listening)
    try:
        await _tell(response, notices, listening)
    except (TimeoutError, ConnectionError):
        pass
    finally:
        notices.listening.discard(listening)
    return response


async def _tell(response: web.StreamResponse, notices: Notices, listening: Listening) -> None:
    while True:
        try:
            async with asyncio.timeout(HEARTBEAT_S):
                await listening.news.wait()
        except TimeoutError:
            told = b": here\n\n"
        else:
            listening.news.clear()
            told = notices.event()
        if listening.ended:
            return
        async with asyncio.timeout(STUCK_S):
            await response.write(told)


def _key_of_token(request: web.Request) -> Key:
    parsed = stream_tokens.parse_token(request.query.get("token", ""))
    key = None if parsed is None else request.app[SERVICES].keys.of_id(parsed[0])
    if parsed is None or key is None or key.expired(time.time() * 1000) or key.kind not in KINDS:
        raise Problem(HTTPStatus.UNAUTHORIZED, "This event stream's URL is not valid. Fetch all flags for another one.")
    if not stream_tokens.is_valid(key, parsed[1], parsed[2], time.time()):
        raise Problem(HTTPStatus.UNAUTHORIZED, "This event stream's URL has expired. Fetch all flags for another one.")
    return key


def _admit(request: web.Request) -> Key:
    return request.app[SERVICES].guard.admit(request, *KINDS, api_key=True)


async def _read_context(request: web.Request) -> Context:
    """Return the context; one that is missing, or null, is empty. Raises Refused."""
    data = await request.read()
    if len(data) > request.app[SERVICES].settings.limits.context_bytes:
        raise web.HTTPRequestEntityTooLarge(request.app[SERVICES].settings.limits.context_bytes, len(data))
    try:
        body = decode(data) if data.strip() else {}
    except Malformed as error:
        raise Refused(HTTPStatus.BAD_REQUEST, "PARSE_ERROR", f"The body is {error}.") from None
    if too_deep(body):
        detail = f"The context is nested more than {DEEPEST} levels deep; flatten it."
        raise Refused(HTTPStatus.BAD_REQUEST, "INVALID_CONTEXT", detail)
    context = body.get("context", {}) if isinstance(body, dict) else body
    context = {} if context is None and isinstance(body, dict) else context
    if not isinstance(context, dict):
        detail = 'The body is to be {"context": {"targetingKey": "…", …}}.'
        raise Refused(HTTPStatus.BAD_REQUEST, "INVALID_CONTEXT", detail)
    return Context.from_plain(context)


async def _be_as_fresh_as(wanted: str | None, notices: Notices) -> None:
    """Wait for the state that an event told of. Raises Problem (503) when it does not come."""
    try:
        cursor = Cursor.parse((wanted or "").strip('"'))
    except Malformed:
        return  # not one of ours
    end = time.monotonic() + FRESHNESS_S
    while notices.is_behind(cursor):
        if time.monotonic() >= end:
            detail = "This server does not have that change yet."
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, headers={"Retry-After": "1"})
        await asyncio.sleep(FRESHNESS_LOOK_S)


def _json(body: Any, status: HTTPStatus = HTTPStatus.OK, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(status=status, body=encode(body), content_type="application/json", headers=headers)
