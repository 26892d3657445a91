"""What lies between a client and its server misbehaves."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from tests.support.http_front import Handler, bad_gateway, captive_portal, fronting, truncated_gzip
from tests.support.listening import listening
from tests.support.proxy import proxying
from tests.support.server import Server, running
from tests.support.slow_proxy import SlowProxy
from tests.support.waiting import until
from wigwag import FlagClient, Settings, Source
from wigwag_proto.supervisor import Patience
from wigwag_server.hub.connection import UNSENT_BYTES

HASTY = Settings(cache_dir=None, patience=Patience(poll_interval_s=0.1, poll_after_s=0.2, heartbeat_s=0.3))


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    async with running(f"sqlite:{tmp_path / 'flags.db'}", heartbeat_s=0.2) as made:
        await made.put("checkout", enabled=True)
        yield made


@pytest.mark.parametrize("stream", [bad_gateway, captive_portal])
async def test_where_streams_are_blocked_kills_arrive_by_polling_until_the_stream_is_back(
    server: Server, stream: Handler
) -> None:
    async with fronting(server.url) as front:
        front.instead["/v1/stream"] = stream
        async with FlagClient(front.url, server.key, settings=HASTY) as flags:
            assert flags.is_enabled("checkout")
            await until(lambda: flags.status.source is Source.POLL, "polling")
            await server.kill("checkout")
            await until(lambda: not flags.is_enabled("checkout"), "the kill")
            assert front.seen.count("/v1/stream") > 1
            del front.instead["/v1/stream"]
            await until(lambda: flags.status.source is Source.STREAM, "the stream")
            await server.revive("checkout")
            await until(lambda: flags.is_enabled("checkout"), "the revival")


@pytest.mark.parametrize("forged", [bad_gateway, captive_portal, truncated_gzip])
async def test_a_forged_snapshot_is_not_believed(server: Server, forged: Handler) -> None:
    async with fronting(server.url) as front:
        async with FlagClient(front.url, server.key, settings=HASTY) as flags:
            front.instead["/v1/snapshot"] = front.instead["/v1/stream"] = forged
            for connection in server.services.hubs["production"].connections:
                connection.abort()
            await until(lambda: flags.status.last_error is not None, "the failure")
            await until(lambda: front.seen.count("/v1/snapshot") > 2, "polls")
            assert flags.is_enabled("checkout")
            assert flags.status.source in (Source.LAST_KNOWN, Source.POLL)
            front.instead.clear()
            await server.kill("checkout")
            await until(lambda: not flags.is_enabled("checkout"), "the kill")


async def test_a_link_that_goes_quiet_is_given_up_and_the_kill_arrives_by_the_next_one(server: Server) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    async with proxying(host, int(port)) as proxy:
        async with FlagClient(f"http://127.0.0.1:{proxy.port}", server.key, settings=HASTY) as flags:
            await until(lambda: flags.status.connected, "the stream")
            proxy.go_quiet()
            await server.kill("checkout")
            await until(lambda: not flags.status.connected, "the dead link to be noticed")
            assert flags.is_enabled("checkout")
            proxy.go_quiet(quiet=False)
            proxy.cut()
            await until(lambda: not flags.is_enabled("checkout"), "the kill")


async def test_a_link_that_is_reset_again_and_again_loses_no_change(server: Server) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    seen: list[int] = []
    async with proxying(host, int(port)) as proxy:
        async with FlagClient(f"http://127.0.0.1:{proxy.port}", server.key, settings=HASTY) as flags:
            flags.on_change(lambda change: seen.append(change.revision))
            for number in range(30):
                await server.put("checkout", enabled=True, description=str(number))
                if number % 5 == 4:
                    await until(lambda: flags.status.connected, "the stream")
                    proxy.cut()
            await until(lambda: flags.status.revision == 31, "all changes")
    assert seen == sorted(set(seen))


async def test_a_stream_split_into_single_bytes_is_read_as_well(server: Server) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    async with proxying(host, int(port), chunk_bytes=1) as proxy:
        async with FlagClient(f"http://127.0.0.1:{proxy.port}", server.key, settings=HASTY) as flags:
            await until(lambda: flags.status.connected, "the stream")
            await server.kill("checkout")
            await until(lambda: not flags.is_enabled("checkout"), "the kill")


async def test_a_link_that_takes_its_time_delivers_every_change_in_order(server: Server) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    seen: list[int] = []
    async with listening(SlowProxy(host, int(port))) as proxy:
        async with FlagClient(f"http://127.0.0.1:{proxy.port}", server.key, settings=HASTY) as flags:
            await until(lambda: flags.status.connected, "the stream")
            flags.on_change(lambda change: seen.append(change.revision))
            proxy.delay_s = 0.15  # half a heartbeat
            for number in range(10):
                await server.put("checkout", enabled=True, description=str(number))
            await server.kill("checkout")
            await until(lambda: not flags.is_enabled("checkout"), "the kill")
            assert flags.status.connected
    assert seen == sorted(set(seen))
    assert seen[-1] == 12


def repeating(target: str) -> Handler:
    """Return a stream on which a proxy sends every event twice, and an old one once more."""

    async def handle(request: web.Request) -> web.StreamResponse:
        headers = {name: value for name, value in request.headers.items() if name.lower() != "host"}
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        async with aiohttp.ClientSession() as session, session.get(f"{target}/v1/stream", headers=headers) as answer:
            await response.prepare(request)
            pending, events = b"", []
            async for data in answer.content.iter_any():
                *whole, pending = (pending + data).split(b"\n\n")
                for event in whole:
                    events.append(event + b"\n\n")
                    await response.write(events[-1] * 2 + events[len(events) // 2])
        return response

    return handle


async def test_events_that_a_proxy_repeats_count_once(server: Server) -> None:
    seen: list[int] = []
    async with fronting(server.url) as front:
        front.instead["/v1/stream"] = repeating(server.url)
        async with FlagClient(front.url, server.key, settings=HASTY) as flags:
            await until(lambda: flags.status.connected, "the stream")
            flags.on_change(lambda change: seen.append(change.revision))
            for number in range(10):
                await server.put("checkout", enabled=True, description=str(number))
            await server.kill("checkout")
            await until(lambda: flags.status.revision == 12, "all changes")
            assert not flags.is_enabled("checkout")
    assert seen == list(range(2, 13))


async def test_streams_that_end_in_good_order_a_hundred_times_lose_no_change(server: Server) -> None:
    ended = 0

    async def ending(_: web.Request) -> web.StreamResponse:
        nonlocal ended
        ended += 1
        return web.Response(body=b"retry: 1000\n\n", content_type="text/event-stream")

    async with fronting(server.url) as front:
        front.instead["/v1/stream"] = ending
        clients = [FlagClient(front.url, server.key, settings=HASTY) for _ in range(25)]
        try:
            await asyncio.gather(*(client.start() for client in clients))
            await until(lambda: ended >= 100, "the ends")
            assert all(client.is_enabled("checkout") for client in clients)
            front.instead.clear()
            await until(lambda: all(client.status.connected for client in clients), "the streams")
            await server.kill("checkout")
            await until(lambda: not any(client.is_enabled("checkout") for client in clients), "the kill")
        finally:
            await asyncio.gather(*(client.close() for client in clients))


async def test_a_reader_that_never_reads_costs_the_others_nothing_and_is_let_go(server: Server) -> None:
    hub = server.services.hubs["production"]
    hub.stuck_s = 0.5
    async with server.client() as flags:
        with never_reading(server):
            await until(lambda: len(hub.connections) == 2, "both streams")
            await until(lambda: flags.status.connected, "the stream")
            silent = max(hub.connections, key=lambda connection: connection.opened_at)
            unsent = []
            while silent.open:
                killed = flags.is_enabled("checkout")
                await (server.kill if killed else server.revive)("checkout")
                await until(lambda: flags.is_enabled("checkout") is not killed, "the change")  # noqa: B023
                await server.put("big", enabled=True, whitelist=[f"{n:09000}" for n in range(25)])
                unsent.append(silent.unsent)
            assert 0 < max(unsent) < 2 * UNSENT_BYTES
        await until(lambda: len(hub.connections) == 1, "the reader to be let go")


@contextmanager
def never_reading(server: Server) -> Iterator[None]:
    """Open a stream on a socket that nobody reads."""
    host, port = server.url.removeprefix("http://").split(":")
    with socket.socket() as silent:
        silent.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        silent.connect((host, int(port)))
        silent.sendall(f"GET /v1/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {server.key}\r\n\r\n".encode())
        yield
