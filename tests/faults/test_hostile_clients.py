"""Clients that are slow, endless, or not what they say: they are given up, and a kill gets through meanwhile."""

import asyncio
import gzip
import resource
import zlib
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from tests.support.hostile import Hostile, head, highest_memory_mb, hostile, statuses
from tests.support.restartable import RestartableServer
from tests.support.server import ADMIN_TOKEN, Server, running
from tests.support.waiting import until
from wigwag_server.settings import RequestTimes

SHORT_S = 0.5
CROWD = 20


async def kills_meanwhile(server: Server, attack: Coroutine[Any, Any, Any]) -> Any:
    """Kill and revive, again and again, until an attack is over; return what it returns. Each is answered."""
    await server.put("checkout")
    task = asyncio.create_task(attack)
    while True:
        await server.kill("checkout")
        await server.revive("checkout")
        if task.done():
            return await task


async def crowd(server: Server, begin: bytes, drip: bytes) -> list[bytes]:
    """Have many connections begin a request, and go on with it slowly for as long as the server bears it."""
    async with AsyncExitStack() as stack:
        all_of_them = [await stack.enter_async_context(hostile(server.url)) for _ in range(CROWD)]
        for each in all_of_them:
            await each.send(begin)
        return list(await asyncio.gather(*(each.drip(drip) for each in all_of_them)))


async def test_a_head_that_comes_slowly_is_given_up(tmp_path: Path) -> None:
    async with running(f"sqlite:{tmp_path / 'flags.db'}", request_times=RequestTimes(idle_s=SHORT_S)) as server:
        said = await kills_meanwhile(server, crowd(server, b"GET /healthz HTTP/1.1\r\nX-A: ", b"a"))
        assert said == [b""] * CROWD
        said = await kills_meanwhile(server, crowd(server, b"", b""))
        assert said == [b""] * CROWD


async def test_a_body_that_comes_slowly_is_given_up(tmp_path: Path) -> None:
    async with running(f"sqlite:{tmp_path / 'flags.db'}", request_times=RequestTimes(body_s=SHORT_S)) as server:
        for path, token, length in (
            ("/admin/flags/search", ADMIN_TOKEN, "Content-Length: 1000"),
            ("/v1/telemetry", server.key, "Content-Length: 1000"),
            ("/ofrep/v1/evaluate/flags", server.key, "Content-Length: 1000"),
            ("/admin/import", ADMIN_TOKEN, "Transfer-Encoding: chunked"),
        ):
            begin = head("POST", path, token, [length])
            drip = b"1\r\n1\r\n" if "chunked" in length else b"1"
            for said in await kills_meanwhile(server, crowd(server, begin, drip)):
                assert statuses(said) == [408], path
        assert (await server.ask("GET", "/admin/flags/search")).status == 404
        login = head(
            "POST", "/ui/login", headers=["Content-Length: 90", "Content-Type: application/x-www-form-urlencoded"]
        )
        assert [statuses(each) for each in await crowd(server, login, b"t")] == [[408]] * CROWD


async def test_answers_that_nobody_reads_are_given_up(tmp_path: Path) -> None:
    async with running(f"sqlite:{tmp_path / 'flags.db'}", request_times=RequestTimes(unread_s=SHORT_S)) as server:
        for path, token in (("/openapi.json", ""), ("/v1/snapshot", server.key)):
            await server.put("large", description="x" * 10_000, whitelist=["y" * 9_000 + str(n) for n in range(20)])
            async with hostile(server.url, receive_bytes=2048) as client:
                client.writer.transport.pause_reading()  # type: ignore[attr-defined]
                await client.send(head("GET", path, token) * 32)
                await kills_meanwhile(server, until(client.is_given_up, f"the end of {path}"))
        assert server.services.snapshots_sending == 0


@pytest.fixture
def many_files() -> Iterator[None]:
    """Let this process open as many files as it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("count", [200, pytest.param(10_000, marks=[pytest.mark.long, pytest.mark.timeout(200)])])
async def test_connections_that_say_nothing_keep_nobody_out(tmp_path: Path, count: int, many_files: None) -> None:
    async with RestartableServer(tmp_path, f"sqlite:{tmp_path / 'flags.db'}") as server:
        assert await server.ask("POST", "/admin/flags/checkout", json={}) == 201
        before = highest_memory_mb(server.pid)
        async with AsyncExitStack() as stack:
            idle = [await stack.enter_async_context(hostile(server.url)) for _ in range(count)]
            half = head("GET", "/healthz")[:-2]
            for each in idle[::2]:
                await each.send(half)
            for verb in ("kill", "revive", "kill"):
                assert await server.ask("POST", f"/admin/flags/checkout/{verb}") == 200
            used_mb = highest_memory_mb(server.pid) - before
            print(f"{count} idle connections take {used_mb:.0f} MB")
            assert used_mb < 20 + count * 0.03


async def bombs(url: str, key: str) -> list[list[int]]:
    """Send what is far too much of something, one after the other; return how each was answered."""
    answered = []
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    chunked = ["Transfer-Encoding: chunked"]
    long_query = "&".join(f"a{n}=1" for n in range(100_000))
    for begin, more, most in (
        (b"GET / HTTP/1.1\r\n", b"X-A: " + b"a" * 8000 + b"\r\n", 2000),
        (b"GET / HTTP/1.1\r\nX-A: ", b"a" * 65536, 1000),
        (b"GET /" + b"a" * 8_000_000, b"", 0),
        (head("GET", f"/admin/flags?{long_query}", ADMIN_TOKEN), b"", 0),
        (b"\0\xff" * 1000, b"\r\n", 2),
        (head("POST", "/admin/flags/a", ADMIN_TOKEN, chunked), chunk, 2000),
        (head("POST", "/admin/import", ADMIN_TOKEN, ["Content-Length: 99999999999"]), b"x" * 65536, 2000),
        (head("POST", "/ofrep/v1/evaluate/flags", key, chunked), chunk, 2000),
        (head("POST", "/v1/telemetry", key, ["Content-Length: 99999999999"]), b"x" * 65536, 2000),
        (head("POST", "/ui/login", "", [*chunked, "Content-Type: application/x-www-form-urlencoded"]), chunk, 2000),
    ):
        async with hostile(url) as client:
            answered.append(statuses(await client.flood(begin, more, most))[:1])
    return answered


async def pipelined(url: str, count: int) -> int:
    """Send many requests at once, and only then read; return how many were answered."""
    async with hostile(url) as client:
        sending = asyncio.create_task(client.send(head("GET", "/healthz") * count))
        await client.reader.readuntil(b"200 OK")
        answers = 1
        await client.send(head("GET", "/healthz", "", ["Connection: close"]))
        answers += len(statuses(await client.said()))
        await sending
        return answers


async def test_what_is_far_too_much_is_refused_in_little_memory(tmp_path: Path) -> None:
    async with RestartableServer(tmp_path, f"sqlite:{tmp_path / 'flags.db'}") as server:
        assert await server.ask("POST", "/admin/flags/checkout", json={}) == 201
        before = highest_memory_mb(server.pid)
        attack = asyncio.ensure_future(asyncio.gather(bombs(server.url, server.key), pipelined(server.url, 2000)))
        while not attack.done():
            for verb in ("kill", "revive"):
                assert await server.ask("POST", f"/admin/flags/checkout/{verb}") == 200
        answered, in_a_row = await attack
        # Where more was sent than the server has read, the system may take its answer away with the connection.
        assert all(each in ([400], []) for each in answered[:5]), answered
        assert all(each in ([413], []) for each in answered[5:]), answered
        assert in_a_row == 2001
        assert highest_memory_mb(server.pid) - before < 60


async def test_nothing_is_kept_of_what_is_not_http(tmp_path: Path) -> None:
    async with RestartableServer(tmp_path, f"sqlite:{tmp_path / 'flags.db'}") as server:
        before = highest_memory_mb(server.pid)
        for begin in (b"GET /" + b"a" * 8_000_000, b"GET / HTTP/1.1\r\nX-A: " + b"a" * 8_000_000, b"\0" * 8_000_000):
            for _ in range(8):
                async with hostile(server.url) as client:
                    assert statuses(await client.flood(begin)) in ([400], [])
        assert await server.ask("POST", "/admin/flags/checkout", json={}) == 201
        used_mb = highest_memory_mb(server.pid) - before
        print(f"192 MB of nonsense take {used_mb:.0f} MB")
        assert used_mb < 20


async def test_a_body_that_would_have_to_be_unpacked_is_refused(tmp_path: Path) -> None:
    bomb = b"[" + b"0," * 2_000_000 + b"0]"
    others = ("gzip", "br", "zstd", "gzip, gzip", "x-gzip", "GZIP", "nonsense")
    packed = {"deflate": zlib.compress(bomb, 1), **dict.fromkeys(others, gzip.compress(bomb, 1))}
    async with running(f"sqlite:{tmp_path / 'flags.db'}") as server:
        for path, token in (
            ("/admin/flags/checkout", ADMIN_TOKEN),
            ("/ofrep/v1/evaluate/flags", server.key),
            ("/v1/telemetry", server.key),
            ("/ui/login", None),
        ):
            for encoding, body in packed.items():
                headers = {"Content-Encoding": encoding, "Content-Type": "application/json"}
                answer = await server.ask("POST", path, token=token, data=body, headers=headers)
                assert answer.status == 415, (path, encoding)
                assert "Content-Encoding" in answer.body["detail"]
        headers = {"Content-Encoding": "identity", "Content-Type": "application/json"}
        assert (await server.ask("POST", "/admin/flags/checkout", data=b"{}", headers=headers)).status == 201


NESTED = b'{"context": {"targetingKey": "a", "a": %s}, "x": %s}'


async def test_what_is_nested_without_end_is_refused_everywhere(tmp_path: Path) -> None:
    headers = {"Content-Type": "application/json"}
    async with running(f"sqlite:{tmp_path / 'flags.db'}") as server:
        await server.put("checkout")
        for depth in (70, 990, 100_000):
            for inner in (b"[" * depth + b"]" * depth, b'{"a":' * depth + b"1" + b"}" * depth):
                for path, token, expected in (
                    ("/ofrep/v1/evaluate/flags", server.key, (400, 413)),
                    ("/ofrep/v1/evaluate/flags/checkout", server.key, (400, 413)),
                    ("/v1/telemetry", server.key, (413, 422)),
                    ("/admin/flags/checkout", ADMIN_TOKEN, (400, 413)),
                ):
                    body = BytesIO(NESTED % (inner, inner))
                    answer = await server.ask("POST", path, token=token, data=body, headers=headers)
                    assert answer.status in expected, (path, depth, answer)


KILL = head("POST", "/admin/flags/checkout/kill", ADMIN_TOKEN)
# A proxy in front might see one request in each of these, where the server sees two; then the second one is anybody's.
SMUGGLED = {
    "both lengths": ["Content-Length: 4", "Transfer-Encoding: chunked"],
    "both lengths, the other way round": ["Transfer-Encoding: chunked", "Content-Length: 4"],
    "two lengths": ["Content-Length: 0", f"Content-Length: {len(KILL)}"],
    "a list of lengths": [f"Content-Length: 0, {len(KILL)}"],
    "a length with a sign": ["Content-Length: +0"],
    "a length in hexadecimal": ["Content-Length: 0x0"],
    "a length with a blank": ["Content-Length: 0 0"],
    "a length that is none": ["Content-Length: -1"],
    "another transfer encoding": ["Transfer-Encoding: xchunked"],
    "chunked, and not last": ["Transfer-Encoding: chunked, identity"],
    "chunked, twice": ["Transfer-Encoding: chunked, chunked"],
    "a blank before the colon": ["Transfer-Encoding : chunked"],
    "a folded line": ["Transfer-Encoding:", " chunked"],
    "a control character": ["Transfer-Encoding: \x0bchunked"],
    "a bare CR": ["X-A: a\rTransfer-Encoding: chunked"],
    "a NUL": ["X-A: a\0b"],
}


async def test_a_request_of_two_readings_is_refused_and_what_follows_it_is_not_done(tmp_path: Path) -> None:
    async with running(f"sqlite:{tmp_path / 'flags.db'}") as server:
        await server.put("checkout")
        for shape, headers in SMUGGLED.items():
            for path, token in (("/healthz", ""), ("/admin/explain", ADMIN_TOKEN)):
                async with hostile(server.url) as client:
                    await client.send(head("POST", path, token, headers) + b"0\r\n\r\n" + KILL)
                    said = statuses(await client.said())
                # Where more was sent than the server has read, the system may take its answer away with the connection.
                assert said in ([400], []), (shape, path, said)
            assert (await server.ask("GET", "/admin/flags/checkout")).body["kill"] is None, shape


async def test_nobody_changes_to_another_protocol(tmp_path: Path) -> None:
    async with running(f"sqlite:{tmp_path / 'flags.db'}", request_times=RequestTimes(idle_s=SHORT_S)) as server:
        for wanted in (
            [
                "Upgrade: websocket",
                "Connection: Upgrade",
                "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
                "Sec-WebSocket-Version: 13",
            ],
            ["Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"],
        ):
            for path in ("/healthz", "/ui/login", "/nowhere", "/admin/changes"):
                async with hostile(server.url) as client:
                    await client.send(head("GET", path, "", wanted))
                    await client.send(head("GET", "/healthz", "", ["Connection: close"]))
                    said = statuses(await client.said())
                assert said[0] in (200, 401, 404), (path, said)
                assert said[1:] in ([200], [])  # or the connection was closed after the first
            async with hostile(server.url) as client:
                await client.send(head("GET", "/v1/stream", server.key, wanted))
                assert b"200 OK" in await client.reader.readuntil(b"\r\n\r\n")
        for preface in (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"CONNECT example.com:443 HTTP/1.1\r\nHost: a\r\n\r\n"):
            async with hostile(server.url) as client:
                await client.send(preface)
                assert all(status in (400, 404, 405) for status in statuses(await closing(client)))


async def closing(client: Hostile) -> bytes:
    """Ask for the end of the connection, and return what was said until then."""
    client.writer.write_eof()
    return await client.said()
