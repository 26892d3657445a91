"""`GET /v1/snapshot`: the whole state, for a start and for polling."""

import random
import re
import time
from http import HTTPStatus
from math import ceil

import msgspec
from aiohttp import web

from wigwag_proto.flag import Flag, Segment
from wigwag_proto.snapshot import Emergency
from wigwag_proto.telemetry import INSTANCE_HEADER
from wigwag_server.auth.keys import KeyKind
from wigwag_server.hub.hub import Hub
from wigwag_server.problems import Problem
from wigwag_server.services import SERVICES
from wigwag_server.web.followed import FollowQuery, followed
from wigwag_server.web.operation import Header, operation

AGE_HEADER = "Wigwag-Age-Ms"
NOT_AT_ALL = re.compile(r"q=0(\.0{0,3})?")


class SnapshotBody(msgspec.Struct, frozen=True):
    """Everything after some revision."""

    environment: str
    cursor: str
    at: int
    flags: dict[str, Flag]
    segments: dict[str, Segment]
    emergencies: tuple[Emergency, ...]


@operation(
    "Read the whole state of an environment",
    needs=(KeyKind.SERVER, KeyKind.RELAY),
    gives={200: SnapshotBody, 304: None},
    query=FollowQuery,
    refuses=(404,),
    headers=(Header("If-None-Match", "The `ETag` of the state that is known: if it still is the state, 304."),),
)
async def snapshot(request: web.Request) -> web.StreamResponse:
    """Answer with the state, or 304 when the client has it.

    The age (how long ago the state was proven to be the store's) is a header, since one compressed body serves all
    and a 304 has none.
    """
    services = request.app[SERVICES]
    key = services.guard.admit(request, KeyKind.SERVER, KeyKind.RELAY)
    hub, standpoint = followed(services, request, key)
    replica, proven_at = standpoint.replica, standpoint.proven_at
    etag = f'"{replica.cursor}"'
    headers = {"ETag": etag, "Cache-Control": "no-cache", "Vary": "Accept-Encoding, Authorization"}
    if proven_at is not None:
        headers[AGE_HEADER] = str(max(0, ceil((time.monotonic() - proven_at) * 1000)))
    held = {each.value for each in request.if_none_match or ()}
    if key.kind is not KeyKind.RELAY:  # which tells of its instances by itself, and is none
        presence = services.instances.of(key.environment or "")
        presence.polled(request.headers.get(INSTANCE_HEADER), min(held, default=None))
    # Emergencies are not in the log, so the same cursor does not mean that nothing has changed.
    if str(replica.cursor) in held and not replica.emergencies:
        return web.Response(status=304, headers=headers)
    if services.snapshots_sending >= services.settings.limits.snapshots_at_once:
        # The wait is spread, so that those who are sent away do not return all at once.
        detail = "Too many snapshots are being sent at this moment. Try again after the time in Retry-After."
        retry_after = {"Retry-After": str(random.randint(1, 5))}  # noqa: S311 - jitter
        raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, headers=retry_after)
    services.snapshots_sending += 1
    try:
        return await _send(request, hub, headers)
    finally:
        services.snapshots_sending -= 1


async def _send(request: web.Request, hub: Hub, headers: dict[str, str]) -> web.StreamResponse:
    """Send the whole state before the place is given to the next one."""
    if accepts_gzip(request.headers.get("Accept-Encoding", "")):
        cursor, body = await hub.snapshot_gzip()
        headers |= {"Content-Encoding": "gzip", "ETag": f'"{cursor}"'}
    else:
        body = hub.snapshot_json()
    response = web.Response(body=body, content_type="application/json", headers=headers)
    await response.prepare(request)
    await response.write_eof()
    return response


def accepts_gzip(accept_encoding: str) -> bool:
    """Say whether a client takes gzip (RFC 9110, section 12.5.3)."""
    for choice in accept_encoding.lower().split(","):
        name, _, weight = choice.partition(";")
        if name.strip() in ("gzip", "*"):
            return NOT_AT_ALL.fullmatch(weight.replace(" ", "")) is None
    return False
