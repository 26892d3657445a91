"""In front of the routes of a relay: what changes something, or reads what a relay has not, is its upstream's."""

from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.typedefs import Middleware

from wigwag_server.relay.no_store import Elsewhere

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def send_elsewhere(upstream: str) -> Middleware:
    """Return the middleware of a relay of this upstream (its URL)."""

    @web.middleware
    async def refuse(request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse the routes of people and alerting systems. Nobody is asked for a key: a relay knows none of theirs."""
        if request.path.startswith(("/admin", "/ui")) or request.path == "/v1/kill":
            raise Elsewhere(upstream, f"{request.method} {upstream}{request.rel_url.raw_path}")
        return await handler(request)

    return refuse
