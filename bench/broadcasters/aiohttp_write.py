"""A plain aiohttp handler, and `StreamResponse.write` for each stream in turn, as one would begin."""

import asyncio

import uvloop
from aiohttp import web

from bench.broadcasters.orders import BACKLOG, HEADERS, listening, obey


async def main() -> None:
    """Serve until standard input ends."""
    everyone: dict[web.StreamResponse, None] = {}
    writing: set[asyncio.Task[None]] = set()

    async def stream(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers=HEADERS)
        await response.prepare(request)
        await response.write(b"event: hello\ndata:\n\n")
        everyone[response] = None
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            del everyone[response]
        return response

    async def write(event: bytes) -> None:
        for response in list(everyone):
            await response.write(event)

    def broadcast(event: bytes) -> None:
        task = asyncio.create_task(write(event))
        writing.add(task)
        task.add_done_callback(writing.discard)

    app = web.Application()
    app.add_routes([web.get("/v1/stream", stream)])
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.SockSite(runner, listening(), backlog=BACKLOG).start()
    await obey(broadcast)


if __name__ == "__main__":
    uvloop.run(main())
