"""What becomes of a request once its stream is open: a transport and a cursor, and nothing of aiohttp."""

import asyncio
import gc
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from tests.support.server import ADMIN_TOKEN, Server
from tests.support.waiting import until
from wigwag_server import lifecycle
from wigwag_server.bootstrap import first_admin_token
from wigwag_server.settings import Listen, Settings

STREAMS = 20


async def opened(server: Server) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open a stream over a bare socket, and read up to its heartbeat."""
    host, _, port = server.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"GET /v1/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {server.key}\r\n\r\n".encode())
    await reader.readuntil(b"event: sync")
    return reader, writer


@pytest.fixture
async def streams(server: Server) -> AsyncIterator[list[asyncio.StreamWriter]]:
    made = [(await opened(server))[1] for _ in range(STREAMS)]
    yield made
    for writer in made:
        writer.transport.abort()


def alive(kind: type) -> int:
    gc.collect()
    return sum(isinstance(each, kind) for each in gc.get_objects())


async def test_an_open_stream_has_no_request_no_protocol_of_aiohttp_and_no_task(server: Server) -> None:
    before = len(asyncio.all_tasks()), alive(web.Request), alive(RequestHandler)
    made = [await opened(server) for _ in range(STREAMS)]
    try:
        # The server reads its store every now and then, in a task that is there for a moment.
        assert len(asyncio.all_tasks()) < before[0] + STREAMS / 2
        assert (alive(web.Request), alive(RequestHandler)) == before[1:]
        assert len(server.services.hubs["production"].connections) == STREAMS
    finally:
        for _, writer in made:
            writer.transport.abort()


async def test_a_client_that_talks_on_its_stream_is_not_heard(
    server: Server, streams: list[asyncio.StreamWriter]
) -> None:
    for writer in streams:
        writer.write(b"GET /admin/flags HTTP/1.1\r\n\r\n" + b"x" * 100_000)
        await writer.drain()
    await server.put("checkout", enabled=True)
    hub = server.services.hubs["production"]
    assert all(connection.open for connection in hub.connections)
    for writer in streams:
        writer.close()
    await until(lambda: not hub.connections, "the streams to be forgotten")


async def test_a_half_closed_stream_ends(server: Server, streams: list[asyncio.StreamWriter]) -> None:
    for writer in streams:
        writer.write_eof()
    hub = server.services.hubs["production"]
    await until(lambda: not hub.connections, "the streams to be forgotten")


async def test_a_stream_over_tls_is_handed_over_as_well(tmp_path: Path) -> None:
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    made = await asyncio.create_subprocess_exec(
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
        *("-keyout", str(key), "-out", str(certificate), "-days", "1", "-subj", "/CN=localhost"),
        *("-addext", "subjectAltName=IP:127.0.0.1"),
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert await made.wait() == 0
    listen = Listen(port=0, tls_certificate=certificate, tls_key=key)
    trusting = ssl.create_default_context(cafile=str(certificate))
    settings = Settings(listen=listen, store=f"sqlite:{tmp_path / 'f.db'}", bootstrap_token=ADMIN_TOKEN)
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trusting)) as session,
        lifecycle.running(settings) as inner,
    ):
        await first_admin_token(inner.services)
        server = Server(inner.url, inner.services, session)
        server.key = await server.new_key()
        async with server.stream() as response:
            await server.put("checkout", enabled=True)
            await server.kill("checkout")
            seen = b""
            async with asyncio.timeout(10):
                while b'"revision":2' not in seen:
                    seen += await response.content.readany()
        assert b"event: hello" in seen
        hub = server.services.hubs["production"]
        await until(lambda: not hub.connections, "the stream to be forgotten")
