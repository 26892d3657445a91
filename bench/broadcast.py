"""The servers that the benchmarks of streams put side by side, each as something that publishes an event."""

import asyncio
import json
import os
import shutil
import sys
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import aiohttp

from bench.harness import ROOT
from bench.native.compiler import compiled
from bench.nchan import NCHAN, running_nginx
from bench.propagation_load import BenchFailed, ended, tail
from bench.propagation_server import Operator, running_server

START_S = 20.0
FLAG = "checkout"
EVENT_BYTES = 413


@dataclass(frozen=True, slots=True)
class Published:
    """An event on its way: its revision, when it was asked for, and when the server had it."""

    revision: int
    sent_ns: int
    at_ns: int


class Broadcaster(Protocol):
    """A running server."""

    port: int
    key: str
    pid: int
    hello: bytes  # what each new stream shows

    def marker(self) -> bytes:
        """Return what the next event will be known by."""

    async def publish(self) -> Published:
        """Write the next event to every stream."""

    async def settle(self, expect: Callable[[bytes], None], arrived: Callable[[], Any]) -> None:
        """Do what has to be done between two events."""


def marker(revision: int) -> bytes:
    """Return what tells an event of this revision from all others."""
    return b'"revision":%d,' % revision


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


class Nchan:
    """nginx with nchan: an event is a POST, and counts as received when it is sent."""

    key = ""
    hello = b"200 OK"  # it greets with its headers alone

    def __init__(self, port: int, pid: int, session: aiohttp.ClientSession, event: bytes) -> None:
        self.port = port
        self.pid = pid
        self._session = session
        self._data = event.partition(b"data: ")[2].rstrip(b"\n")
        self._revision = revision_of(event)

    def marker(self) -> bytes:
        """Return what the next event will be known by."""
        return marker(self._revision + 1)

    async def publish(self) -> Published:
        """Post the next event."""
        before, self._revision = self._revision, self._revision + 1
        self._data = renumbered(self._data, before, self._revision)
        sent_ns = time.monotonic_ns()
        async with self._session.post(f"http://127.0.0.1:{self.port}/publish", data=self._data) as response:
            if response.status not in (200, 201, 202):
                raise BenchFailed(f"nginx answered a publication with {response.status}")
        return Published(self._revision, sent_ns, sent_ns)

    async def settle(self, expect: Callable[[bytes], None], arrived: Callable[[], Any]) -> None:
        """Nothing has to be done."""


class Wigwag:
    """wigwag-server on SQLite: an event is a kill by its admin API; between two, the flag is revived."""

    hello = b"event: sync"

    def __init__(self, operator: Operator, key: str, stamps: Path, revision: int) -> None:
        self.port = int(operator.url.rpartition(":")[2])
        self.pid = operator.pid
        self.key = key
        self.operator = operator
        self._stamps = stamps
        self._revision = revision

    def marker(self) -> bytes:
        """Return what the next event will be known by."""
        return marker(self._revision + 1)

    async def publish(self) -> Published:
        """Kill the flag."""
        flip = await self._flip(kill=True)
        at_ns = next(line["atNs"] for line in self.stamps() if line.get("revision") == self._revision)
        return Published(self._revision, flip.sent_ns, at_ns)

    async def settle(self, expect: Callable[[bytes], None], arrived: Callable[[], Any]) -> None:
        """Revive it."""
        expect(self.marker())
        await self._flip(kill=False)
        await arrived()

    async def change(self, times: int) -> None:
        """Kill or revive the flag so often, without waiting for the streams."""
        for _ in range(times):
            await self._flip(kill=self._revision % 2 == 0)

    def stamps(self) -> list[dict[str, Any]]:
        """Return what the stopwatch in the server has written so far, the latest first."""
        return [json.loads(line) for line in reversed(self._stamps.read_bytes().splitlines())]

    async def _flip(self, *, kill: bool) -> Any:
        flip = await self.operator.flip(FLAG, kill=kill)
        self._revision = flip.revision
        return flip


@asynccontextmanager
async def running_wigwag(folder: Path, *, name: str = "wigwag") -> AsyncGenerator[Wigwag]:
    """Run a wigwag-server with a flag whose kill is an event of `EVENT_BYTES`."""
    own = folder / name
    own.mkdir()
    stamps = own / "stamps"
    stamps.touch()
    env = {"WIGWAG_BENCH_STAMPS": str(stamps)}
    store = f"sqlite:{own / 'wigwag.db'}"
    async with running_server(store, own, module="bench.broadcasters.wigwag", env=env) as operator:
        await operator.put(FLAG, enabled=True, kind="ops")
        server = Wigwag(operator, await operator.new_key(), stamps, 1)
        bare = len(await first_event(server))
        padding = "x" * max(0, EVENT_BYTES - bare)
        await operator.put(FLAG, enabled=True, kind="ops", description=padding)
        yield Wigwag(operator, server.key, stamps, 4)


async def first_event(server: Wigwag) -> bytes:
    """Kill the flag, revive it, and return the event that the kill was."""
    headers = {"Authorization": f"Bearer {server.key}"}
    async with aiohttp.ClientSession(headers=headers) as session, session.get(f"{server.operator.url}/v1/stream") as at:
        known = marker((await server.publish()).revision)
        seen = b""
        while known not in seen or not seen.endswith(b"\n\n"):
            seen += await at.content.readany()
    await server.settle(lambda _: None, _nothing)
    return next(event + b"\n\n" for event in seen.split(b"\n\n") if known in event and b"patch" in event)


async def _nothing() -> None:
    pass


def revision_of(event: bytes) -> int:
    """Return the revision of an event of wigwag."""
    return int(event.partition(b'"revision":')[2].partition(b",")[0])


def renumbered(event: bytes, before: int, after: int) -> bytes:
    """Return the event with another revision, and otherwise the same."""
    return event.replace(marker(before), marker(after)).replace(b":%d:" % before, b":%d:" % after)


@asynccontextmanager
async def running_piped(name: str, folder: Path, event: bytes) -> AsyncGenerator[Piped]:
    """Run one of the servers that take events on standard input."""
    words = {
        "bare C": (str(await compiled("broadcast", folder)),),
        "raw uvloop": (sys.executable, "-m", "bench.broadcasters.raw_uvloop"),
        "raw uvloop, beating": (sys.executable, "-m", "bench.broadcasters.raw_uvloop", "5"),
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


@asynccontextmanager
async def running_nchan(folder: Path, event: bytes) -> AsyncGenerator[Nchan]:
    """Run nginx with nchan."""
    async with running_nginx(folder) as (port, pid), aiohttp.ClientSession() as session:
        yield Nchan(port, pid, session, event)


NEEDS = {"aiohttp-sse": ("aiohttp_sse",), "starlette, uvicorn": ("starlette", "uvicorn", "httptools")}
NEEDS["sse-starlette, uvicorn"] = (*NEEDS["starlette, uvicorn"], "sse_starlette")
FLOORS = ("bare C", "raw uvloop")
PEERS = ("nginx, nchan", "aiohttp write", "starlette, uvicorn", "aiohttp-sse", "sse-starlette, uvicorn")


def running(name: str, folder: Path, event: bytes) -> AbstractAsyncContextManager[Broadcaster]:
    """Run a floor or a peer until the context is left."""
    if name == "nginx, nchan":
        return running_nchan(folder, event)
    return running_piped(name, folder, event)


def why_not(name: str) -> str:
    """Say what keeps a server from being measured here; nothing if it can be."""
    if name == "nginx, nchan":
        return "" if shutil.which("nginx") and NCHAN.exists() else "install nginx and libnginx-mod-nchan"
    missing = [module for module in NEEDS.get(name, ()) if find_spec(module) is None]
    return f"not installed: {', '.join(missing)} (dependency group bench)" if missing else ""


def pids_under(pid: int) -> list[int]:
    """Return a process and those that it started."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return [pid, *(each for child in children for each in pids_under(int(child)))]


def cpu_s(pid: int) -> float:
    """Return the processor time that a server has used so far, with the processes that it started."""
    ticks = 0
    for each in pids_under(pid):
        fields = Path(f"/proc/{each}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def memory_kib(pid: int) -> int:
    """Return the memory of a server (its share of what it has in common with others included), without the kernel's."""
    total = 0
    for each in pids_under(pid):
        rollup = Path(f"/proc/{each}/smaps_rollup").read_text(encoding="ascii")
        total += next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
    return total
