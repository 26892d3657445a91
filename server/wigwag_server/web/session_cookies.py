"""The cookie of a session: found in a request, renewed in the answer."""

import time
from collections.abc import Awaitable, Callable

from aiohttp import web

from wigwag_server.auth.sessions import RENEW_S, SESSION, Session
from wigwag_server.services import SERVICES

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

PATHS = ("/ui", "/admin")


@web.middleware
async def sessions(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Find the session of a request, and renew it. A key in the `Authorization` header counts before it."""
    if request.path.startswith(PATHS) and "Authorization" not in request.headers:
        cookie = request.cookies.get(cookie_name(request), "")
        session = request.app[SERVICES].sessions.find(cookie, time.time())
        if session is not None:
            request[SESSION] = session
    response = await handler(request)
    if not response.prepared:
        _renew(request, response)
    return response


def _renew(request: web.Request, response: web.StreamResponse) -> None:
    """Note in the cookie that somebody has done something. What a page asks by itself is not that."""
    session = request.get(SESSION)
    now_s = time.time()
    if session is None or cookie_name(request) in response.cookies or now_s - session.seen_s < RENEW_S:
        return
    if request.method not in ("GET", "HEAD") or request.headers.get("Sec-Fetch-Mode", "navigate") == "navigate":
        set_cookie(request, response, session.renewed(now_s))


def set_cookie(request: web.Request, response: web.StreamResponse, session: Session) -> None:
    """Have the browser keep a session. No script can read it, and no other site can make use of it."""
    longest_s = request.app[SERVICES].sessions.times.longest_s
    response.set_cookie(
        cookie_name(request),
        session.cookie(),
        max_age=round(session.begun_s + longest_s - time.time()),
        path="/",
        httponly=True,
        secure=is_secure(request),
        samesite="Strict",
    )


def delete_cookie(request: web.Request, response: web.StreamResponse) -> None:
    """Have the browser forget it."""
    response.del_cookie(cookie_name(request), path="/", httponly=True, secure=is_secure(request), samesite="Strict")


def cookie_name(request: web.Request) -> str:
    """Return its name. With `__Host-`, browsers let nobody but this very host set it.

    Cookies do not heed the port, so without TLS it is part of the name: two servers on one machine are two.
    """
    return "__Host-wigwag" if is_secure(request) else f"wigwag-{request.url.port}"


def is_secure(request: web.Request) -> bool:
    """Say whether the browser speaks TLS, to this server or to the proxy in front of it.

    Here the header is believed whoever sends it: a browser cannot be made to send it, and whoever lies gets a cookie
    that is no use to them.
    """
    return request.secure or request.headers.get("X-Forwarded-Proto", "").lower() == "https"
