"""Signing in, by token or by a link that is good once, and signing out."""

import logging
import time
from http import HTTPStatus
from urllib.parse import urlsplit

from aiohttp import web

from wigwag_proto.audit import Author
from wigwag_proto.errors import StoreUnavailable
from wigwag_server.auth.keys import Key, KeyKind
from wigwag_server.auth.login_links import UseLink, find_link
from wigwag_server.auth.peer import address_of
from wigwag_server.auth.sessions import SESSION, EndSession, Session
from wigwag_server.problems import Problem
from wigwag_server.services import SERVICES
from wigwag_server.ui.page import FORM, HTML, check_form, read_form, see
from wigwag_server.ui.site import SITE
from wigwag_server.web.middleware import REQUEST_ID
from wigwag_server.web.operation import operation
from wigwag_server.web.session_cookies import delete_cookie, set_cookie

logger = logging.getLogger(__name__)

# Nobody who signs in or out waits longer for a store that does not answer.
STORE_S = 1.0
# Whoever sends this has not said yet who they are.
LOGIN_BYTES = 16 * 1024


@operation("Show where to sign in", needs=(), whom="anybody", takes=None, gives={200: HTML})
async def show_sign_in(request: web.Request) -> web.Response:
    """GET /ui/login: the form for a token."""
    if SESSION in request:
        return see(_next(request.query.get("next", "")))
    return request.app[SITE].answer("login.html", next=_next(request.query.get("next", "")), wrong="")


@operation(
    "Sign in with a token",
    needs=(),
    whom="anybody, to show an admin token",
    takes=FORM,
    gives={303: HTML, 401: HTML},
)
async def sign_in(request: web.Request) -> web.Response:
    """POST /ui/login: begin a session of that token."""
    form = await read_form(request, most_bytes=LOGIN_BYTES)
    target = _next(str(form.get("next", "")))
    headers = {"Authorization": f"Bearer {str(form.get('token', '')).strip()}"}
    try:
        check_origin(request)
        key = request.app[SERVICES].guard.admit(request.clone(headers=headers), KeyKind.ADMIN)
    except Problem as problem:
        wrong = problem.detail if form.get("token") else "Paste an admin token, or open a link that signs you in."
        return request.app[SITE].answer("login.html", problem.status, next=target, wrong=wrong)
    return _begin(request, key, target)


@operation("Show for whom a link signs in", needs=(), whom="who has the link", takes=None, gives={200: HTML, 410: HTML})
async def show_link(request: web.Request) -> web.Response:
    """GET /ui/login/{link}: a button. To look at a link uses nothing up: chats do that with what is sent in them."""
    try:
        key = _key_of_link(request)
    except Problem as problem:
        return request.app[SITE].answer("login.html", problem.status, next="/ui/", wrong=problem.detail)
    return request.app[SITE].answer("login_link.html", key=key, action=request.path)


@operation("Sign in by a link", needs=(), whom="who has the link", takes=FORM, gives={303: HTML, 410: HTML})
async def use_link(request: web.Request) -> web.Response:
    """POST /ui/login/{link}: use it up, and begin a session of the token that it was made with."""
    services = request.app[SERVICES]
    try:
        check_origin(request)
        key = _key_of_link(request)
        by = Author(name=key.name, key_id=key.id, address=address_of(request), request=request[REQUEST_ID])
        await services.run_to_end(services.system.commit(UseLink(request.match_info["link"]), by, timeout_s=STORE_S))
    except Problem as problem:
        return request.app[SITE].answer("login.html", problem.status, next="/ui/", wrong=problem.detail)
    except StoreUnavailable:
        wrong = "The store does not answer, so the link cannot be used up. Sign in with a token: that needs no store."
        return request.app[SITE].answer("login.html", HTTPStatus.SERVICE_UNAVAILABLE, next="/ui/", wrong=wrong)
    return _begin(request, key, "/ui/")


@operation("Sign out", needs=(), whom="anybody; what ends is their own session", takes=FORM, gives={303: HTML})
async def sign_out(request: web.Request) -> web.Response:
    """POST /ui/logout: end the session, here and, if the store is there, on every server."""
    session = request.get(SESSION)
    response = see("/ui/login")
    if session is None:
        return response
    check_form(str((await read_form(request)).get("csrf", "")), session)
    services = request.app[SERVICES]
    by = Author(name=session.key.name, key_id=session.key.id, address=address_of(request), request=request[REQUEST_ID])
    try:
        await services.run_to_end(
            services.system.commit(EndSession(session, services.sessions.times), by, timeout_s=STORE_S)
        )
    except StoreUnavailable as error:
        logger.warning("a session was signed out in its browser only: %s", error)
    delete_cookie(request, response)
    return response


def check_origin(request: web.Request) -> None:
    """Refuse a form that another site sends, to have somebody signed in as somebody else. Raises Problem (403)."""
    origin = request.headers.get("Origin")
    foreign = origin is not None and urlsplit(origin).netloc != request.host
    if foreign or request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        raise Problem(HTTPStatus.FORBIDDEN, "This came from a page of another site. Nothing was done.")


def _begin(request: web.Request, key: Key, target: str) -> web.Response:
    session = Session.begin(key, time.time())
    logger.info("request %s: %s signed in from %s", request[REQUEST_ID], key.name, address_of(request))
    response = see(target)
    set_cookie(request, response, session)
    return response


def _key_of_link(request: web.Request) -> Key:
    services = request.app[SERVICES]
    now_ms = time.time() * 1000
    found = find_link(services.system.replica.records, request.match_info["link"], now_ms)
    key = services.keys.of_id(found["keyId"])
    if key is None or key.expired(now_ms):
        raise Problem(HTTPStatus.GONE, "The token that this link was made with is not valid any more.")
    return key


def _next(path: str) -> str:
    """Return where to go from here: a page of ours, and nothing else."""
    good = path.startswith("/ui/") and "\\" not in path and path.isprintable() and "//" not in path
    return path if good and not path.startswith("/ui/log") else "/ui/"
