"""What every answer tells a browser, whatever it is an answer to. Pages say more, and more exactly, for themselves."""

from aiohttp import web

from wigwag_server.auth.peer import PEER

# What is no page is not to be shown as one, framed, kept, guessed at, or embedded by other sites.
DEFAULTS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
# A year. Without the other hosts of the domain: they are not ours to decide about.
HSTS = "max-age=31536000"


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Add what an answer does not say by itself."""
    for name, value in DEFAULTS.items():
        response.headers.setdefault(name, value)
    response.headers["Server"] = "wigwag"  # in place of the versions of Python and its libraries
    if PEER in request and request[PEER].tls:
        response.headers["Strict-Transport-Security"] = HSTS
