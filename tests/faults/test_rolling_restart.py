"""Servers behind a balancer are restarted one after the other, under load and with a kill every second.

The balancers are real: nginx as deploy/ ships it, and a plain TCP one that knows nothing of HTTP. Neither keeps a
client at a server.
"""

import asyncio
import resource
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.support.balancer import balancer_before
from tests.support.nginx import nginx_before
from tests.support.raw_streams import RawStreams, raw_streams
from tests.support.redis_server import RedisServer
from tests.support.restartable import RestartableServer
from tests.support.server import ADMIN_TOKEN
from tests.support.waiting import until
from wigwag import FlagClient, Settings, Source

APPS = 10
KILL_EVERY_S = 1.0
PATIENCE_S = 120.0
# A connection may fall into the moment in which its server stops listening; then the next try finds another one.
MOST_TRIES = 3

LONG = [pytest.mark.long, pytest.mark.timeout(400)]
cases = pytest.mark.parametrize(
    ("front", "clients", "servers"),
    [
        ("nginx", 200, 2),
        pytest.param("nginx", 5000, 3, marks=LONG),
        pytest.param("tcp", 5000, 3, marks=LONG),
    ],
)


@pytest.fixture(autouse=True)
def many_files() -> Iterator[None]:
    """Let this process and its children open as many files as they may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class Killer:
    """Kills one flag after the other, through the balancer, every second. An operator tries again when it fails."""

    def __init__(self, url: str) -> None:
        self.killed: list[str] = []
        self.failures: list[str] = []
        self.stopped = False
        self._url = url
        self._headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}

    async def run(self) -> None:
        """Go on until told to stop."""
        async with aiohttp.ClientSession(headers=self._headers) as session:
            for number in count():
                if self.stopped:
                    return
                key = f"flag-{number}"
                await self._until_done(session, f"/admin/flags/{key}", json={"enabled": True})
                await asyncio.sleep(KILL_EVERY_S)
                await self._until_done(session, f"/admin/flags/{key}/kill")
                self.killed.append(key)

    async def _until_done(self, session: aiohttp.ClientSession, path: str, **options: Any) -> None:
        while True:
            try:
                async with session.post(self._url + path, **options) as response:
                    if response.status in (200, 201):
                        await response.read()
                        return
                    self.failures.append(f"{response.status} {path}")
            except aiohttp.ClientError as error:
                self.failures.append(f"{type(error).__name__} {path}")


class App:
    """A real client, with all that it heard and all that it went by."""

    def __init__(self, client: FlagClient) -> None:
        self.client = client
        self.sources: set[Source] = set()
        self.killed: list[str] = []
        client.on_status(lambda status: self.sources.add(status.source))

    async def listen(self) -> None:
        """Write every kill down, in the order in which they arrive."""
        async with aclosing(self.client.changes()) as changes:
            async for change in changes:
                if change.after is not None and change.after.kill is not None:
                    self.killed.append(change.key)


@asynccontextmanager
async def apps_of(url: str, key: str) -> AsyncIterator[list[App]]:
    """Run some real clients, as an app has them."""
    async with AsyncExitStack() as stack:
        apps = [App(FlagClient(url, key, settings=Settings(cache_dir=None))) for _ in range(APPS)]
        for app in apps:
            await stack.enter_async_context(app.client)
        await until(lambda: all(app.client.status.connected for app in apps), "the apps")
        tasks = [asyncio.create_task(app.listen()) for app in apps]
        try:
            yield apps
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


@cases
async def test_a_rolling_restart_under_load_misses_no_kill_and_leaves_nobody_without_a_stream_beyond_its_backoff(
    redis_server: RedisServer, tmp_path: Path, front: str, clients: int, servers: int
) -> None:
    async with AsyncExitStack() as stack:
        group = [RestartableServer(tmp_path / f"server-{n}", redis_server.url) for n in range(servers)]
        await asyncio.gather(*(server.start() for server in group))
        for server in group:
            stack.push_async_callback(server.stop, hard=True)
        key = await group[0].new_key()
        backends = [server.url.removeprefix("http://") for server in group]
        before = nginx_before(tmp_path / "nginx", backends) if front == "nginx" else balancer_before(backends)
        url = await stack.enter_async_context(before)
        apps = await stack.enter_async_context(apps_of(url, key))
        streams = await stack.enter_async_context(raw_streams(url, key, clients))
        await until(lambda: streams.open == clients, "all streams", PATIENCE_S)
        assert len(streams.servers) == servers, "the balancer leads everybody to one server"
        streams.refusals.clear()
        killer = Killer(url)
        killing = asyncio.create_task(killer.run())
        try:
            await until(lambda: len(killer.killed) > 0, "the first kill")
            for server in group:
                assert await server.stop() == 0
                await server.start()
            done = len(killer.killed)
            await until(lambda: len(killer.killed) > done, "a kill after the restart")
        finally:
            killer.stopped = True
            await killing
        last = await cursor_of(group[0])
        await until(lambda: streams.current(last) == clients, "the last state in all streams", PATIENCE_S)
        # Every patch that a stream got followed on the state before it: `RawStream` insists on that.
        await until(lambda: all(set(killer.killed) <= set(app.killed) for app in apps), "every kill in every app")
        for app in apps:
            assert app.sources <= {Source.STREAM, Source.LAST_KNOWN}, "an app had to poll"
            assert [key for key in app.killed if key in killer.killed] == killer.killed
        report(front, streams, killer)
        assert len(streams.gaps) >= clients, "every stream was sent away once"
        assert max(gap.tries for gap in streams.gaps) <= MOST_TRIES


async def cursor_of(server: RestartableServer) -> str:
    """Return the cursor that the server is at."""
    _, body = await server._request("GET", "/admin/flags")
    return body["cursor"]


def report(front: str, streams: RawStreams, killer: Killer) -> None:
    """Print what it was like."""
    gaps = sorted(gap.seconds for gap in streams.gaps)
    beyond = sorted(gap.seconds - gap.waited_s for gap in streams.gaps)
    tries = {number: sum(gap.tries == number for gap in streams.gaps) for number in range(1, MOST_TRIES + 1)}
    print(
        f"{front}, {len(streams.streams)} streams: {len(gaps)} times without a stream, median "
        f"{gaps[len(gaps) // 2]:.3f} s, longest {gaps[-1]:.3f} s; beyond the time that was asked for: median "
        f"{beyond[len(beyond) // 2] * 1000:.0f} ms, most {beyond[-1] * 1000:.0f} ms; tries {tries}; "
        f"{len(killer.killed)} kills, {killer.failures} tried again; refusals {dict(streams.refusals)}"
    )
