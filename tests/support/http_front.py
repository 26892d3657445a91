"""A front in front of a server, as bad as those in the field: it blocks, buffers or forges what it does not like."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Front:
    """Passes requests on, apart from those to paths that have a handler in `instead`."""

    def __init__(self, target: str) -> None:
        self.url = ""
        self.target = target
        self.instead: dict[str, Handler] = {}
        self.seen: list[str] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Handle one request."""
        self.seen.append(request.path)
        if (handler := self.instead.get(request.path)) is not None:
            return await handler(request)
        headers = {name: value for name, value in request.headers.items() if name.lower() != "host"}
        async with (
            aiohttp.ClientSession(auto_decompress=False) as session,
            session.request(request.method, self.target + request.path_qs, headers=headers) as answer,
        ):
            drop = ("transfer-encoding", "content-length", "connection")
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in drop}
            response = web.StreamResponse(status=answer.status, headers=kept)
            await response.prepare(request)
            async for chunk in answer.content.iter_any():
                await response.write(chunk)
            return response


async def bad_gateway(_: web.Request) -> web.StreamResponse:
    """Answer as a proxy does whose upstream is gone."""
    return web.Response(status=502, text="<html><h1>502 Bad Gateway</h1></html>", content_type="text/html")


async def captive_portal(_: web.Request) -> web.StreamResponse:
    """Answer as a hotel does."""
    return web.Response(status=200, text="<html>Please log in</html>", content_type="text/html")


async def truncated_gzip(_: web.Request) -> web.StreamResponse:
    """Answer with the beginning of something compressed."""
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    return web.Response(body=b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xab", headers=headers)


@asynccontextmanager
async def fronting(target: str) -> AsyncGenerator[Front]:
    """Run a front in front of a server's URL."""
    front = Front(target)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", front.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    front.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield front
    finally:
        await runner.cleanup()
