"""Starlette under uvicorn (uvloop, httptools), a queue for each stream: `StreamingResponse`, or sse-starlette's own.

The argument says which: `starlette` or `sse-starlette`.
"""

import asyncio
import sys
from collections.abc import AsyncIterator

import uvicorn
import uvloop
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from bench.broadcasters.orders import BACKLOG, HEADERS, listening, obey, parts


async def main(kind: str) -> None:
    """Serve until standard input ends."""
    queues: dict[asyncio.Queue[bytes], None] = {}

    async def events() -> AsyncIterator[bytes]:
        queue: asyncio.Queue[bytes] = asyncio.Queue()
        queues[queue] = None
        try:
            yield b"event: hello\ndata:\n\n"
            while True:
                yield await queue.get()
        finally:
            del queues[queue]

    async def sent_events() -> AsyncIterator[ServerSentEvent]:
        async for event in events():
            each = parts(event)
            yield ServerSentEvent(each.data, id=each.id or None, event=each.event)

    async def stream(_: Request) -> Response:
        if kind == "sse-starlette":
            response: Response = EventSourceResponse(sent_events(), ping=3600)
            return response
        return StreamingResponse(events(), headers=HEADERS)

    def broadcast(event: bytes) -> None:
        for queue in queues:
            queue.put_nowait(event)

    config = uvicorn.Config(
        Starlette(routes=[Route("/v1/stream", stream)]),
        loop="none",
        http="httptools",
        log_level="error",
        access_log=False,
        backlog=BACKLOG,
        timeout_graceful_shutdown=0,
    )
    serving = asyncio.create_task(uvicorn.Server(config).serve([listening()]))
    await obey(broadcast)
    serving.cancel()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1]))
