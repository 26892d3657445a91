"""What earlier releases stored, sent and wrote to disk is understood, for good. `record.py` made the recordings."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from redis.asyncio import Redis

from tests.compatibility.site import decisions
from tests.support.redis_server import RedisServer
from tests.support.server import Server, running
from tests.support.waiting import until, until_async
from wigwag import FlagClient, Settings, Source
from wigwag_proto.disk_io import load_snapshot
from wigwag_server.backup.backing_up import restore
from wigwag_server.backup.target import open_target

RELEASES = sorted(path for path in Path(__file__).parent.iterdir() if (path / "expected.json").exists())


@pytest.fixture(params=RELEASES, ids=lambda path: path.name)
def release(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


@pytest.fixture
def expected(release: Path) -> Any:
    return read(release, "expected.json")


def read(release: Path, name: str) -> Any:
    return json.loads((release / name).read_text(encoding="utf-8"))


async def put_into_redis(url: str, recorded: dict[str, Any]) -> None:
    redis = Redis.from_url(url)
    try:
        for key, (kind, value) in recorded.items():
            if kind == "hash":
                await redis.hset(key, mapping=value)
            elif kind == "stream":
                for id_, entry in value:
                    await redis.xadd(key, entry, id=id_)
            elif kind == "zset":
                await redis.zadd(key, dict(value))
            elif kind == "set":
                await redis.sadd(key, *value)
            else:
                await redis.set(key, value)
    finally:
        await redis.aclose()


async def check_server(server: Server, expected: Any, key: str) -> None:
    """See that a server has all of it, and that it can be worked with."""
    flags = (await server.ask("GET", "/admin/flags?limit=100", token=expected["adminToken"])).body["flags"]
    assert {each["key"] for each in flags} >= set(expected["flags"]) - {"last"}
    for environment in ("production", "_system"):
        verified = await server.ask("GET", f"/admin/audit/verify?environment={environment}")
        assert verified.status == 200, verified
        assert verified.body["intact"] is True, verified
    for path in ("/admin/flags/ramped/rollout", "/admin/flags/ramped/guard", "/admin/segments/staff"):
        assert (await server.ask("GET", path)).status == 200, path
    schedules = (await server.ask("GET", "/admin/schedules")).body["schedules"]
    assert [each["what"] for each in schedules] == ["kill"]
    webhooks = (await server.ask("GET", "/admin/webhooks")).body["webhooks"]
    assert [each["events"] for each in webhooks] == [["emergency"]]
    async with server.client(key) as client:
        await until(lambda: client.is_enabled("plain"), "the key of that release to be known")
        found = decisions(client)
        for name, decided in expected["decisions"].items():
            if name not in ("some", "last", "ramped"):  # which were changed while that release was recorded
                assert found[name] == decided, name
        await server.kill("plain")
        await until(lambda: not client.is_enabled("plain"), "a kill")


async def test_its_sqlite_file(release: Path, expected: Any, tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "flags.db")
    database.executescript((release / "store.sql").read_text())
    database.close()
    async with running(f"sqlite:{tmp_path / 'flags.db'}", key=expected["key"]) as server:
        await check_server(server, expected, expected["key"])


async def test_its_redis(release: Path, expected: Any, redis_server: RedisServer, tmp_path: Path) -> None:
    await put_into_redis(redis_server.url, read(release, "redis.json"))
    async with running(redis_server.url, data_dir=tmp_path / "data", key=expected["redisKey"]) as server:
        await check_server(server, expected, expected["redisKey"])


async def test_its_backup(release: Path, expected: Any, tmp_path: Path) -> None:
    url = f"sqlite:{tmp_path / 'flags.db'}"
    target = await open_target(url)
    await restore(target, release / "backup.jsonl")
    await target.close()
    async with running(url, key=expected["key"]) as server:
        await check_server(server, expected, expected["key"])


async def test_the_copy_on_its_servers_disk(release: Path) -> None:
    snapshot = load_snapshot(release / "server-production.snapshot")
    assert snapshot is not None
    assert {"flag", "segment"} <= snapshot.records.keys()


async def test_the_copy_on_its_clients_disk(release: Path, expected: Any, tmp_path: Path) -> None:
    # The name of the file is part of what must not change: nobody is there to tell the flags otherwise.
    (tmp_path / expected["clientFile"]).write_bytes((release / "client.snapshot").read_bytes())
    settings = Settings(cache_dir=tmp_path, start_timeout_s=0.2)
    async with FlagClient(expected["url"], expected["key"], settings=settings) as client:
        await until(lambda: client.status.source is Source.LAST_KNOWN, "the file to be read")
        found = decisions(client)
    # What depends on being current is off, for nobody has said that this is.
    assert {reason for _, reason, _ in found.pop("careful")} == {"FAIL_SAFE"}
    assert found == {name: decided for name, decided in expected["decisions"].items() if name != "careful"}


@asynccontextmanager
async def older_server(*, streamed: bytes | None = None, snapshot: bytes | None = None) -> AsyncIterator[str]:
    """Run what says what a server of that release said, and 503 to what it was not asked."""

    over = asyncio.Event()

    async def stream(request: web.Request) -> web.StreamResponse:
        if streamed is None:
            raise web.HTTPServiceUnavailable
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(streamed)
        await over.wait()
        return response

    async def whole(_: web.Request) -> web.StreamResponse:
        if snapshot is None:
            raise web.HTTPServiceUnavailable
        return web.Response(body=snapshot, content_type="application/json")

    app = web.Application()
    app.router.add_get("/v1/stream", stream)
    app.router.add_get("/v1/snapshot", whole)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        over.set()
        await runner.cleanup()


async def test_a_client_follows_its_server(release: Path, expected: Any) -> None:
    streamed = (release / "stream.sse").read_bytes()
    begun_with = streamed.partition(b"event: put\ndata: ")[2].partition(b"\n")[0]
    async with older_server(streamed=streamed, snapshot=begun_with) as url:
        async with FlagClient(url, expected["key"], settings=Settings(cache_dir=None)) as client:
            await until(lambda: client.is_enabled("last"), "the end of the stream")
            assert decisions(client) == expected["decisions"]


async def test_a_client_takes_its_snapshot(release: Path, expected: Any) -> None:
    async with older_server(snapshot=(release / "snapshot.json").read_bytes()) as url:
        async with FlagClient(url, expected["key"], settings=Settings(cache_dir=None)) as client:
            await client.refresh()
            found = decisions(client)
    found.pop("careful")  # which depends on when the state was proven, and nobody says that here
    assert found == {name: decided for name, decided in expected["decisions"].items() if name != "careful"}


async def test_a_server_answers_its_client(release: Path, expected: Any, tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "flags.db")
    database.executescript((release / "store.sql").read_text())
    database.close()
    async with running(f"sqlite:{tmp_path / 'flags.db'}", key=expected["key"]) as server:
        requests = read(release, "requests.json")
        assert {each["path"] for each in requests} >= {"/v1/stream", "/v1/telemetry"}
        for asked in requests:
            async with server.session.request(
                asked["method"],
                server.url + asked["path"],
                headers=asked["headers"],
                data=asked["body"].encode("latin-1") or None,
            ) as answer:
                assert answer.status == asked["status"], (asked, await answer.text())
                if asked["path"] == "/v1/stream":
                    await answer.content.readuntil(b"event: hello\n")

        async def counted() -> bool:
            usage = await server.ask("GET", "/admin/flags/some/metrics")
            return '"on"' in json.dumps(usage.body)

        await until_async(counted, "what its client counted")
