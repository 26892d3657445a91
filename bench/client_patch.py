"""One patch on its way into a Python client: from the bytes in the socket until the client answers by it.

    python -m bench.client_patch [--json] [--events 300]

A server in the same process writes a patch to a `FlagClient` that holds 10, 1,000 or 10,000 flags, and to a bare
protocol that only takes the bytes, as the baseline: the socket and the event loop cost both the same. They take turns.
"""

import argparse
import asyncio
import random
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from statistics import median
from typing import Any, cast

from aiohttp import web

from bench.evaluation_costs import other_flags
from bench.harness import report, show, summary, table
from bench.options import counts, positive
from bench.session import Advance, run
from wigwag import FlagChange, FlagClient, Settings
from wigwag_proto.codec import encode
from wigwag_proto.commit import Change, Commit, Cursor, Epoch
from wigwag_proto.events import Hello, Outcome, encode_hello, encode_patch

PACKAGES = ("wigwag", "aiohttp", "uvloop", "orjson", "msgspec")
SIZES = (10, 1_000, 10_000)
KEY = "other-7"
WARM_UP = 20
PATIENCE_S = 30.0


class Upstream:
    """What a client follows: a snapshot of so many flags, and a stream that says what it is told to."""

    def __init__(self, flags: int) -> None:
        self._cursor = Cursor(Epoch(1, "bench"), 1, "head1")
        self._flags = other_flags(flags)
        self._stream: web.StreamResponse | None = None

    def routes(self) -> list[web.RouteDef]:
        """Return the two routes."""
        return [web.get("/v1/snapshot", self._snapshot), web.get("/v1/stream", self._follow)]

    async def patch(self) -> int:
        """Write one commit to the stream; returns when (monotonic ns)."""
        assert self._stream is not None
        before, revision = self._cursor, self._cursor.revision + 1
        self._cursor = Cursor(before.epoch, revision, f"head{revision}")
        value = {"enabled": True, "rolloutPercentage": 10, "description": f"change {revision}"}
        commit = Commit(revision, before.head, self._cursor.head, revision, (Change("flag", KEY, value),))
        event = encode_patch(before.epoch, commit)
        at_ns = time.monotonic_ns()
        await self._stream.write(event)
        return at_ns

    async def _snapshot(self, _: web.Request) -> web.Response:
        body = {
            "environment": "production",
            "cursor": str(self._cursor),
            "at": 1,
            "flags": self._flags,
            "segments": {},
            "emergencies": [],
        }
        return web.Response(body=encode(body), content_type="application/json")

    async def _follow(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        hello = Hello(outcome=Outcome.CURRENT, cause="current", heartbeat_ms=600_000)
        await response.write(encode_hello(hello))
        self._stream = response
        await asyncio.get_running_loop().create_future()
        return response


class Bare(asyncio.Protocol):
    """Takes bytes, and says when."""

    def __init__(self) -> None:
        self.arrived: asyncio.Future[int] | None = None

    def data_received(self, _: bytes) -> None:
        """Take note of the time."""
        if self.arrived is not None and not self.arrived.done():
            self.arrived.set_result(time.monotonic_ns())


async def measure(sizes: tuple[int, ...], events: int, _: Path, advance: Advance) -> dict[str, Any]:
    """Let the clients of all sizes and the baseline take turns."""
    async with AsyncExitStack() as stack:
        takers = {f"{size:,} flags": await stack.enter_async_context(_client(size)) for size in sizes}
        takers["bare protocol"] = await stack.enter_async_context(_bare())
        samples: dict[str, list[float]] = {name: [] for name in takers}
        for turn in range(-WARM_UP, events):
            # In an order of chance: the first after a pause finds cold caches.
            for name in random.sample(list(takers), len(takers)):
                took_us = await takers[name]()
                if turn >= 0:
                    samples[name].append(took_us)
            await asyncio.sleep(random.uniform(0.001, 0.003))
            advance("patches", turn + 1, events)
    bare = median(samples["bare protocol"])
    return report(
        "client_patch",
        packages=PACKAGES,
        unit="us",
        parameters={"flags": list(sizes), "events": events},
        takers={name: summary(values) for name, values in samples.items()},
        beyondBareUs={name: median(values) - bare for name, values in samples.items() if name != "bare protocol"},
    )


@asynccontextmanager
async def _client(size: int) -> AsyncGenerator[Any]:
    upstream = Upstream(size)
    app = web.Application()
    app.add_routes(upstream.routes())
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        settings = Settings(cache_dir=None, start_timeout_s=PATIENCE_S)
        async with FlagClient(url, "ww_server_bench", settings=settings) as client:
            async with asyncio.timeout(PATIENCE_S):
                while not client.status.connected:  # noqa: ASYNC110 - a status has no event to wait for
                    await asyncio.sleep(0.01)
            arrived: asyncio.Queue[int] = asyncio.Queue()

            def changed(_: FlagChange) -> None:
                client.is_enabled(KEY, user_id="user-1")
                arrived.put_nowait(time.monotonic_ns())

            client.on_change(changed)

            async def take() -> float:
                at_ns = await upstream.patch()
                return (await asyncio.wait_for(arrived.get(), PATIENCE_S) - at_ns) / 1000

            yield take
    finally:
        await runner.cleanup()


@asynccontextmanager
async def _bare() -> AsyncGenerator[Any]:
    loop = asyncio.get_running_loop()
    made: asyncio.Future[asyncio.WriteTransport] = loop.create_future()

    class Writer(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            made.set_result(cast(asyncio.WriteTransport, transport))

    server = await loop.create_server(Writer, "127.0.0.1", 0)
    transport, taker = await loop.create_connection(Bare, *server.sockets[0].getsockname())
    writer = await made

    async def take() -> float:
        taker.arrived = loop.create_future()
        at_ns = time.monotonic_ns()
        writer.write(b"x" * 300)
        return (await asyncio.wait_for(taker.arrived, PATIENCE_S) - at_ns) / 1000

    try:
        yield take
    finally:
        transport.close()
        writer.close()
        server.close()


def tables(result: Any) -> list[Any]:
    """Return the result as a table."""
    rows = [
        (name, *(each[point] for point in ("p50", "p90", "p99")), result["beyondBareUs"].get(name))
        for name, each in result["takers"].items()
    ]
    columns = ("", "median, µs", "p90", "p99", "beyond the bare protocol")
    return [table("From a patch in the socket until the client answers by it", columns, rows)]


def main() -> None:
    """Measure and show."""
    parser = argparse.ArgumentParser(prog="python -m bench.client_patch", description="One patch into a client.")
    sizes = ",".join(map(str, SIZES))
    parser.add_argument("--flags", type=counts, default=sizes, help="how many flags the clients hold [%(default)s]")
    parser.add_argument("--events", type=positive, default=300, help="how many patches each [%(default)s]")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    given = parser.parse_args()
    result = run("bench.client_patch", lambda folder, advance: measure(given.flags, given.events, folder, advance))
    show(result, as_json=given.json, tables=[] if given.json else tables(result))


if __name__ == "__main__":
    main()
