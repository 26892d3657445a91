"""Flags in a Starlette or FastAPI application. Needs the extra `starlette`.

app = Starlette(
    routes=[…],
    lifespan=lifespan(client),
    middleware=[Middleware(FlagsMiddleware, client=client, context=user_of)],
)

async def page(request):
    if request.state.flags.is_enabled("new_checkout"): ...
"""

import functools
import inspect
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeVar

from starlette.exceptions import HTTPException, WebSocketException
from starlette.requests import HTTPConnection

from wigwag.client import FlagClient
from wigwag.integrations import asgi
from wigwag.integrations.asgi import AsgiApp, flags_of
from wigwag.integrations.contexts import MakeContext
from wigwag.integrations.decisions_header import Trusts
from wigwag.watched import WatchedFlags

F = TypeVar("F", bound=Callable[..., Any])
Lifespan = Callable[[Any], AbstractAsyncContextManager[Any]]  # of None, or of the state that requests begin with

HIDDEN = "wigwag_request"


class FlagsMiddleware(asgi.FlagsMiddleware):
    """The middleware of `wigwag.integrations.asgi`, whose functions get Starlette's view of a request."""

    def __init__(
        self,
        app: AsgiApp,
        client: FlagClient,
        *,
        context: MakeContext[HTTPConnection] | None = None,
        show_decisions: Trusts[HTTPConnection] | None = None,
    ) -> None:
        super().__init__(
            app,
            client,
            context=None if context is None else lambda scope: context(HTTPConnection(scope)),
            show_decisions=None if show_decisions is None else lambda scope: show_decisions(HTTPConnection(scope)),
        )


def lifespan(client: FlagClient, then: Lifespan | None = None) -> Lifespan:
    """Return a lifespan that starts the client, runs the application's own (`then`) inside, and closes the client."""

    @asynccontextmanager
    async def run(app: Any) -> AsyncGenerator[Mapping[str, Any] | None]:
        async with client:
            if then is None:
                yield None
            else:
                async with then(app) as state:
                    yield state

    return run


def request_flags(connection: HTTPConnection) -> WatchedFlags:
    """Return the flags of a request: a dependency for FastAPI."""
    return flags_of(connection)


def requires_flag(key: str, *, redirect: str | None = None) -> Callable[[F], F]:
    """Open an endpoint of Starlette or FastAPI only to those for whom a flag is on; goes below the route's decorator.

    The others get 404, as if there were no such route, or are sent to `redirect`. A web socket is not accepted.
    """

    def gate(endpoint: F) -> F:
        if isinstance(endpoint, type):
            raise TypeError("requires_flag goes on the methods of an endpoint, not on the class")
        if inspect.iscoroutinefunction(endpoint):

            @functools.wraps(endpoint)
            async def gated(*args: Any, **kwargs: Any) -> Any:
                _pass(key, redirect, args, kwargs)
                return await endpoint(*args, **kwargs)
        else:

            @functools.wraps(endpoint)
            def gated(*args: Any, **kwargs: Any) -> Any:
                _pass(key, redirect, args, kwargs)
                return endpoint(*args, **kwargs)

        gated.__signature__ = _with_request(endpoint)  # type: ignore[attr-defined]  # read by FastAPI
        return gated  # type: ignore[return-value]  # the same signature, as far as callers see

    return gate


def pass_gate(request: HTTPConnection | None, key: str, redirect: str | None) -> None:
    """Return where the flag is on for this request, else raise what its framework answers with."""
    if flags_of(request).is_enabled(key):
        return
    if request is not None and request.scope["type"] == "websocket":
        raise WebSocketException(1008)  # closed before it was accepted: the client sees a 403
    raise HTTPException(404) if redirect is None else HTTPException(302, headers={"Location": redirect})


def _pass(key: str, redirect: str | None, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    hidden = kwargs.pop(HIDDEN, None)
    given = (hidden, *args, *kwargs.values())
    pass_gate(next((each for each in given if isinstance(each, HTTPConnection)), None), key, redirect)


def _with_request(endpoint: Callable[..., Any]) -> inspect.Signature:
    """Return the signature with one more parameter, so that FastAPI hands the request over where the endpoint has none.

    Starlette calls an endpoint with the request, whatever its signature says.
    """
    signature = inspect.signature(endpoint)
    parameters = list(signature.parameters.values())
    at = len(parameters) - (bool(parameters) and parameters[-1].kind is inspect.Parameter.VAR_KEYWORD)
    parameters.insert(at, inspect.Parameter(HIDDEN, inspect.Parameter.KEYWORD_ONLY, annotation=HTTPConnection))
    return signature.replace(parameters=parameters)
