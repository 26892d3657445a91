"""A wigwag-server process that keeps its port, its store and its keys over restarts."""

import asyncio
import os
import resource
import signal
import sys
from pathlib import Path
from typing import Self

import aiohttp

from tests.support.redis_server import free_port
from tests.support.secrets import secrets_in
from tests.support.server import ADMIN_TOKEN
from wigwag import FlagClient, Settings


class RestartableServer:
    """One process at a time, on one port. `key` is a server key.

    `largest_file_bytes` is what the process may write into a file; 0 is a disk that is full.
    """

    LOG = "restartable-server.log"

    def __init__(
        self, folder: Path, store: str, *options: str, url: str = "", largest_file_bytes: int | None = None
    ) -> None:
        self.folder = folder
        self.url = url or f"http://127.0.0.1:{free_port()}"
        self._options = options
        self.key = ""
        self._store = store
        self._largest_file_bytes = largest_file_bytes
        self._process: asyncio.subprocess.Process | None = None

    async def start(self, *, ready: bool = True) -> None:
        """Start it and wait until it is ready, or just until it answers."""
        self.folder.mkdir(parents=True, exist_ok=True)
        # Where the process may write into no file, it may not log into one either.
        log_file = self.folder / self.LOG if self._largest_file_bytes is None else Path(os.devnull)
        with log_file.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "wigwag_server", "--listen", self.url.removeprefix("http://"), "--store", self._store),
                *self._options,
                cwd=self.folder,
                env={**os.environ, "WIGWAG_BOOTSTRAP_TOKEN": ADMIN_TOKEN},
                stdout=log,
                stderr=log,
            )
        if (most := self._largest_file_bytes) is not None:
            resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE, (most, most))
        async with asyncio.timeout(20):
            expected = (200,) if ready else (200, 503)
            while await self._readiness() not in expected or await self.ask("GET", "/admin/flags") != 200:
                assert self._process.returncode is None, "the server ended"
                await asyncio.sleep(0.02)

    async def stop(self, *, hard: bool = False) -> int:
        """Stop it, as an operator would or (hard) as a crash would. Returns its exit status."""
        assert self._process is not None
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGKILL if hard else signal.SIGTERM)
        return await self._process.wait()

    @property
    def pid(self) -> int:
        """The id of the process that runs."""
        assert self._process is not None
        return self._process.pid

    async def ask(self, method: str, path: str, **options: object) -> int:
        """Send one request with the admin token; returns the status, or 0 when there was no answer."""
        status, _ = await self._request(method, path, **options)
        return status

    async def new_key(self) -> str:
        """Make a server key of production."""
        status, body = await self._request("POST", "/admin/keys", json={"kind": "server", "name": "test"})
        assert status == 201
        key: str = body["key"]
        return key

    def client(self, settings: Settings | None = None) -> FlagClient:
        """Return a client of this server, not started."""
        return FlagClient(self.url, self.key, settings=settings or Settings(cache_dir=None))

    async def __aenter__(self) -> Self:
        """Start it for the first time."""
        await self.start()
        self.key = await self.new_key()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop, without ceremony. What it has written has no secret in it."""
        await self.stop(hard=True)
        log = self.folder / self.LOG
        found = secrets_in(log.read_text(errors="replace")) if log.exists() else set()
        assert not found, f"the server has written a secret: {found}"

    async def _readiness(self) -> int:
        return await self.ask("GET", "/readyz")

    async def _request(self, method: str, path: str, **options: object) -> tuple[int, dict[str, str]]:
        headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.request(method, self.url + path, headers=headers, **options) as response,  # type: ignore[arg-type]
            ):
                return response.status, await response.json() if response.status < 300 else {}
        except aiohttp.ClientError:
            return 0, {}
