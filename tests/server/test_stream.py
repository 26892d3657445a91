"""`/v1/stream` and `/v1/snapshot` as bytes on the wire: what any client in any language gets."""

import asyncio
import gzip
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.support.server import Server
from wigwag_proto.codec import decode
from wigwag_proto.sse import SseEvent, SseParser
from wigwag_server.web.snapshot import accepts_gzip


class Reader:
    """Reads one stream event by event."""

    def __init__(self, response: Any) -> None:
        self.response = response
        self._parser = SseParser()
        self._events: list[SseEvent] = []

    async def next(self, *, skip: str = "sync") -> tuple[str, Any, str]:
        async with asyncio.timeout(10):
            while True:
                while self._events:
                    event = self._events.pop(0)
                    if event.event != skip:
                        return event.event, decode(event.data), event.last_event_id
                chunk = await self.response.content.readany()
                assert chunk, "the stream ended"
                self._events += self._parser.feed(chunk)


@asynccontextmanager
async def reading(server: Server, **headers: str) -> AsyncGenerator[Reader]:
    async with server.stream(**headers) as response:
        assert response.status == 200
        yield Reader(response)


async def cursor_of(server: Server) -> str:
    headers = (await server.ask("GET", "/admin/flags")).headers
    return str(headers["Wigwag-Cursor"])


async def test_a_new_stream_gets_hello_the_whole_state_and_a_heartbeat(server: Server) -> None:
    await server.put("checkout", enabled=True)
    async with reading(server) as stream:
        assert stream.response.headers["Content-Type"] == "text/event-stream"
        assert stream.response.headers["X-Accel-Buffering"] == "no"
        name, hello, _ = await stream.next()
        assert (name, hello["outcome"], hello["cause"], hello["heartbeatMs"]) == ("hello", "snapshot", "new", 5000)
        name, put, cursor = await stream.next()
        assert name == "put"
        assert put["cursor"] == cursor == await cursor_of(server)
        assert put["flags"]["checkout"]["enabled"] is True
        name, sync, _ = await stream.next(skip="")
        assert (name, sync["cursor"], sync["degraded"]) == ("sync", cursor, False)
        assert -1000 < sync["provenMs"] <= 1000


async def test_every_change_is_one_patch_in_order(server: Server) -> None:
    async with reading(server) as stream:
        await stream.next()
        await stream.next()
        for number in range(20):
            await server.put(f"f{number}", enabled=True)
        await server.kill("f3")
        await server.ask("DELETE", "/admin/flags/f4?confirm=f4")
        revisions = []
        for _ in range(22):
            name, patch, cursor = await stream.next()
            assert name == "patch"
            assert cursor.split(":")[1:] == [str(patch["revision"]), patch["head"]]
            revisions.append(patch["revision"])
        assert revisions == list(range(1, 23))
        assert patch["changes"] == [{"kind": "flag", "key": "f4", "value": None}]


async def test_a_stream_resumes_where_it_was(server: Server) -> None:
    await server.put("a", enabled=True)
    seen = await cursor_of(server)
    await server.put("b", enabled=True)
    await server.kill("a")
    async with reading(server, Last_Event_ID=seen) as stream:
        assert (await stream.next())[1]["outcome"] == "resumed"
        assert [(await stream.next())[1]["revision"] for _ in range(2)] == [2, 3]


async def test_a_stream_that_is_far_behind_gets_all_that_it_missed(server: Server) -> None:
    await server.put("a", enabled=True)
    seen = await cursor_of(server)
    for number in range(12):
        await server.put("big", enabled=True, whitelist=[f"{number}-{n:08000}" for n in range(25)])
    async with reading(server, Last_Event_ID=seen) as stream:
        assert (await stream.next())[1]["outcome"] == "resumed"
        assert [(await stream.next())[1]["revision"] for _ in range(12)] == list(range(2, 14))


async def test_a_stream_that_missed_nothing_gets_nothing_again(server: Server) -> None:
    await server.put("a", enabled=True)
    async with reading(server, Last_Event_ID=await cursor_of(server)) as stream:
        assert (await stream.next())[1]["outcome"] == "current"
        await server.put("b", enabled=True)
        assert (await stream.next())[1]["revision"] == 2


@pytest.mark.parametrize(
    ("cursor", "cause"), [("garbage", "malformed"), ("1.abc:1:def", "other-epoch"), ("", "new"), ("1:2:3", "malformed")]
)
async def test_a_cursor_of_no_use_is_answered_with_the_whole_state(server: Server, cursor: str, cause: str) -> None:
    await server.put("a", enabled=True)
    async with reading(server, Last_Event_ID=cursor) as stream:
        hello = (await stream.next())[1]
        assert (hello["outcome"], hello["cause"]) == ("snapshot", cause)
        assert (await stream.next())[0] == "put"


async def test_a_head_that_never_was_is_not_resumed(server: Server) -> None:
    await server.put("a", enabled=True)
    await server.put("b", enabled=True)
    epoch, _, _ = (await cursor_of(server)).split(":")
    async with reading(server, Last_Event_ID=f"{epoch}:1:feedfeed") as stream:
        assert (await stream.next())[1]["outcome"] == "snapshot"


async def test_values_cannot_break_a_line(server: Server) -> None:
    nasty = "a\nevent: put\rdata: {}\r\n\r\n\u2028id: x\0"
    await server.put("a", enabled=True, description=nasty)
    async with reading(server) as stream:
        await stream.next()
        assert (await stream.next())[1]["flags"]["a"]["description"] == nasty


async def test_a_large_state_reaches_a_slow_reader_whole(server: Server) -> None:
    for number in range(30):
        await server.put(f"f{number}", enabled=True, description="x" * 9_000, whitelist=[f"u{n}" for n in range(9_000)])
    async with server.stream() as response:
        await asyncio.sleep(0)
        stream = Reader(response)
        await stream.next()
        await server.put("later", enabled=True)
        _, put, _ = await stream.next()
        name, patch, _ = await stream.next()
        assert len(put["flags"]) == 30
        assert (name, patch["changes"][0]["key"]) == ("patch", "later")


@pytest.mark.parametrize("path", ["/v1/stream", "/v1/snapshot"])
async def test_only_a_server_key_opens_the_feed(server: Server, path: str) -> None:
    for token, status in ((None, 401), ("ww_server_wrong", 401), (await server.new_key("client"), 403)):
        answer = await server.ask("GET", path, token=token)
        assert answer.status == status
        assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert (await server.ask("GET", path)).status == 403


async def test_a_snapshot_has_an_etag_an_age_and_is_compressed(server: Server) -> None:
    await server.put("a", enabled=True)
    headers = {"Authorization": f"Bearer {server.key}", "Accept-Encoding": "gzip"}
    async with server.session.get(server.url + "/v1/snapshot", headers=headers, auto_decompress=False) as response:
        assert response.headers["Content-Encoding"] == "gzip"
        snapshot = json.loads(gzip.decompress(await response.read()))
        assert snapshot["flags"]["a"]["enabled"] is True
        etag = response.headers["ETag"]
        assert etag == f'"{snapshot["cursor"]}"'
        assert 0 <= int(response.headers["Wigwag-Age-Ms"]) < 2000
    again = await server.ask("GET", "/v1/snapshot", token=server.key, headers={"If-None-Match": etag})
    assert (again.status, again.body) == (304, None)
    assert int(again.headers["Wigwag-Age-Ms"]) < 2000
    await server.put("a", enabled=False)
    changed = await server.ask("GET", "/v1/snapshot", token=server.key, headers={"If-None-Match": etag})
    assert changed.status == 200
    assert changed.headers["ETag"] != etag


@pytest.mark.parametrize("etag", ['"{}"', 'W/"{}"', '"other", "{}"'])
async def test_an_etag_is_recognised_in_every_form(server: Server, etag: str) -> None:
    headers = {"If-None-Match": etag.format(await cursor_of(server))}
    assert (await server.ask("GET", "/v1/snapshot", token=server.key, headers=headers)).status == 304


@pytest.mark.parametrize(
    ("header", "gzipped"),
    [("gzip", True), ("br, gzip;q=0.5", True), ("*", True), ("gzip;q=0", False), ("gzip; q=0.0", False), ("br", False)],
)
def test_only_who_takes_gzip_gets_it(header: str, gzipped: bool) -> None:
    assert accepts_gzip(header) is gzipped


async def test_a_head_request_opens_no_stream(server: Server) -> None:
    assert (await server.ask("HEAD", "/v1/stream", token=server.key)).status == 405
    assert not server.services.hubs["production"].connections


async def test_http_1_0_gets_the_stream_without_chunks(server: Server) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"GET /v1/stream HTTP/1.0\r\nAuthorization: Bearer {server.key}\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    assert b"chunked" not in head.lower()
    parser = SseParser()
    events: list[SseEvent] = []
    while len(events) < 3:
        events += parser.feed(await reader.read(65536))
    assert [event.event for event in events] == ["hello", "put", "sync"]
    writer.close()
    await writer.wait_closed()


async def test_a_stream_whose_client_left_is_forgotten(server: Server) -> None:
    hub = server.services.hubs["production"]
    async with reading(server) as stream:
        await stream.next()
        assert len(hub.connections) == 1
    async with asyncio.timeout(5):
        while hub.connections:
            await asyncio.sleep(0.01)


async def test_readiness_tells_of_the_store_and_the_streams(server: Server) -> None:
    ready = await server.ask("GET", "/readyz", token=None)
    assert ready.status == 200
    assert ready.body["ready"] is True
    assert ready.body["environments"]["production"]["store"] == "followed"
    assert (await server.ask("GET", "/healthz", token=None)).body == {"status": "ok"}
