"""A plain TCP balancer in a process of its own: the next server for each connection, and the one after if that is away.

python -m tests.support.balancer PORT HOST:PORT…
"""

import asyncio
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

from tests.support.redis_server import free_port

ROOT = Path(__file__).parents[2]
BACKLOG = 4096


class Half(asyncio.Protocol):
    """One side of a connection; what comes in goes out on the other side."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.other: Half | None = None
        self.early = b""

    def connection_made(self, transport: Any) -> None:
        """Keep the transport. (uvloop's are not those of asyncio by type.)"""
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Pass it on, or keep it until there is somebody to pass it on to."""
        if self.other is None or self.other.transport is None:
            self.early += data
        else:
            self.other.transport.write(data)

    def connection_lost(self, _: Exception | None) -> None:
        """Let the other side go once it has everything."""
        if self.other is not None and self.other.transport is not None:
            self.other.transport.close()


class Near(Half):
    """The side of a client."""

    def __init__(self, balancer: "Balancer") -> None:
        super().__init__()
        self._balancer = balancer

    def connection_made(self, transport: Any) -> None:
        """Look for a server."""
        super().connection_made(transport)
        self._balancer.start(self)


class Balancer:
    """Knows the servers, and whose turn it is. It does not ask who is well: a refused connection tells."""

    def __init__(self, servers: Sequence[tuple[str, int]]) -> None:
        self._servers = servers
        self._turn = count()
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, near: Near) -> None:
        """Begin to connect."""
        task = asyncio.create_task(self._connect(near))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(self, near: Near) -> None:
        assert near.transport is not None
        first = next(self._turn)
        for number in range(len(self._servers)):
            address = self._servers[(first + number) % len(self._servers)]
            with suppress(OSError):
                _, far = await asyncio.get_running_loop().create_connection(Half, *address)
                far.other, near.other = near, far
                if near.transport.is_closing():
                    assert far.transport is not None
                    far.transport.close()
                elif near.early:
                    assert far.transport is not None
                    far.transport.write(near.early)
                return
        near.transport.abort()


async def serve(port: int, servers: Sequence[tuple[str, int]]) -> None:
    """Balance until the process ends."""
    balancer = Balancer(servers)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Near(balancer), "127.0.0.1", port, backlog=BACKLOG)
    print("ready", flush=True)
    await server.serve_forever()


@asynccontextmanager
async def balancer_before(backends: Sequence[str]) -> AsyncGenerator[str]:
    """Run one in front of servers by `host:port`; yields its URL."""
    port = free_port()
    words = (sys.executable, "-m", "tests.support.balancer", str(port), *backends)
    process = await asyncio.create_subprocess_exec(*words, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout is not None
        async with asyncio.timeout(20):
            assert await process.stdout.readline() == b"ready\n"
        yield f"http://127.0.0.1:{port}"
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


if __name__ == "__main__":
    parsed = [(host, int(number)) for host, _, number in (each.rpartition(":") for each in sys.argv[2:])]
    try:
        import uvloop
    except ImportError:
        asyncio.run(serve(int(sys.argv[1]), parsed))
    else:
        uvloop.run(serve(int(sys.argv[1]), parsed))
