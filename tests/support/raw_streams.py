"""Many streams in one process: raw sockets that speak just enough HTTP, and come back as clients do, but sooner."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from wigwag_proto.backoff import Backoff
from wigwag_proto.commit import Cursor
from wigwag_proto.events import Goodbye, Hello, Patch, Put, Sync, decode_event
from wigwag_proto.sse import SseParser

# The client's own goes up to 30 s; with this one a storm is over sooner, and is worse while it lasts.
IMPATIENT = Backoff(base_s=0.1, cap_s=1.0)


@dataclass(frozen=True, slots=True)
class Gap:
    """A time without a stream: how long, how much of it was waiting as backoff or goodbye asked, and how many tries."""

    seconds: float
    waited_s: float
    tries: int


class RawStreams:
    """Keeps `count` streams of one server open, until closed. Everything that they hear is counted."""

    def __init__(self, url: str, key: str, count: int) -> None:
        host, _, port = url.removeprefix("http://").partition(":")
        self.address = host, int(port)
        self.host = url.removeprefix("http://")
        self.key = key
        self.rng = random.Random()
        self.streams = [RawStream(self) for _ in range(count)]
        self.outcomes: Counter[str] = Counter()  # of the hellos
        self.servers: set[str] = set()  # by the ids in the hellos
        self.refusals: Counter[str] = Counter()  # status lines other than 200
        self.puts: Counter[str] = Counter()  # by cursor
        self.goodbyes: list[tuple[float, float]] = []  # when it came (monotonic), and how long to stay away (seconds)
        self.gaps: list[Gap] = []  # from the loss of a stream to the next hello

    def current(self, cursor: str) -> int:
        """Say how many are open and exactly at this cursor."""
        return sum(stream.greeted and str(stream.cursor) == cursor for stream in self.streams)

    @property
    def open(self) -> int:
        """Say how many have been greeted."""
        return sum(stream.greeted for stream in self.streams)


class RawStream(asyncio.Protocol):
    """One stream: its socket, what is left of the chunk that is being read, and the cursor that it is at."""

    def __init__(self, group: RawStreams) -> None:
        self.cursor: Cursor | None = None
        self.greeted = False
        self._group = group
        self._backoff = IMPATIENT
        self._transport: asyncio.Transport | None = None
        self._lost: asyncio.Future[float | None] | None = None
        self._buffer = b""
        self._head_is_read = False
        self._parser = SseParser()
        self._lost_at: float | None = None
        self._waited_s = 0.0
        self._tries = 0

    async def run(self) -> None:
        """Connect, follow, wait, and connect again. Runs until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            self._lost = loop.create_future()
            retry_s: float | None = None
            self._tries += 1
            try:
                await loop.create_connection(lambda: self, *self._group.address)
                retry_s = await self._lost
            except OSError:
                pass
            finally:
                if self._transport is not None:
                    self._transport.abort()
                    self._transport = None
            if retry_s is None:
                retry_s, self._backoff = self._backoff.after_failure(self._group.rng)
            self._waited_s += retry_s
            await asyncio.sleep(retry_s)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the stream."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._buffer, self._head_is_read, self._parser = b"", False, SseParser()
        last = f"Last-Event-ID: {self.cursor}\r\n" if self.cursor else ""
        request = f"GET /v1/stream HTTP/1.1\r\nHost: {self._group.host}\r\nAuthorization: Bearer {self._group.key}\r\n"
        transport.write(f"{request}{last}\r\n".encode())

    def data_received(self, data: bytes) -> None:
        """Take what came; an error ends `run` with it, where asyncio would only log it."""
        try:
            self._take(data)
        except Exception as error:  # noqa: BLE001
            if self._lost is not None and not self._lost.done():
                self._lost.set_exception(error)

    def _take(self, data: bytes) -> None:
        """Take the head, then one chunk after the other."""
        self._buffer += data
        if not self._head_is_read:
            head, found, rest = self._buffer.partition(b"\r\n\r\n")
            if not found:
                return
            if b" 200 " not in head[:16]:
                self._group.refusals[head.partition(b"\r\n")[0].decode()] += 1
                self._end(None)
                return
            self._head_is_read, self._buffer = True, rest
        while (chunk := self._next_chunk()) is not None:
            for event in self._parser.feed(chunk):
                self._hear(decode_event(event))

    def connection_lost(self, _: Exception | None) -> None:
        """Come back later."""
        self._end(None)

    def _next_chunk(self) -> bytes | None:
        size, found, rest = self._buffer.partition(b"\r\n")
        if not found or len(rest) < (length := int(size, 16)) + 2:
            return None
        self._buffer = rest[length + 2 :]
        return rest[:length]

    def _hear(self, event: object) -> None:
        match event:
            case Hello():
                if self._lost_at is not None:
                    self._group.gaps.append(Gap(time.monotonic() - self._lost_at, self._waited_s, self._tries))
                self._group.servers.add(event.server)
                self.greeted = True
                self._group.outcomes[event.outcome] += 1
            case Put(snapshot):
                self.cursor = snapshot.cursor
                self._group.puts[str(snapshot.cursor)] += 1
            case Patch(epoch, commit):
                assert self.cursor is not None
                assert (commit.revision, commit.prev) == (self.cursor.revision + 1, self.cursor.head)
                self.cursor = Cursor(epoch, commit.revision, commit.head)
            case Sync():
                assert event.cursor == str(self.cursor)
            case Goodbye(retry_ms):
                self._group.goodbyes.append((time.monotonic(), retry_ms / 1000))
                self._end(retry_ms / 1000)

    def _end(self, retry_s: float | None) -> None:
        if self.greeted:
            self._lost_at, self._waited_s, self._tries = time.monotonic(), 0.0, 0
        self.greeted = False
        if self._lost is not None and not self._lost.done():
            self._lost.set_result(retry_s)


@asynccontextmanager
async def raw_streams(url: str, key: str, count: int) -> AsyncGenerator[RawStreams]:
    """Keep streams open until the context is left. What went wrong in one of them is raised then."""
    group = RawStreams(url, key, count)
    tasks = [asyncio.create_task(stream.run()) for stream in group.streams]
    try:
        yield group
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    for each in ended:
        if isinstance(each, Exception):
            raise each
