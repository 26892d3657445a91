"""A real nginx in front of servers, on the configuration that the repository ships or on another one."""

import asyncio
import os
import re
import shutil
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.support.redis_server import free_port

SHIPPED = Path(__file__).parents[2] / "deploy" / "nginx" / "wigwag.conf"
MAIN = """
daemon off;
{user}
worker_processes 1;
worker_rlimit_nofile 20000;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 18000; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {http}
}}
"""


def nginx_binary() -> str:
    """Return nginx, or skip the test where there is none."""
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if found is None:
        pytest.skip("there is no nginx on this machine (Debian: apt-get install nginx-light)")
    return found


def shipped(port: int, backends: Sequence[str]) -> str:
    """Return the configuration of the repository, in front of these servers and without TLS."""
    text = SHIPPED.read_text(encoding="utf-8")
    first, *others = re.findall(r"^    server 127\.0\.0\.1:\d+ .*;\n", text, re.MULTILINE)
    rest = first.partition("8420")[2]
    text = text.replace(first, "".join(f"    server {backend}{rest}" for backend in backends))
    for each in others:
        text = text.replace(each, "")
    text = re.sub(r"^    ssl_.*\n", "", text, flags=re.MULTILINE)
    assert "listen 443 ssl" in text
    return text.replace("listen 443 ssl", f"listen 127.0.0.1:{port}")


def write_configuration(folder: Path, http: str) -> Path:
    """Put what belongs into an http block into a whole configuration."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "nginx.conf"
    user = "user root;" if os.geteuid() == 0 else ""
    path.write_text(MAIN.format(folder=folder, user=user, http=http), encoding="utf-8")
    return path


@asynccontextmanager
async def running_nginx(folder: Path, http: str, port: int) -> AsyncGenerator[str]:
    """Run nginx until the context is left; yields its URL. `http` has to listen on `port` of loopback."""
    configuration = write_configuration(folder, http)
    words = ("-p", str(folder), "-c", str(configuration), "-e", str(folder / "error.log"))
    process = await asyncio.create_subprocess_exec(nginx_binary(), *words)
    try:
        async with asyncio.timeout(20):
            while not await _listens(port):
                assert process.returncode is None, (folder / "error.log").read_text()
                await asyncio.sleep(0.02)
        yield f"http://127.0.0.1:{port}"
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


@asynccontextmanager
async def nginx_before(folder: Path, backends: Sequence[str]) -> AsyncGenerator[str]:
    """Run nginx as it is shipped, in front of servers by `host:port`."""
    port = free_port()
    async with running_nginx(folder, shipped(port, backends), port) as url:
        yield url


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True
