"""wigwag-server as the benchmarks of streams run it: the real one, in a process of its own."""

import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from bench.events import Published, marker
from bench.propagation_server import Operator, running_server

FLAG = "checkout"


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
async def running_wigwag(folder: Path) -> AsyncGenerator[Wigwag]:
    """Run a wigwag-server with a flag to kill."""
    own = folder / "wigwag"
    own.mkdir()
    stamps = own / "stamps"
    stamps.touch()
    env = {"WIGWAG_BENCH_STAMPS": str(stamps)}
    store = f"sqlite:{own / 'wigwag.db'}"
    async with running_server(store, own, module="bench.broadcasters.wigwag", env=env) as operator:
        revision = await operator.put(FLAG, enabled=True)
        yield Wigwag(operator, await operator.new_key(), stamps, revision)


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
