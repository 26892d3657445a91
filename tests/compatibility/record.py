"""Record what this release stores, sends and writes to disk, for all later ones to be tested against:

    python -m tests.compatibility.record tests/compatibility/0.1.0

Run once for each release whose formats are others than those of the one before; a recording is never made anew.
"""

import asyncio
import json
import sqlite3
import sys
import tempfile
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from tests.compatibility.recorder import Recorder, recording
from tests.compatibility.site import decisions, fill
from tests.support.redis_server import RedisServer
from tests.support.server import ADMIN_TOKEN, Server, running
from tests.support.waiting import until
from wigwag import FlagClient, Settings
from wigwag_server.backup.backing_up import back_up
from wigwag_server.backup.target import open_source


def main(folder: Path) -> None:
    """Record into a new folder."""
    folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as scratch:
        asyncio.run(_record(folder, Path(scratch)))


async def _record(folder: Path, scratch: Path) -> None:
    database = scratch / "wigwag.db"
    store = f"sqlite:{database}"
    async with running(store) as server, recording(server.url) as recorder:
        await fill(server)
        expected = await _apps(server, recorder, scratch)
        source = await open_source(store)
        await back_up(source, folder / "backup.jsonl")
        await source.close()
        key, client_url = server.key, recorder.url
    (folder / "store.sql").write_text(_sql(database))
    (folder / "stream.sse").write_bytes(expected["streamed"])
    _write(folder / "requests.json", recorder.requests)
    _write(folder / "snapshot.json", expected["snapshot"])
    (snapshot,) = (scratch / "cache").glob("*.snapshot")
    (folder / "client.snapshot").write_bytes(snapshot.read_bytes())
    async with RedisServer(scratch / "redis") as redis_server:
        async with running(redis_server.url, data_dir=scratch / "data", key=key) as server:
            await fill(server)
            redis_key = await server.new_key()
        _write(folder / "redis.json", await _redis(redis_server.url))
    for path in sorted((scratch / "data").glob("production*")):
        (folder / f"server-{path.name}").write_bytes(path.read_bytes())
    told = {
        "clientFile": snapshot.name,
        "adminToken": ADMIN_TOKEN,
        "url": client_url,
        "key": key,
        "redisKey": redis_key,
    }
    _write(folder / "expected.json", {**told, "decisions": expected["decisions"], "flags": expected["flags"]})


async def _apps(server: Server, recorder: Recorder, scratch: Path) -> dict[str, Any]:
    """Have a client follow through the recorder, and return what it decides in the end."""
    settings = Settings(cache_dir=scratch / "cache", save_spacing_s=0.0, report_every_s=0.2)
    async with server.stream() as stream, FlagClient(recorder.url, server.key, settings=settings) as client:
        await until(lambda: client.status.connected, "the stream")
        await server.put("some", enabled=True, rolloutPercentage=40)  # so that there is a patch
        emergencies = server.services.emergencies["production"]
        await emergencies.declare(["gone"], "ann", "no store")
        await emergencies.call_off("gone")
        await server.put("last", enabled=True)
        await until(lambda: client.is_enabled("last"), "the last change")
        for number in range(50):
            client.is_enabled("some", user_id=f"user-{number}")
        await until(lambda: any(each["path"] == "/v1/telemetry" for each in recorder.requests), "a report")
        streamed = b""
        while b'"key":"last"' not in streamed or not streamed.endswith(b"\n\n"):
            streamed += await stream.content.readany()
        expected = decisions(client)
        flags = (await server.ask("GET", "/admin/flags")).body["flags"]
        snapshot = (await server.ask("GET", "/v1/snapshot", token=server.key)).body
    return {"streamed": streamed, "decisions": expected, "flags": [each["key"] for each in flags], "snapshot": snapshot}


def _sql(database: Path) -> str:
    """Return the database as SQL, its format with it."""
    connection = sqlite3.connect(database)
    try:
        ((number,),) = connection.execute("PRAGMA user_version")
        return "\n".join([*connection.iterdump(), f"PRAGMA user_version = {number};", ""])
    finally:
        connection.close()


async def _redis(url: str) -> dict[str, Any]:
    """Return every key of wigwag's, by its type."""
    redis = Redis.from_url(url, decode_responses=True)
    found: dict[str, Any] = {}
    try:
        async for key in redis.scan_iter(match="wigwag:*"):
            kind = await redis.type(key)
            value: Any
            if kind == "hash":
                value = await redis.hgetall(key)
            elif kind == "stream":
                value = await redis.xrange(key)
            elif kind == "zset":
                value = await redis.zrange(key, 0, -1, withscores=True)
            elif kind == "set":
                value = sorted(await redis.smembers(key))
            else:
                value = await redis.get(key)
            found[key] = [kind, value]
    finally:
        await redis.aclose()
    return dict(sorted(found.items()))


def _write(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
