"""A load program, as the benchmark sees it: a process that is told what to do and reports lines of JSON."""

import asyncio
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec

from bench.harness import ROOT
from bench.loads.load import Orders
from wigwag_proto.codec import decode

END_S = 5.0
LONGEST_LINE = 64 * 1024 * 1024
TAIL_LINES = 3


class BenchFailed(Exception):
    """The measurement could not be made; the message says why."""


class Load:
    """A running load program. Made by `running_load`."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, log: Path) -> None:
        self._name = name
        self._process = process
        self._log = log

    @property
    def pid(self) -> int:
        """Which process it is."""
        return self._process.pid

    async def report(self, timeout_s: float) -> Any:
        """Return the next report. Raises BenchFailed when there is none in time, or the process has ended."""
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(timeout_s):
                line = await self._process.stdout.readline()
        except TimeoutError:
            raise BenchFailed(f"{self._name} reported nothing for {timeout_s:g} s{tail(self._log)}") from None
        if not line:
            raise BenchFailed(f"{self._name} ended early{tail(self._log)}")
        return decode(line)

    async def arrivals(self, revision: int, timeout_s: float) -> Any:
        """Return the report that every client has this revision."""
        while (report := await self.report(timeout_s)).get("revision") != revision:
            pass  # the load's own start
        return report


@asynccontextmanager
async def running_load(name: str, orders: Orders, folder: Path) -> AsyncGenerator[Load]:
    """Run the program `bench.loads.<name>` until the context is left."""
    log = folder / f"{name}.log"
    with log.open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", f"bench.loads.{name}"),
            cwd=ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            limit=LONGEST_LINE,
        )
    try:
        assert process.stdin is not None
        process.stdin.write(msgspec.json.encode(orders) + b"\n")
        yield Load(name, process, log)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await ended(process)


async def ended(process: asyncio.subprocess.Process) -> None:
    """Wait for the end of a process that was told to end; after `END_S`, make it."""
    try:
        async with asyncio.timeout(END_S):
            await process.wait()
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def tail(log: Path) -> str:
    """Return the last of what a process wrote to its log, to stand at the end of a message."""
    with suppress(OSError):
        if lines := log.read_text(encoding="utf-8", errors="replace").splitlines():
            return "\n".join((". Its last words:", *lines[-TAIL_LINES:]))
    return ""
