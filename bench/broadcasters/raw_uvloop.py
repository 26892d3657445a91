"""The floor in Python: a uvloop protocol that writes prebuilt bytes. No keys, no cursors, no slow readers.

Its argument may name a variant: `beating` also writes a heartbeat to each stream every 5 s, as wigwag-server does.
`os.write` writes to the socket past the event loop, `gc off` is without the collector of cycles, and `queue and task`
is the usual way to write to many.
"""

import asyncio
import gc
import os
import sys
from typing import cast

import uvloop

from bench.broadcasters.orders import BACKLOG, listening, obey
from wigwag_server.hub.connection import frame

HELLO = frame(b"event: hello\ndata:\n\n")
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n" + HELLO
BEAT = frame(b'event: sync\ndata: {"cursor":"1800000000000.0123456789abcdef:1000:0123456789abcdef","provenMs":1}\n\n')
TICK_S = 0.05


class Stream(asyncio.Protocol):
    """One stream. `everyone` has the transports of all."""

    def __init__(self, everyone: dict[asyncio.Transport, None]) -> None:
        self._everyone = everyone
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast(asyncio.Transport, transport)  # which uvloop's own is not, by its class

    def data_received(self, _: bytes) -> None:
        """Take whatever it is for a request."""
        assert self._transport is not None
        self._transport.write(HEAD)
        self._everyone[self._transport] = None

    def connection_lost(self, _: Exception | None) -> None:
        """Forget it."""
        if self._transport is not None:
            self._everyone.pop(self._transport, None)


async def main(variant: str) -> None:
    """Serve until standard input ends."""
    everyone: dict[asyncio.Transport, None] = {}
    queues: dict[asyncio.Transport, asyncio.Queue[bytes]] = {}
    tasks: set[asyncio.Task[None]] = set()

    def broadcast(event: bytes) -> None:
        chunk = frame(event)
        for transport in everyone:
            transport.write(chunk)

    def broadcast_directly(event: bytes) -> None:
        chunk = frame(event)
        for transport in everyone:
            os.write(transport.get_extra_info("socket").fileno(), chunk)

    def broadcast_by_queues(event: bytes) -> None:
        chunk = frame(event)
        for transport in everyone:
            if transport not in queues:
                queues[transport] = asyncio.Queue()
                tasks.add(asyncio.create_task(_pass_on(queues[transport], transport)))
            queues[transport].put_nowait(chunk)

    sock = listening()
    await asyncio.get_running_loop().create_server(lambda: Stream(everyone), sock=sock, backlog=BACKLOG)
    if variant == "beating":
        tasks.add(asyncio.create_task(_beat(everyone, 5.0)))
    elif variant == "gc off":
        gc.disable()
    await obey({"os.write": broadcast_directly, "queue and task": broadcast_by_queues}.get(variant, broadcast))
    for task in tasks:
        task.cancel()


async def _pass_on(queue: asyncio.Queue[bytes], transport: asyncio.Transport) -> None:
    while True:
        transport.write(await queue.get())


async def _beat(everyone: dict[asyncio.Transport, None], interval_s: float) -> None:
    """Write to a slice of the streams at a time, so that each gets one heartbeat an interval."""
    slices = round(interval_s / TICK_S)
    number = 0
    while True:
        await asyncio.sleep(TICK_S)
        number = (number + 1) % slices
        for transport in list(everyone)[number::slices]:
            transport.write(BEAT)


if __name__ == "__main__":
    uvloop.run(main("".join(sys.argv[1:])))
