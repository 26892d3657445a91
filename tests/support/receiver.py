"""A real receiver of webhooks, on loopback, that checks signatures by the rules and answers as it is told."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass(frozen=True, slots=True)
class Received:
    """One request."""

    headers: Any
    body: bytes

    @property
    def id(self) -> str:
        """The id of the event."""
        return str(self.headers["webhook-id"])

    @property
    def json(self) -> Any:
        """The body."""
        return json.loads(self.body)

    def signed_with(self, secret: str) -> bool:
        """Say whether one of the signatures was made with a secret, over id, time and body."""
        key = base64.b64decode(secret.removeprefix("whsec_"))
        signed = f"{self.id}.{self.headers['webhook-timestamp']}.".encode() + self.body
        right = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        return right in self.headers["webhook-signature"].split(" ")


@dataclass(slots=True)
class Receiver:
    """Answers with `answer(request)`: a response, or a status."""

    url: str = ""
    answer: Callable[[Received], Any] = lambda _: 204
    got: list[Received] = field(default_factory=list)
    hold: asyncio.Event = field(default_factory=asyncio.Event)

    def events(self, type_: str | None = None) -> list[Any]:
        """Return the events that came."""
        return [each.json for each in self.got if type_ is None or each.json["type"] == type_]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        received = Received(request.headers, await request.read())
        self.got.append(received)
        await self.hold.wait()
        answer = self.answer(received)
        return answer if isinstance(answer, web.StreamResponse) else web.Response(status=answer)


@asynccontextmanager
async def receiving() -> AsyncGenerator[Receiver]:
    """Run a receiver. Clearing `hold` makes it answer nothing until it is set."""
    receiver = Receiver()
    receiver.hold.set()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", receiver.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    try:
        yield receiver
    finally:
        receiver.hold.set()
        await runner.cleanup()
