"""Around every request: who is at the other end."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from wigwag_server.auth.peer import PEER, peer_of
from wigwag_server.services import SERVICES

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def peers(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Find out who asks, once: what a page asks on their behalf later has other headers."""
    trusted = request.app[SERVICES].settings.trusted_proxies
    request[PEER] = peer_of(
        request.remote or "",
        request.headers.getall("X-Forwarded-For", ()),
        request.headers.getall("X-Forwarded-Proto", ()),
        trusted=trusted,
        tls=request.secure,
    )
    return await handler(request)
