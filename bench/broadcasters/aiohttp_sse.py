"""aiohttp-sse, with a queue for each stream as its documentation shows it."""

import asyncio
from typing import Any

import uvloop
from aiohttp import web
from aiohttp_sse import sse_response

from bench.broadcasters.orders import BACKLOG, Parts, listening, obey, parts


async def main() -> None:
    """Serve until standard input ends."""
    queues: dict[asyncio.Queue[Parts], None] = {}

    async def stream(request: web.Request) -> Any:
        queue: asyncio.Queue[Parts] = asyncio.Queue()
        async with sse_response(request) as response:
            await response.send("", event="hello")
            queues[queue] = None
            try:
                while response.is_connected():
                    event = await queue.get()
                    await response.send(event.data, id=event.id, event=event.event)
            finally:
                del queues[queue]
        return response

    def broadcast(event: bytes) -> None:
        taken_apart = parts(event)
        for queue in queues:
            queue.put_nowait(taken_apart)

    app = web.Application()
    app.add_routes([web.get("/v1/stream", stream)])
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.SockSite(runner, listening(), backlog=BACKLOG).start()
    await obey(broadcast)


if __name__ == "__main__":
    uvloop.run(main())
