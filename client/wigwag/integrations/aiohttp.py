"""Flags in an aiohttp application.

setup(app, FlagClient(), context=lambda request: Context(request.headers.get("X-User-Id")))

async def page(request):
    if request["flags"].is_enabled("new_checkout"): ...
"""

import functools
import logging
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

from aiohttp import web
from aiohttp.typedefs import Handler

from wigwag.client import FlagClient
from wigwag.integrations.contexts import Contexts, MakeContext
from wigwag.integrations.decisions_header import NAME, Trusts, header_value
from wigwag.watched import WatchedFlags
from wigwag_proto.errors import WigwagError
from wigwag_proto.runs import Ending

logger = logging.getLogger(__name__)

CLIENT = web.AppKey("wigwag", FlagClient)
FLAGS = "flags"  # of a request

H = TypeVar("H", bound=Callable[..., Awaitable[web.StreamResponse]])


def setup(
    app: web.Application,
    client: FlagClient,
    *,
    context: MakeContext[web.Request] | None = None,
    show_decisions: Trusts[web.Request] | None = None,
) -> None:
    """Give every request its flags, and start and stop the client with the app.

    `context` makes the context of a request, once; it may be async. The middleware goes behind those that are there
    already, so call this after adding the ones that `context` needs (a session, say). `app[CLIENT]` is the client.

    `show_decisions` says of a request whether its response may carry the header `Wigwag-Decisions`. It tells what
    flags there are: say yes to colleagues alone, by something that a stranger cannot send.
    """
    if CLIENT in app:
        raise WigwagError("wigwag is set up in this app already")
    app[CLIENT] = client
    app.cleanup_ctx.append(_run_client)
    contexts = Contexts(context, passes=(web.HTTPException,))
    first = True

    @web.middleware
    async def flags(request: web.Request, handler: Handler) -> web.StreamResponse:
        nonlocal first
        watched = client.watch(await contexts.of(request))
        if first:
            # aiohttp warns, once a process, of a key that is text; as text it is what people expect to type.
            with warnings.catch_warnings(action="ignore"):
                request[FLAGS] = watched
            first = False
        request[FLAGS] = watched
        try:
            response = await handler(request)
        except web.HTTPException as answer:
            watched.end(_ending(answer.status))
            raise
        except Exception:
            watched.end(Ending.ERROR)
            raise
        except BaseException:
            watched.end(Ending.CANCELLED)
            raise
        watched.end(_ending(response.status))
        return response

    async def answer_begins(request: web.Request, response: web.StreamResponse) -> None:
        watched = request.get(FLAGS)
        if watched is None:  # a middleware further out has answered
            return
        watched.answered()
        if show_decisions is not None and watched.decided and _trusted(show_decisions, request):
            response.headers[NAME] = header_value(watched.decided)

    app.middlewares.append(flags)
    app.on_response_prepare.append(answer_begins)


def flags_of(request: web.Request) -> WatchedFlags:
    """Return `request["flags"]`, with its type. Raises WigwagError where `setup` was not called."""
    found = request.get(FLAGS)
    if not isinstance(found, WatchedFlags):
        raise WigwagError("this request has no flags: call wigwag.integrations.aiohttp.setup(app, client) first")
    return found


def requires_flag(key: str, *, redirect: str | None = None) -> Callable[[H], H]:
    """Open a handler, or a method of a `web.View`, only to those for whom a flag is on.

    The others get 404, as if there were no such route, or are sent to `redirect`.
    """

    def gate(handler: H) -> H:
        if isinstance(handler, type):
            raise TypeError("requires_flag goes on the methods of a view, not on the class")

        @functools.wraps(handler)
        async def gated(*args: Any) -> web.StreamResponse:
            request = args[-1].request if isinstance(args[-1], web.View) else args[-1]
            if not flags_of(request).is_enabled(key):
                raise web.HTTPNotFound if redirect is None else web.HTTPFound(redirect)
            return await handler(*args)

        return gated  # type: ignore[return-value]  # the same signature

    return gate


async def _run_client(app: web.Application) -> AsyncIterator[None]:
    async with app[CLIENT]:
        yield


def _ending(status: int) -> Ending:
    return Ending.ERROR if status >= 500 else Ending.SUCCESS


def _trusted(trusts: Trusts[web.Request], request: web.Request) -> bool:
    try:
        return trusts(request) is True
    except Exception:
        logger.exception("show_decisions failed; the decisions are not shown")
        return False
