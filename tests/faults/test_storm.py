"""A server with many streams is killed, drained and started again: everyone is back, current, and spread out.

How many snapshots a server has encoded is read from its own `/metrics`: the hub counts at the one place where it
encodes one, whether it goes out as a `put` or as the answer to `GET /v1/snapshot`.
"""

import asyncio
import math
import random
import resource
import shutil
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import aiohttp
import pytest

from tests.support.listening import listening
from tests.support.proxy import Proxy
from tests.support.raw_streams import raw_streams
from tests.support.redis_server import RedisServer
from tests.support.restartable import RestartableServer
from tests.support.waiting import until
from wigwag import FlagClient, Settings

SLOT_S = 0.01
CLIENTS = 100
PATIENCE_S = 120.0

sizes = pytest.mark.parametrize("count", [300, pytest.param(5000, marks=[pytest.mark.long, pytest.mark.timeout(400)])])


@pytest.fixture(autouse=True)
def many_files() -> Iterator[None]:
    """Let this process and its children open as many files as they may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@sizes
async def test_a_killed_server_has_all_its_streams_back_and_current_from_one_snapshot_a_revision(
    redis_server: RedisServer, tmp_path: Path, count: int
) -> None:
    """While it is away, another server takes changes, and its own copy is lost: it cannot tell what anybody missed."""
    async with (
        RestartableServer(tmp_path / "one", redis_server.url) as one,
        RestartableServer(tmp_path / "two", redis_server.url) as two,
    ):
        assert await two.ask("POST", "/admin/flags/checkout", json={"enabled": True}) == 201
        async with raw_streams(one.url, one.key, count) as streams:
            await until(lambda: streams.open == count, "all streams", PATIENCE_S)
            first = await cursor_of(two)
            await until(lambda: streams.current(first) == count, "all current", PATIENCE_S)
            assert await metric(one, "wigwag_snapshots_encoded_total") <= len(streams.puts)

            await one.stop(hard=True)
            await until(lambda: streams.open == 0, "the loss")
            assert await two.ask("POST", "/admin/flags/search", json={"enabled": True}) == 201
            await asyncio.to_thread(shutil.rmtree, tmp_path / "one" / "wigwag-data")
            streams.puts.clear()
            streams.outcomes.clear()
            begun = time.monotonic()
            await one.start()
            assert await two.ask("POST", "/admin/flags/checkout/kill") == 200  # in the midst of it
            last = await cursor_of(two)
            await until(lambda: streams.current(last) == count, "all back and current", PATIENCE_S)
            took_s = time.monotonic() - begun
            encoded = await metric(one, "wigwag_snapshots_encoded_total")
            assert streams.puts.total() == streams.outcomes["snapshot"] == count
            assert 1 <= encoded <= len(streams.puts)
            assert await metric(one, "wigwag_streams") == count
            print(f"{count} streams back {took_s:.2f} s after the start; {encoded} snapshots; {streams.refusals}")


@sizes
async def test_a_drain_says_goodbye_to_every_stream_spread_over_its_window(
    redis_server: RedisServer, tmp_path: Path, count: int
) -> None:
    async with RestartableServer(tmp_path / "server", redis_server.url) as server:
        async with raw_streams(server.url, server.key, count) as streams:
            await until(lambda: streams.open == count, "all streams", PATIENCE_S)
            assert await server.stop() == 0
            await until(lambda: len(streams.goodbyes) == count, "all goodbyes")
            said = sorted(at for at, _ in streams.goodbyes)
            span_s = max(said) - min(said)
            print(f"{count} goodbyes over {span_s:.2f} s; at most {busiest(said)} in 10 ms")
            # 1,000 a second, in five seconds at most.
            window_s = min(5.0, count / 1000)
            assert span_s > 0.5 * window_s
            # Whoever listens may be held up for some of it, and then hears several in one instant.
            assert said[count * 3 // 4] - said[count // 4] > 0.1 * window_s
            assert all(0.1 <= retry_s <= 1.0 for _, retry_s in streams.goodbyes)
            assert busiest(at + retry_s for at, retry_s in streams.goodbyes) < count / 4


async def test_clients_of_a_server_that_dies_do_not_return_all_at_once(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    async with RestartableServer(tmp_path / "server", redis_server.url) as server:
        host, _, port = server.url.removeprefix("http://").partition(":")
        async with listening(Arrivals(host, int(port))) as arrivals:
            url = f"http://127.0.0.1:{arrivals.port}"
            clients = [FlagClient(url, server.key, settings=Settings(cache_dir=None)) for _ in range(CLIENTS)]
            try:
                await asyncio.gather(*(client.start() for client in clients))
                await until(lambda: all(client.status.connected for client in clients), "the streams")
                arrivals.at.clear()
                await server.stop(hard=True)
                await until(lambda: len(arrivals.at) >= CLIENTS, "the first attempts")
                first = arrivals.at[:CLIENTS]
                print(
                    f"{CLIENTS} first attempts over {max(first) - min(first):.3f} s, at most {busiest(first)} in 10 ms"
                )
                assert busiest(first) < CLIENTS / 2
            finally:
                await asyncio.gather(*(client.close() for client in clients))


async def test_a_rush_for_snapshots_is_served_from_one_encoding_or_sent_away_for_a_while(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    async with RestartableServer(tmp_path / "server", redis_server.url) as server:
        noise = random.Random(1)
        for number in range(3):
            ids = [f"{noise.getrandbits(64):x}" for _ in range(8000)]
            assert await server.ask("POST", f"/admin/flags/flag-{number}", json={"whitelist": ids}) == 201
        before = await metric(server, "wigwag_snapshots_encoded_total")
        connector = aiohttp.TCPConnector(limit=0)
        headers = {"Authorization": f"Bearer {server.key}"}
        async with aiohttp.ClientSession(connector=connector, headers=headers) as session:

            async def load() -> tuple[int, str]:
                async with session.get(f"{server.url}/v1/snapshot") as response:
                    body = await response.read()
                    assert response.status == 503 or len(body) > 100_000
                    return response.status, response.headers.get("Retry-After", "")

            answers = Counter(await asyncio.gather(*(load() for _ in range(400))))
        print(f"400 at once: {answers}")
        assert answers[(200, "")] > 0
        assert all(status == 200 or 1 <= int(retry_after) <= 5 for status, retry_after in answers)
        assert await metric(server, "wigwag_snapshots_encoded_total") - before <= 1


class Arrivals(Proxy):
    """A proxy that writes down when connections arrive."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(host, port)
        self.at: list[float] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Handle one connection."""
        self.at.append(time.monotonic())
        await super().serve(reader, writer)


def busiest(times: Iterable[float]) -> int:
    """Return how many fall into the busiest 10 ms."""
    return max(Counter(math.floor(at / SLOT_S) for at in times).values())


async def cursor_of(server: RestartableServer) -> str:
    """Return the cursor that the server is at."""
    _, body = await server._request("GET", "/admin/flags")
    return body["cursor"]


async def metric(server: RestartableServer, name: str) -> int:
    """Return a metric of production."""
    async with aiohttp.ClientSession() as session, session.get(f"{server.url}/metrics") as response:
        lines = (await response.text()).splitlines()
    (value,) = [line.rpartition(" ")[2] for line in lines if line.startswith(f'{name}{{environment="production"')]
    return int(float(value))
