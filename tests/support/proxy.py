"""A TCP proxy that does to a link what networks do: lose bytes, go quiet, cut, refuse."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress

Filter = Callable[[bytes], bytes]


class Proxy:
    """Passes bytes on to one address, unless told otherwise. `to_client` and `to_server` may alter what passes."""

    def __init__(self, host: str, port: int, chunk_bytes: int = 65536) -> None:
        self.port = 0
        self.chunk_bytes = chunk_bytes
        self.to_client: Filter = bytes
        self.to_server: Filter = bytes
        self.accepted = 0
        self._target = host, port
        self._quiet = False
        self._refusing = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def refuse(self, *, refusing: bool = True) -> None:
        """Drop new connections at once (or stop doing so)."""
        self._refusing = refusing

    def retarget(self, host: str, port: int | str) -> None:
        """Lead new connections somewhere else."""
        self._target = host, int(port)

    def go_quiet(self, *, quiet: bool = True) -> None:
        """Swallow everything in both directions, while all connections stay open (or stop doing so)."""
        self._quiet = quiet

    def cut(self) -> None:
        """Reset every connection."""
        for writer in list(self._writers):
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Handle one connection."""
        self.accepted += 1
        if self._refusing:
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, far_writer}
        for source, sink, name in ((reader, far_writer, "to_server"), (far_reader, writer, "to_client")):
            task = asyncio.create_task(self._pass(source, sink, name))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """End everything that is under way."""
        self.cut()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _pass(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, name: str) -> None:
        with suppress(OSError):
            while data := await source.read(self.chunk_bytes):
                if not self._quiet and (passed := getattr(self, name)(data)):
                    sink.write(passed)
                    await sink.drain()
        self._writers.discard(sink)
        sink.transport.abort()


@asynccontextmanager
async def proxying(host: str, port: int, *, chunk_bytes: int = 65536) -> AsyncGenerator[Proxy]:
    """Run a proxy in front of an address; `proxy.port` is where it listens."""
    proxy = Proxy(host, port, chunk_bytes)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        await proxy.close()
        await server.wait_closed()
