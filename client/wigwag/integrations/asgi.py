"""Flags in any ASGI application, by a middleware that needs no framework.

    app = FlagsMiddleware(app, client, context=lambda scope: {"userId": user_of(scope)})

In the application, the flags of the request are `scope["state"]["flags"]`; Starlette and FastAPI show that as
`request.state.flags`.
"""

import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from wigwag.client import FlagClient
from wigwag.integrations.contexts import Contexts, MakeContext
from wigwag.integrations.decisions_header import NAME, Trusts, header_value
from wigwag.watched import WatchedFlags
from wigwag_proto.errors import WigwagError
from wigwag_proto.runs import Ending

logger = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
# Of any framework: each has types of its own for scopes and messages.
AsgiApp = Callable[[Any, Receive, Any], Awaitable[None]]

HEADER = NAME.lower().encode()


class FlagsMiddleware:
    """Gives every request and web socket its flags.

    `context` makes the context of a request from its scope, once; it may be async. The client is not started here:
    that is the business of a lifespan, see `ClientLifespan` and `wigwag.integrations.starlette.lifespan`.

    `show_decisions` says of a scope whether the response may carry the header `Wigwag-Decisions`. It tells what flags
    there are: say yes to colleagues alone, by something that a stranger cannot send.
    """

    def __init__(
        self,
        app: AsgiApp,
        client: FlagClient,
        *,
        context: MakeContext[Scope] | None = None,
        show_decisions: Trusts[Scope] | None = None,
    ) -> None:
        self.app = app
        self._client = client
        self._contexts = Contexts(context)
        self._show_decisions = show_decisions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, web socket or lifespan."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        flags = self._client.watch(await self._contexts.of(scope))
        # A copy: some servers hand the same state to all requests of a connection.
        scope = {**scope, "state": {**scope.get("state", {}), "flags": flags}}
        status = 200

        async def send_and_look(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                flags.answered()
                if self._show_decisions is not None and flags.decided and self._trusts(scope):
                    shown = (HEADER, header_value(flags.decided).encode())
                    message = {**message, "headers": [*message.get("headers", ()), shown]}
            elif message["type"] == "websocket.accept":
                flags.answered()
            await send(message)

        try:
            await self.app(scope, receive, send_and_look)
        except Exception:
            flags.end(Ending.ERROR)
            raise
        except BaseException:
            flags.end(Ending.CANCELLED)
            raise
        flags.end(Ending.ERROR if status >= 500 else Ending.SUCCESS)

    def _trusts(self, scope: Scope) -> bool:
        try:
            return self._show_decisions is not None and self._show_decisions(scope) is True
        except Exception:
            logger.exception("show_decisions failed; the decisions are not shown")
            return False


class ClientLifespan:
    """Starts and stops a client with an application that takes no part in ASGI's lifespan, such as Django's.

    It answers the server's lifespan events itself. Where the application has a lifespan of its own, start the client
    there.
    """

    def __init__(self, app: AsgiApp, client: FlagClient) -> None:
        self.app = app
        self._client = client

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, web socket or lifespan."""
        if scope["type"] != "lifespan":
            await self.app(scope, receive, send)
            return
        while True:
            event = (await receive())["type"]
            step = self._client.start if event == "lifespan.startup" else self._client.close
            try:
                await step()
            except Exception as error:
                logger.exception("%s of the flag client failed", event)
                await send({"type": f"{event}.failed", "message": str(error)})
                return
            await send({"type": f"{event}.complete"})
            if event == "lifespan.shutdown":
                return


def flags_of(request: Any) -> WatchedFlags:
    """Return the flags of a scope, or of a request that has one as its `scope` (Starlette's, FastAPI's, Django's).

    Raises WigwagError where the middleware has not been there.
    """
    scope = request if isinstance(request, MutableMapping) else getattr(request, "scope", {})
    found = scope.get("state", {}).get("flags")
    if not isinstance(found, WatchedFlags):
        raise WigwagError("this request has no flags: put wigwag's FlagsMiddleware around the app")
    return found
