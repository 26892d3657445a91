"""Clients that mean no good: raw sockets, which send what no library would, as slowly or as much as they like."""

import asyncio
import re
import socket
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

DRIP_S = 0.02
GONE = (ConnectionError, BrokenPipeError)
CLOSED = 7  # of the kernel's states of a connection: TCP_CLOSE


class _Reader(asyncio.StreamReader):
    """For which a connection that was cut has ended, after all that came before: other readers would forget that."""

    def set_exception(self, exc: Exception) -> None:
        if isinstance(exc, GONE):
            self.feed_eof()
        else:
            super().set_exception(exc)


class Hostile:
    """One connection to a server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> bool:
        """Send it, as far as the server takes it; say whether it has taken all."""
        try:
            self.writer.write(data)
            await self.writer.drain()
        except GONE:
            return False
        return True

    async def drip(self, data: bytes = b"x") -> bytes:
        """Send the same again and again, slowly, until the server has closed; return what it has said."""
        said = asyncio.ensure_future(self.said())
        while not said.done():
            await self.send(data)
            await asyncio.wait([said], timeout=DRIP_S)
        return await said

    async def flood(self, begin: bytes, data: bytes = b"", most: int = 0) -> bytes:
        """Send a beginning, and then the same again and again, as quickly as it goes, until the server says something.

        `most` times at most. Returns the first that it says, nothing where it closes without a word.
        """
        said = asyncio.ensure_future(self.reader.read(65536))
        going = await self.send(begin)
        while going and most and not said.done():
            going, most = await self.send(data), most - 1
        return await said

    async def said(self) -> bytes:
        """Return all that the server says until it closes."""
        found = b""
        while data := await self.reader.read(65536):
            found += data
        return found

    def is_given_up(self) -> bool:
        """Say whether the server has cut the connection, whatever of its answers still waits to be read.

        It may have done so without a word: that it has is seen by sending something.
        """
        self.writer.write(b"\r\n")
        connection: socket.socket = self.writer.get_extra_info("socket")
        return connection.fileno() < 0 or connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == CLOSED


@asynccontextmanager
async def hostile(url: str, *, receive_bytes: int | None = None) -> AsyncGenerator[Hostile]:
    """Connect; with `receive_bytes`, as one that hardly takes anything."""
    host, _, port = url.removeprefix("http://").partition(":")
    connection = socket.socket()
    if receive_bytes is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    connection.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(connection, (host, int(port)))
    reader = _Reader(limit=65536)
    protocol = asyncio.StreamReaderProtocol(reader)
    transport, _ = await loop.create_connection(lambda: protocol, sock=connection)
    try:
        yield Hostile(reader, asyncio.StreamWriter(transport, protocol, reader, loop))
    finally:
        transport.abort()


def head(method: str, path: str, token: str = "", headers: Iterable[str] = ()) -> bytes:
    """Return the head of a request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: wigwag", *([f"Authorization: Bearer {token}"] if token else [])]
    return "\r\n".join([*lines, *headers, "", ""]).encode()


def highest_memory_mb(pid: int) -> float:
    """Return the most that a process has ever had in memory."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("this system does not say what a process has in memory")


def statuses(said: bytes) -> list[int]:
    """Return the statuses of all answers in what was said."""
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", said)]
