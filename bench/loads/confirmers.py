"""Many streams in one process that say who they are, and confirm each commit as the server wants it, or do not.

Raw sockets that speak just enough HTTP: ten thousand real clients need more than one machine. Each confirmation is a
request on a connection of its own, which is the dearest way for the server.
"""

import asyncio
import random
import re
import time
from collections import Counter
from typing import Any

from bench.loads.load import Orders, forever, run, say
from wigwag_proto.telemetry import AppliedState, Instance, Telemetry, encode_telemetry, instance_header

STARTS_AT_ONCE = 200
SPREAD = re.compile(rb'"confirmSpreadMs":(\d+)')
PATCH = re.compile(rb"id: (\S+)\nevent: patch\n")


class Confirmers:
    """All of them. Reports a state when every one has it, and when every one has confirmed it."""

    def __init__(self, orders: Orders) -> None:
        self.orders = orders
        self.host, _, self.port = orders.url.removeprefix("http://").partition(":")
        self.spread_ms = 0
        self.tasks: set[asyncio.Task[None]] = set()
        self._heard: Counter[str] = Counter()
        self._confirmed: Counter[str] = Counter()

    def heard(self, instance: Instance, cursor: str) -> None:
        """Take note that one more has a state, and let it confirm that."""
        self._heard[cursor] += 1
        if self._heard[cursor] == self.orders.clients:
            say(revision=int(cursor.split(":")[1]), atNs=[time.monotonic_ns()], enabled=0, spreadMs=self.spread_ms)
        if self.orders.confirm:
            task = asyncio.create_task(self._confirm(instance, cursor, time.monotonic()))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    async def _confirm(self, instance: Instance, cursor: str, at: float) -> None:
        await asyncio.sleep(random.uniform(0, max(self.spread_ms / 1000, 0.02)))
        reader, writer = await asyncio.open_connection(self.host, int(self.port))
        held_ms = (time.monotonic() - at) * 1000
        body = encode_telemetry(Telemetry(instance=instance, applied=[AppliedState(cursor, held_ms)]))
        head = (
            f"POST /v1/telemetry HTTP/1.1\r\nHost: {self.host}\r\nAuthorization: Bearer {self.orders.key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        writer.write(head.encode() + body)
        answer = await reader.read()
        writer.close()
        assert answer.startswith(b"HTTP/1.1 204"), answer
        self._confirmed[cursor] += 1
        if self._confirmed[cursor] == self.orders.clients:
            say(confirmed=cursor)


class Stream(asyncio.Protocol):
    """One stream."""

    def __init__(self, group: Confirmers, number: int, greeted: "asyncio.Future[None]") -> None:
        self._group = group
        self._instance = Instance(id=f"bench-{random.getrandbits(64):016x}", label="bench", pid=number, host="raw")
        self._greeted = greeted

    def connection_made(self, transport: Any) -> None:
        """Ask for the stream. (uvloop's transports are not those of asyncio by type.)"""
        head = (
            f"GET /v1/stream HTTP/1.1\r\nHost: {self._group.host}\r\nAuthorization: Bearer {self._group.orders.key}\r\n"
            f"Wigwag-Instance: {instance_header(self._instance)}\r\n\r\n"
        )
        transport.write(head.encode())

    def data_received(self, data: bytes) -> None:
        """Take note of the hello and of patches: each is small, and comes in one piece."""
        if (spread := SPREAD.search(data)) is not None:
            self._group.spread_ms = max(self._group.spread_ms, int(spread[1]))
            if not self._greeted.done():
                self._greeted.set_result(None)
        for patch in PATCH.finditer(data):
            self._group.heard(self._instance, patch[1].decode())


async def confirmers(orders: Orders) -> None:
    """Open the streams, say that they are ready, and go on."""
    group = Confirmers(orders)
    turn = asyncio.Semaphore(STARTS_AT_ONCE)
    loop = asyncio.get_running_loop()

    async def opened(number: int) -> None:
        async with turn:
            greeted: asyncio.Future[None] = loop.create_future()
            await loop.create_connection(lambda: Stream(group, number, greeted), group.host, int(group.port))
            await greeted

    await asyncio.gather(*(opened(number) for number in range(orders.clients)))
    say(ready=orders.clients)
    await forever()


if __name__ == "__main__":
    run(confirmers)
