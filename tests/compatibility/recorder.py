"""Something between a client and a server that writes down what they say."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiohttp
from aiohttp import web

KEPT = ("authorization", "accept", "content-type", "content-encoding", "last-event-id", "if-none-match")


class Recorder:
    """Passes requests on. `requests` is what the client asked."""

    def __init__(self, target: str) -> None:
        self.url = ""
        self.requests: list[dict[str, Any]] = []
        self._target = target

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Handle one request."""
        body = await request.read()
        headers = {name: value for name, value in request.headers.items() if name.lower() != "host"}
        kept = {k: v for k, v in headers.items() if k.lower() in KEPT or k.lower().startswith("wigwag")}
        asked = {"method": request.method, "path": request.path_qs, "headers": kept, "body": body.decode("latin-1")}
        async with (
            aiohttp.ClientSession(auto_decompress=False) as session,
            session.request(request.method, self._target + request.path_qs, headers=headers, data=body) as answer,
        ):
            self.requests.append({**asked, "status": answer.status})
            drop = ("transfer-encoding", "content-length", "connection")
            passed = {name: value for name, value in answer.headers.items() if name.lower() not in drop}
            response = web.StreamResponse(status=answer.status, headers=passed)
            await response.prepare(request)
            async for chunk in answer.content.iter_any():
                with suppress(ConnectionError):  # the client has closed, and the server goes on to speak
                    await response.write(chunk)
            return response


@asynccontextmanager
async def recording(target: str) -> AsyncGenerator[Recorder]:
    """Run a recorder in front of a server's URL."""
    recorder = Recorder(target)
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", recorder.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        recorder.url = f"http://{host}:{port}"
        yield recorder
    finally:
        await runner.cleanup()
