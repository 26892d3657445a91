"""The floors and most peers: servers in processes that take events on standard input."""

import asyncio
import json
import sys
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from bench.events import Published, marker, renumbered, revision_of
from bench.harness import ROOT
from bench.native.compiler import compiled
from bench.propagation_load import BenchFailed, ended, tail

START_S = 20.0


class Piped:
    """A server that takes events on its standard input."""

    hello = b"hello"
    key = ""

    def __init__(self, name: str, process: asyncio.subprocess.Process, log: Path, event: bytes) -> None:
        self.port = 0
        self.pid = process.pid
        self._name = name
        self._process = process
        self._log = log
        self._event = event
        self._revision = revision_of(event)

    async def started(self) -> None:
        """Wait until it listens."""
        self.port = (await self._told())["port"]

    def marker(self) -> bytes:
        """Return what the next event will be known by."""
        return marker(self._revision + 1)

    async def publish(self) -> Published:
        """Hand it the next event."""
        assert self._process.stdin is not None
        before, self._revision = self._revision, self._revision + 1
        self._event = renumbered(self._event, before, self._revision)
        sent_ns = time.monotonic_ns()
        self._process.stdin.write(self._event.hex().encode() + b"\n")
        return Published(self._revision, sent_ns, (await self._told())["atNs"])

    async def settle(self, expect: Callable[[bytes], None], arrived: Callable[[], Any]) -> None:
        """Nothing has to be done."""

    async def _told(self) -> Any:
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(START_S):
                line = await self._process.stdout.readline()
        except TimeoutError:
            line = b""
        if not line:
            raise BenchFailed(f"the server '{self._name}' says nothing{tail(self._log)}")
        return json.loads(line)


@asynccontextmanager
async def running_piped(name: str, folder: Path, event: bytes) -> AsyncGenerator[Piped]:
    """Run one of the servers that take events on standard input."""
    words = {
        "bare C": (str(await compiled("broadcast", folder)),),
        "raw uvloop": (sys.executable, "-m", "bench.broadcasters.raw_uvloop"),
        "raw uvloop, beating": (sys.executable, "-m", "bench.broadcasters.raw_uvloop", "beating"),
        "raw uvloop, os.write": (sys.executable, "-m", "bench.broadcasters.raw_uvloop", "os.write"),
        "raw uvloop, gc off": (sys.executable, "-m", "bench.broadcasters.raw_uvloop", "gc off"),
        "raw uvloop, queue and task": (sys.executable, "-m", "bench.broadcasters.raw_uvloop", "queue and task"),
        "aiohttp write": (sys.executable, "-m", "bench.broadcasters.aiohttp_write"),
        "aiohttp-sse": (sys.executable, "-m", "bench.broadcasters.aiohttp_sse"),
        "starlette, uvicorn": (sys.executable, "-m", "bench.broadcasters.asgi", "starlette"),
        "sse-starlette, uvicorn": (sys.executable, "-m", "bench.broadcasters.asgi", "sse-starlette"),
    }[name]
    log = folder / f"{name}.log"
    with log.open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            *words, cwd=ROOT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=errors
        )
    try:
        server = Piped(name, process, log, event)
        await server.started()
        yield server
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await ended(process)
