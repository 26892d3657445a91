"""Relays of a server: in the test's own process, or as a process that keeps its port and its disk over restarts."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

import aiohttp

from tests.support.redis_server import free_port
from tests.support.server import Server
from wigwag import FlagClient, Settings
from wigwag_proto.http_feed_io import Upstream
from wigwag_proto.supervisor import Patience
from wigwag_server import lifecycle
from wigwag_server.settings import Listen
from wigwag_server.settings import Settings as ServerSettings

HASTY = Patience(poll_interval_s=0.1, poll_after_s=0.2, heartbeat_s=0.3)


async def relay_key(server: Server, *environments: str, name: str = "relay") -> str:
    """Make the key of a relay."""
    body = {"kind": "relay", "environments": environments or ("production",), "name": name}
    answer = await server.ask("POST", "/admin/keys", json=body)
    assert answer.status == 201, answer
    key: str = answer.body["key"]
    return key


@asynccontextmanager
async def relaying(url: str, key: str, folder: Path, *, app_key: str = "", **settings: Any) -> AsyncGenerator[Server]:
    """Run a relay of the server at `url` until the context is left. `app_key` is what its clients come with."""
    defaults = {"listen": Listen(port=0), "upstream": Upstream(url, key), "data_dir": folder, "patience": HASTY}
    async with (
        lifecycle.running(ServerSettings(**{**defaults, **settings})) as inner,
        aiohttp.ClientSession() as session,
    ):
        yield Server(inner.url, inner.services, session, app_key)


class RelayProcess:
    """One `wigwag-server --upstream` at a time, on one port and one folder."""

    def __init__(self, folder: Path, upstream: str, key: str) -> None:
        self.folder = folder
        self.url = f"http://127.0.0.1:{free_port()}"
        self._upstream = upstream
        self._key = key
        self._process: asyncio.subprocess.Process | None = None

    async def start(self, *, upstream: str | None = None) -> None:
        """Start it and wait until it is ready."""
        self.folder.mkdir(parents=True, exist_ok=True)
        listen = ("--listen", self.url.removeprefix("http://"))
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "wigwag_server", *listen, "--upstream", upstream or self._upstream),
            cwd=self.folder,
            env={**os.environ, "WIGWAG_SERVER_KEY": self._key},
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        async with asyncio.timeout(20):
            while (await self.readiness())[0] != 200:
                assert self._process.returncode is None, "the relay ended"
                await asyncio.sleep(0.02)

    async def stop(self, *, hard: bool = False) -> None:
        """Stop it, as an operator would or (hard) as a crash would."""
        assert self._process is not None
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGKILL if hard else signal.SIGTERM)
        await self._process.wait()

    async def readiness(self) -> tuple[int, Any]:
        """Return what `/readyz` says; status 0 when there is no answer."""
        try:
            async with aiohttp.ClientSession() as session, session.get(f"{self.url}/readyz") as response:
                return response.status, await response.json()
        except aiohttp.ClientError:
            return 0, None

    def client(self, key: str, settings: Settings | None = None) -> FlagClient:
        """Return a client of this relay, not started."""
        return FlagClient(self.url, key, settings=settings or Settings(cache_dir=None, patience=HASTY))

    async def __aenter__(self) -> Self:
        """Start."""
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop, without ceremony."""
        await self.stop(hard=True)
