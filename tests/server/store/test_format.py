"""What was written by a later release is left alone, with a message that says so."""

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from tests.support.redis_server import RedisServer
from wigwag_proto.commit import Change, Commit, Cursor, Epoch
from wigwag_proto.errors import StoreRefused, StoreUnavailable
from wigwag_server.store.redis import RedisStore
from wigwag_server.store.sqlite import SqliteStore
from wigwag_server.store.store import Begin

BEGIN = Begin(Epoch(1, "e"), "h0", 1)


@pytest.fixture
async def redis_store(redis_server: RedisServer) -> AsyncIterator[RedisStore]:
    made = RedisStore.from_url(redis_server.url, settle_s=0.0)
    yield made
    await made.close()


async def test_sqlite(tmp_path: Path) -> None:
    path = tmp_path / "flags.db"
    store = await SqliteStore.open(path)
    await store.settle("production", None, BEGIN)
    await store.close()
    database = sqlite3.connect(path)
    database.execute("PRAGMA user_version = 2")
    database.close()
    before = path.read_bytes()
    for opened in (SqliteStore.open, SqliteStore.look):
        with pytest.raises(StoreUnavailable, match=r"newer wigwag \(format 2, this one reads up to 1\)"):
            await opened(path)
    assert path.read_bytes() == before


async def test_redis(redis_server: RedisServer, redis_store: RedisStore) -> None:
    head = await redis_store.settle("production", None, BEGIN)
    assert head.cursor is not None
    redis = Redis.from_url(redis_server.url)
    try:
        assert await redis.hget("wigwag:{production}:state", "format") == b"1"
        await redis.hset("wigwag:{production}:state", "format", "2")
        before = await redis.hgetall("wigwag:{production}:state")
        commit = Commit(1, head.cursor.head, "h1", 2, (Change("flag", "checkout", {}),))
        for asked in (
            redis_store.head("production"),
            redis_store.settle("production", None, BEGIN),
            redis_store.renew("production", Cursor(BEGIN.epoch, 0, "h0"), Epoch(2, "f")),
            redis_store.commit("production", head.cursor.epoch, commit),
        ):
            with pytest.raises(StoreRefused, match=r"newer wigwag \(format 2, this one reads up to 1\)"):
                await asked
        assert await redis.hgetall("wigwag:{production}:state") == before
    finally:
        await redis.aclose()


async def test_redis_of_before_formats_were_written_down(redis_server: RedisServer, redis_store: RedisStore) -> None:
    await redis_store.settle("production", None, BEGIN)
    redis = Redis.from_url(redis_server.url)
    try:
        await redis.hdel("wigwag:{production}:state", "format")
        assert (await redis_store.head("production")).settled
    finally:
        await redis.aclose()
