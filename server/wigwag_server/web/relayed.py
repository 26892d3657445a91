"""`POST /v1/relayed`: what relays pass on of their instances."""

from http import HTTPStatus

import msgspec
from aiohttp import web

from wigwag_proto.codec import encode
from wigwag_proto.errors import StoreUnavailable
from wigwag_server.auth.keys import KeyKind
from wigwag_server.problems import Problem
from wigwag_server.relay.beside_bodies import LARGEST_BODY, RelayedAnswer, RelayedBody
from wigwag_server.services import SERVICES, Services
from wigwag_server.web.operation import operation


@operation(
    "Take in what a relay passes on",
    needs=(KeyKind.RELAY,),
    takes=RelayedBody,
    gives={200: RelayedAnswer},
    refuses=(404,),
)
async def relayed(request: web.Request) -> web.Response:
    """Take in who is connected to a relay, what is in force there, and counts; 200 once all of it is in the store."""
    services = request.app[SERVICES]
    key = services.guard.admit(request, KeyKind.RELAY)
    try:
        data = await request.clone(client_max_size=LARGEST_BODY).read()
        body = msgspec.json.decode(data, type=RelayedBody)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"Nothing of it was taken in: {error}.") from None
    if body.environment not in key.scope.environments:
        raise Problem(HTTPStatus.FORBIDDEN, f"This key does not follow '{body.environment}'.")
    services.known_environment(body.environment)
    try:
        known = await _take(services, body, key.id)
    except StoreUnavailable as error:
        detail = f"It is not known to be in the store ({error}). Send it again."
        raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, headers={"Retry-After": "1"}) from None
    return web.Response(body=encode({"known": known}), content_type="application/json")


async def _take(services: Services, body: RelayedBody, prefix: str) -> bool:
    roster, known = services.instances.roster, True
    note = body.note(prefix)
    if body.update:
        known = await roster.update(body.environment, note, body.changes())
    if body.freeze is not None:
        freeze = body.freeze
        await roster.freeze(body.environment, freeze.epoch, freeze.revision, freeze.heard_ago_us, freeze.own)
    if body.confirm:
        await roster.confirm(body.environment, body.confirmations())
    if body.tripped:
        await roster.trip(body.environment, body.trips())
    if body.usage:
        await services.usage.store.add(body.environment, body.batches())
    if body.farewell:
        await roster.farewell(body.environment, note.id)
    return known
