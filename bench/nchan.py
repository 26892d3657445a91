"""nginx with nchan, as Debian packages it: one worker, on a free port."""

import asyncio
import shutil
import socket
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp

from bench.events import Published, marker, renumbered, revision_of
from bench.propagation_load import BenchFailed, ended, tail

NCHAN = Path("/usr/lib/nginx/modules/ngx_nchan_module.so")
START_S = 10.0
CONFIG = """
load_module {module};
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log warn;
worker_processes 1;
worker_rlimit_nofile {files};
events {{ worker_connections {connections}; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    nchan_shared_memory_size 64M;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location = /v1/stream {{
            nchan_subscriber eventsource;
            nchan_channel_id bench;
            nchan_subscriber_first_message newest;
        }}
        location = /publish {{
            nchan_publisher;
            nchan_channel_id bench;
            nchan_message_timeout 5s;
        }}
    }}
}}
"""


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


@asynccontextmanager
async def running_nchan(folder: Path, event: bytes) -> AsyncGenerator[Nchan]:
    """Run nginx with nchan."""
    async with running_nginx(folder) as (port, pid), aiohttp.ClientSession() as session:
        yield Nchan(port, pid, session, event)


@asynccontextmanager
async def running_nginx(folder: Path, files: int = 20_000) -> AsyncGenerator[tuple[int, int]]:
    """Run nginx until the context is left; return its port and the process id of its master. Raises BenchFailed."""
    own = folder / "nchan"
    own.mkdir()
    port = _free_port()
    log = own / "nginx.log"
    config = own / "nginx.conf"
    text = CONFIG.format(module=NCHAN, folder=own, port=port, files=files, connections=files - 50)
    config.write_text(text, encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        *(str(shutil.which("nginx")), "-p", str(own), "-e", str(log), "-c", str(config)),
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        await _listens(port, process, log)
        yield port, process.pid
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await ended(process)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
        return port


async def _listens(port: int, process: asyncio.subprocess.Process, log: Path) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(START_S):
            while process.returncode is None:
                with suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    writer.close()
                    return
                await asyncio.sleep(0.02)
    raise BenchFailed(f"nginx does not start{tail(log)}")
