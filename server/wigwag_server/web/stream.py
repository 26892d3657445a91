"""`GET /v1/stream`: Server-Sent Events, from the client's cursor on."""

import time

from aiohttp import HttpVersion11, web

from wigwag_proto.telemetry import INSTANCE_HEADER
from wigwag_server.auth.keys import KeyKind
from wigwag_server.hub.connection import Connection
from wigwag_server.services import SERVICES
from wigwag_server.web.followed import FollowQuery, followed
from wigwag_server.web.operation import Header, Media, operation

HEADERS = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-cache, no-transform",
    "X-Accel-Buffering": "no",  # nginx would hold events back otherwise
}


@operation(
    "Follow an environment as Server-Sent Events",
    needs=(KeyKind.SERVER, KeyKind.RELAY),
    gives={200: Media("text/event-stream")},
    query=FollowQuery,
    refuses=(404,),
    headers=(Header("Last-Event-ID", "The cursor to resume from."),),
)
async def stream(request: web.Request) -> web.StreamResponse:
    """Open a stream and leave the writing to the hub."""
    opened_at = time.monotonic()
    services = request.app[SERVICES]
    key = services.guard.admit(request, KeyKind.SERVER, KeyKind.RELAY)
    hub, _ = followed(services, request, key)
    response = web.StreamResponse(headers=HEADERS)
    await response.prepare(request)
    # aiohttp sends the head with the first bytes of the body. This line becomes part of the hello's block; it is
    # for browsers, our own client has its own backoff.
    await response.write(b"retry: 1000\n")
    # The key may have been revoked meanwhile: who ends streams sees those that have joined.
    if request.transport is None or not services.keys.valid(key.id, time.time() * 1000):
        return response
    last_event_id = request.headers.get("Last-Event-ID")
    relay = key.kind is KeyKind.RELAY
    # A relay tells of its instances by itself, and is none.
    presence = None if relay else services.instances.of(key.environment or "")
    seat = presence.opened(request.headers.get(INSTANCE_HEADER), last_event_id) if presence else None

    def lost(connection: Connection) -> None:
        hub.leave(connection)
        if presence is not None:
            presence.closed(seat)

    connection = Connection(
        request.transport,
        chunked=request.version >= HttpVersion11,
        opened_at=opened_at,
        key_id=key.id,
        on_lost=lost,
    )
    _take_away(request)
    try:
        hub.join(connection, last_event_id, relay=relay)
    except BaseException:
        connection.abort()  # the head is out: an answer of any other kind would come too late
        raise
    return response


def _take_away(request: web.Request) -> None:
    """Have aiohttp forget a connection that is somebody else's now, with its request, parser, timers and two tasks.

    It is told what a protocol is told when its connection is lost. It then ends this request as one whose client has
    gone, without touching the transport, since it has none any more.
    """
    protocol = request.protocol
    protocol.transport = None
    protocol.connection_lost(None)
