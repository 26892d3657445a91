"""Redis, servers and apps as processes on hosts of their own, see `hosts`."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from tests.support.hosts import Host
from tests.support.redis_server import redis_binary
from tests.support.server import ADMIN_TOKEN
from tests.support.waiting import until, until_async

ROOT = Path(__file__).parents[2]
REDIS_PORT, SERVER_PORT = 6379, 8420


@asynccontextmanager
async def _running(host: Host, folder: Path, *words: str, **options: Any) -> AsyncGenerator[asyncio.subprocess.Process]:
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    with (folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(*host.words(*words), stderr=log, **options)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
        await process.wait()


@asynccontextmanager
async def redis_on(host: Host, folder: Path) -> AsyncGenerator[str]:
    """Run a Redis until the context is left; yields its URL."""
    options = ("--port", str(REDIS_PORT), "--bind", host.address, "--protected-mode", "no", "--dir", str(folder))
    words = (redis_binary(), *options, "--appendonly", "yes", "--save", "")
    async with _running(host, folder, *words, stdout=asyncio.subprocess.DEVNULL):
        yield f"redis://{host.address}:{REDIS_PORT}/0"


class FarServer:
    """A server on a host, asked by the test over the network."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.url = url
        self._session = session

    async def ask(self, method: str, path: str, **options: Any) -> tuple[int, Any]:
        """Send one request; returns status and body, or (0, None) where no answer came."""
        headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
        try:
            async with self._session.request(method, self.url + path, headers=headers, **options) as response:
                return response.status, await response.json(content_type=None) if await response.read() else None
        except (aiohttp.ClientError, TimeoutError):
            return 0, None

    async def ready(self, *, ready: bool = True) -> None:
        """Wait until it says that it is ready, or that it is not."""

        async def is_so() -> bool:
            return (await self.ask("GET", "/readyz"))[0] == (200 if ready else 503)

        await until_async(is_so, f"{self.url} to be {'ready' if ready else 'not ready'}", 40.0)


@asynccontextmanager
async def server_on(host: Host, folder: Path, store: str) -> AsyncGenerator[FarServer]:
    """Run a server until the context is left."""
    env = {"WIGWAG_BOOTSTRAP_TOKEN": ADMIN_TOKEN, "WIGWAG_SERVER_STORE": store}
    async with _serving(host, folder, env) as server:

        async def has_its_first_token() -> bool:
            return (await server.ask("GET", "/admin/flags"))[0] == 200

        await until_async(has_its_first_token, "the first token")
        yield server


@asynccontextmanager
async def relay_on(host: Host, folder: Path, upstream: str, key: str) -> AsyncGenerator[FarServer]:
    """Run a relay of the server at `upstream` until the context is left."""
    async with _serving(host, folder, {"WIGWAG_SERVER_UPSTREAM": upstream, "WIGWAG_SERVER_KEY": key}) as relay:
        yield relay


@asynccontextmanager
async def _serving(host: Host, folder: Path, own: dict[str, str]) -> AsyncGenerator[FarServer]:
    address = f"{host.address}:{SERVER_PORT}"
    words = (sys.executable, "-m", "wigwag_server", "--listen", address, "--insecure-http")
    env = {**os.environ, "WIGWAG_SERVER_DATA_DIR": str(folder / "data"), **own}
    async with (
        _running(host, folder, *words, cwd=ROOT, env=env, stdout=asyncio.subprocess.DEVNULL),
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10.0)) as session,
    ):
        server = FarServer(f"http://{address}", session)
        await server.ready()
        yield server


class FarApp:
    """An app on a host: what its client goes by, as it tells it."""

    def __init__(self) -> None:
        self.told: dict[str, Any] = {}
        self.sources: list[str] = []

    @property
    def killed(self) -> set[str]:
        """The flags that it takes for killed."""
        return set(self.told.get("killed", ()))

    @property
    def cursor(self) -> str | None:
        """The state that it is at."""
        return self.told.get("cursor")

    async def has_killed(self, *keys: str) -> None:
        """Wait until it takes these flags for killed."""
        await until(lambda: set(keys) <= self.killed, f"the kill of {keys}; it told {self.told}", 60.0)

    async def follows(self) -> None:
        """Wait until it has a stream."""
        await until(lambda: self.told.get("source") == "stream", "the app's stream", 40.0)

    async def read(self, process: asyncio.subprocess.Process) -> None:
        """Take in what it tells."""
        assert process.stdout is not None
        while line := await process.stdout.readline():
            self.told = json.loads(line)
            if self.told["source"] not in self.sources[-1:]:
                self.sources.append(self.told["source"])


@asynccontextmanager
async def app_on(host: Host, folder: Path, url: str, key: str) -> AsyncGenerator[FarApp]:
    """Run an app until the context is left."""
    app = FarApp()
    words = (sys.executable, "-m", "tests.support.host_app", url, key)
    async with _running(host, folder, *words, cwd=ROOT, stdout=asyncio.subprocess.PIPE) as process:
        reading = asyncio.create_task(app.read(process))
        try:
            await app.follows()
            yield app
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
