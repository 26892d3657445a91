"""The load of the server benchmarks: thousands of streams in one C program (`bench/native/streams.c`)."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.native.compiler import compiled
from bench.propagation_load import BenchFailed, ended, tail

HOST = "127.0.0.1"
AT_ONCE = 200
LONGEST_REPORT = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Arrival:
    """When each per cent of the streams had what was waited for (0: the first, 100: the last). Monotonic ns."""

    began_ns: int
    percent_ns: tuple[int, ...]
    retries: int

    @property
    def last_ns(self) -> int:
        """When the last stream had it."""
        return self.percent_ns[-1]


class Streams:
    """A running load. Made by `running_streams`."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path, request: bytes) -> None:
        self._process = process
        self._log = log
        self._request = request

    async def open(self, marker: bytes, timeout_s: float, *, at_once: int = AT_ONCE, cursor: str = "") -> Arrival:
        """Open all streams and wait until each has shown the marker. `cursor` is what they resume from."""
        last = f"Last-Event-ID: {cursor}\r\n".encode() if cursor else b""
        request = self._request + last + b"\r\n"
        self._tell(f"open {at_once} {marker.hex()} {request.hex()}")
        return await self._arrival(timeout_s)

    def expect(self, marker: bytes) -> None:
        """Begin to look for a marker in what comes from now on."""
        self._tell(f"expect {marker.hex()}")

    async def arrived(self, timeout_s: float) -> Arrival:
        """Wait until every stream has shown it. Raises BenchFailed."""
        return await self._arrival(timeout_s)

    async def close(self) -> None:
        """Drop all streams."""
        self._tell("close")
        await self._report(10.0)

    def _tell(self, order: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(order.encode() + b"\n")

    async def _arrival(self, timeout_s: float) -> Arrival:
        told = await self._report(timeout_s)
        return Arrival(told["beganNs"], tuple(told["percentNs"]), told["retries"])

    async def _report(self, timeout_s: float) -> Any:
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(timeout_s):
                line = await self._process.stdout.readline()
        except TimeoutError:
            raise BenchFailed(
                f"not every stream had what it was to get within {timeout_s:g} s{tail(self._log)}"
            ) from None
        if not line:
            raise BenchFailed(f"the load ended early{tail(self._log)}")
        return json.loads(line)


@asynccontextmanager
async def running_streams(folder: Path, port: int, count: int, *, key: str = "") -> AsyncGenerator[Streams]:
    """Run the load for `count` streams of the server at that port of loopback. Raises BenchFailed."""
    program = await compiled("streams", folder)
    log = folder / f"streams-{port}-{count}.log"
    with log.open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            *(str(program), HOST, str(port), str(count)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            limit=LONGEST_REPORT,
        )
    authorization = f"Authorization: Bearer {key}\r\n" if key else ""
    request = f"GET /v1/stream HTTP/1.1\r\nHost: {HOST}:{port}\r\n{authorization}Accept: text/event-stream\r\n"
    try:
        yield Streams(process, log, request.encode())
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await ended(process)
