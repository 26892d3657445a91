"""Which web pages may ask from a browser (CORS): those of the configured origins, and only what browser keys may do.

Source: the Fetch standard. The admin routes never answer to it.
"""

from aiohttp import web

from wigwag_server.services import SERVICES
from wigwag_server.web.operation import operation

PREFIXES = ("/ofrep/", "/api/")
ANY = "*"


def allowed_origin(request: web.Request) -> str | None:
    """Return the origin that may read the answer, or None."""
    origins = request.app[SERVICES].settings.cors_origins
    origin = request.headers.get("Origin")
    if origin is None or not request.path.startswith(PREFIXES):
        return None
    return origin if origin in origins or ANY in origins else None


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Let the page read the answer, whatever it is; a browser hides an error from a page that may not read it."""
    if request.path.startswith(PREFIXES):
        response.headers.add("Vary", "Origin")
    if (origin := allowed_origin(request)) is not None:
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Expose-Headers"] = "ETag, Retry-After"


@operation("Tell a browser what a page may send", needs=(), whom="anybody")
async def preflight(request: web.Request) -> web.Response:
    """OPTIONS: what browsers ask before they send a key."""
    if allowed_origin(request) is None:
        return web.Response(status=204)
    headers = {
        "Access-Control-Allow-Methods": "GET, POST",
        "Access-Control-Allow-Headers": "Authorization, Content-Type, If-None-Match, X-API-Key",
        "Access-Control-Max-Age": "600",
    }
    return web.Response(status=204, headers=headers)
