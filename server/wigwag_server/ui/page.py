"""What all pages have in common: who is signed in, where they are, and what becomes of errors."""

import functools
import hmac
import logging
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

from aiohttp import web
from multidict import MultiDict, MultiDictProxy

from wigwag_proto.errors import StoreUnavailable, WigwagError
from wigwag_server.auth.keys import Key
from wigwag_server.auth.rights import RIGHTS, Right
from wigwag_server.auth.sessions import SESSION, Session
from wigwag_server.problems import Problem, Waiting
from wigwag_server.ui.asking import Answer, ask
from wigwag_server.ui.site import SITE
from wigwag_server.web.middleware import REQUEST_ID
from wigwag_server.web.operation import Media, operation

logger = logging.getLogger(__name__)

PRODUCTION = "production"
MOST_FIELDS = 20_000  # of all the flags of an environment, each may be chosen
HTML = Media("text/html")
FORM = Media("application/x-www-form-urlencoded")
PageHandler = Callable[["Here"], Awaitable[web.Response]]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Here:
    """A request of somebody who has signed in, and the environment that it is about."""

    def __init__(self, request: web.Request, session: Session) -> None:
        self.request = request
        self.session = session
        self.environment = request.match_info.get("environment", PRODUCTION)
        self.part = ""
        self.form: Mapping[str, Any] = {}

    @property
    def caller(self) -> Key:
        """The token that the browser has signed in with."""
        return self.session.key

    @property
    def csrf(self) -> str:
        """What every form of ours sends along."""
        return self.session.csrf()

    def can(self, right: str) -> bool:
        """Say whether the caller has a right. The API decides: this is for what is shown."""
        return Right(right) in RIGHTS[self.caller.role]

    def path(self, *parts: str, **query: Any) -> str:
        """Return the address of a page in this environment."""
        return self.of(self.environment, *parts, **query)

    def of(self, environment: str, *parts: str, **query: Any) -> str:
        """Return the address of a page in another environment."""
        path = "/".join(quote(part, safe="") for part in ("ui", "env", environment, *parts))
        asked = {name: value for name, value in query.items() if value not in (None, "", [], ())}
        return f"/{path}" + (f"?{urlencode(asked, doseq=True)}" if asked else "")

    def name(self) -> str:
        """Return the key of the flag or segment in the path."""
        return self.request.match_info["name"]

    def field(self, name: str) -> str:
        """Return a field of the form that was sent."""
        value = self.form.get(name, "")
        return value if isinstance(value, str) else ""

    def fields(self, name: str) -> list[str]:
        """Return all values of a field."""
        found = self.form.getall(name, []) if hasattr(self.form, "getall") else []
        return [each for each in found if isinstance(each, str)]

    async def get(self, path: str, **query: Any) -> Any:
        """Ask the API for what it knows of this environment. Raises what the route raises."""
        return (await ask(self.request, "GET", path, {"environment": self.environment, **query})).body

    async def get_if_can(self, path: str, **query: Any) -> Any:
        """Ask the API; None where it cannot say: a page is not to fail for what only stands beside."""
        try:
            return await self.get(path, **query)
        except (WigwagError, web.HTTPException):
            return None

    async def do(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None, **query: Any
    ) -> Answer:
        """Have the API do something in this environment. Raises what the route raises."""
        return await ask(
            self.request, method, path, {"environment": self.environment, **query}, body=body, headers=headers
        )

    async def answer(self, template: str, http_status: HTTPStatus = HTTPStatus.OK, /, **values: Any) -> web.Response:
        """Return a page, with what stands around every page."""
        listed = (await ask(self.request, "GET", "/admin/environments")).body["environments"]
        state = await self.get_if_can("/admin/changes")
        around = {
            "here": self,
            "environments": [each["name"] for each in listed],
            "approvals": next((each["approvals"] for each in listed if each["name"] == self.environment), False),
            "degraded": bool(state and state["degraded"]),
            "live": self.path() if state else "",
            "cursor": state["cursor"] if state else "",
            "done": self.request.query.get("done", ""),
        }
        return self.request.app[SITE].answer(template, http_status, **around, **values)


def page(summary: str, part: str, *, form: bool = False) -> Callable[[PageHandler], Handler]:
    """Make a route of a page: it is for whoever is signed in, and its errors are pages too.

    `part` is the part of the site that it belongs to. With `form` it takes one, and only from a page of ours.
    """

    def made(handler: PageHandler) -> Handler:
        @operation(summary, needs=(), whom="a session", takes=FORM if form else None, gives={200: HTML})
        @functools.wraps(handler)
        async def answered(request: web.Request) -> web.StreamResponse:
            session = request.get(SESSION)
            if session is None:
                return to_sign_in(request)
            here = Here(request, session)
            here.part = part
            try:
                if form:
                    here.form = await read_form(request)
                    check_form(here.field("csrf"), session)
                return await handler(here)
            except Waiting as waiting:
                return await here.answer("waiting.html", HTTPStatus.ACCEPTED, approval=waiting.body["approval"])
            except Problem as problem:
                return await _told(here, problem)
            except StoreUnavailable as error:
                logger.warning("request %s: %s", request[REQUEST_ID], error)
                detail = (
                    f"The store does not answer, so this could not be done or is not certain: {str(error).rstrip('.')}."
                )
                return await _told(here, Problem(HTTPStatus.SERVICE_UNAVAILABLE, detail))

        return answered

    return made


async def read_form(request: web.Request, *, most_bytes: int | None = None) -> MultiDictProxy[str]:
    """Return the fields that were sent. The request itself stays unread, so that it can be cloned.

    No file is taken, and no character set but UTF-8: the library's own reading writes files before anybody has said
    who they are. Raises Problem (415, 422), HTTPRequestEntityTooLarge.
    """
    inner = request.clone(client_max_size=most_bytes) if most_bytes else request.clone()
    if request.can_read_body and request.content_type != FORM.type:
        raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"Send this form as '{FORM.type}'.")
    text = (await inner.read()).decode(errors="replace")
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError:
        detail = f"This form has more than {MOST_FIELDS:,} fields."
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail) from None
    return MultiDictProxy(MultiDict(pairs))


def check_form(token: str, session: Session) -> None:
    """Refuse a form that is from no page of ours. Raises Problem (403)."""
    if not hmac.compare_digest(token.encode(errors="replace"), session.csrf().encode()):
        detail = "This form did not come from a page of your session. Nothing was done. Go back, reload, try again."
        raise Problem(HTTPStatus.FORBIDDEN, detail)


def to_sign_in(request: web.Request) -> web.Response:
    """Send somebody who is not signed in to where that is done, and then back.

    Browsers hold the cookie back when a link is followed from another site, such as a chat. So such a request first
    comes back from a page of ours, with the cookie if there is one.
    """
    if request.method != "GET":
        return request.app[SITE].answer(
            "plain.html",
            HTTPStatus.UNAUTHORIZED,
            title="You are not signed in any more",
            detail="Nothing was done. Sign in, then do it again.",
            link="/ui/login",
            words="Sign in",
        )
    if request.headers.get("Sec-Fetch-Site") == "cross-site":
        return request.app[SITE].answer("again.html", target=request.path_qs)
    return see(f"/ui/login?{urlencode({'next': request.path_qs})}")


def see(path: str) -> web.Response:
    """Send the browser to another page."""
    return web.Response(status=HTTPStatus.SEE_OTHER, headers={"Location": path, "Cache-Control": "no-store"})


async def _told(here: Here, problem: Problem) -> web.Response:
    back = here.request.headers.get("Referer", "")
    values = {"problem": problem, "back": back if _is_ours(here.request, back) else ""}
    try:
        return await here.answer("problem.html", problem.status, **values)
    except Problem:  # not even what stands around a page can be had
        return here.request.app[SITE].answer(
            "plain.html",
            problem.status,
            title=problem.status.phrase,
            detail=problem.detail,
            link="/ui/",
            words="To the flags",
        )


def _is_ours(request: web.Request, address: str) -> bool:
    return address.startswith((f"https://{request.host}/ui/", f"http://{request.host}/ui/"))
