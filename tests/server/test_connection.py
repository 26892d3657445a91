"""A connection writes everything it is given, in order, however slowly it is read."""

import asyncio
import socket
import time
from contextlib import suppress

from tests.support.waiting import until
from wigwag_server.hub.connection import Connection


async def test_what_is_sent_while_a_large_event_waits_comes_after_it_whole() -> None:
    near, far = socket.socketpair()
    near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    near.setblocking(False)
    far.setblocking(False)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_connection(asyncio.Protocol, sock=near)
    connection = Connection(transport, chunked=False, opened_at=time.monotonic())
    events = [b"a" * 1_000_000, b"b" * 10, b"c" * 300_000, b"d"]
    for event in events:
        connection.send(event)
    held_back = not connection.writable
    received = bytearray()

    def read() -> bool:
        connection.pump()
        with suppress(BlockingIOError):
            received.extend(far.recv(65536))
        return len(received) == sum(map(len, events))

    await until(read, "everything to be read")
    assert bytes(received) == b"".join(events)
    assert held_back
    assert connection.writable
    transport.abort()
    far.close()
