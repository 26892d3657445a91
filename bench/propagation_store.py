"""The store that is measured: a Redis or an SQLite file of the benchmark's own, or a Redis that is given."""

import sqlite3
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from bench.propagation_load import BenchFailed
from tests.support.redis_server import RedisServer

KEYS = "wigwag:*"
GIVEN = ("redis://", "rediss://")


@dataclass(frozen=True, slots=True)
class MeasuredStore:
    """Its URL, as the server takes it, and what it is."""

    url: str
    kind: str
    version: str


def is_store(text: str) -> bool:
    """Say whether `opened` takes this."""
    return text in ("redis", "sqlite") or text.startswith(GIVEN)


@asynccontextmanager
async def opened(store: str, folder: Path) -> AsyncGenerator[MeasuredStore]:
    """Provide an empty store; nothing of it is left afterwards. Raises BenchFailed."""
    if store == "sqlite":
        yield MeasuredStore(f"sqlite:{folder / 'wigwag.db'}", "sqlite", sqlite3.sqlite_version)
    elif store == "redis":
        async with _own_redis(folder / "redis") as measured:
            yield measured
    else:
        async with _given_redis(store) as measured:
            yield measured


@asynccontextmanager
async def _own_redis(folder: Path) -> AsyncGenerator[MeasuredStore]:
    server = RedisServer(folder)
    try:
        # Not `async with server`: that would leave the process behind when its start is interrupted.
        try:
            await server.start()
        except (RuntimeError, AssertionError, TimeoutError, OSError) as error:
            raise BenchFailed(f"redis-server does not start: {str(error) or type(error).__name__}") from error
        async with server.connection() as redis:
            version = await _version(redis)
        yield MeasuredStore(server.url, "redis", version)
    finally:
        await server.stop(hard=True)


@asynccontextmanager
async def _given_redis(url: str) -> AsyncGenerator[MeasuredStore]:
    """Use a Redis that holds nothing of wigwag's, so that what is removed afterwards is all the benchmark's own."""
    async with Redis.from_url(url) as redis:
        try:
            version = await _version(redis)
            found = [key async for key in redis.scan_iter(KEYS)]
        except (RedisError, OSError) as error:
            raise BenchFailed(f"the Redis at --store cannot be used: {error}") from error
        if found:
            raise BenchFailed(
                f"the Redis at --store holds {len(found)} keys {KEYS} already, which the benchmark would spoil. "
                "Give an empty database (redis://host:6379/9), or --store redis for a Redis of its own."
            )
        try:
            yield MeasuredStore(url, "redis", version)
        finally:
            try:
                async for key in redis.scan_iter(KEYS):
                    await redis.delete(key)
            except (RedisError, OSError) as error:
                raise BenchFailed(f"what was measured with is still there, as {KEYS} in Redis: {error}") from error


async def _version(redis: Redis) -> str:
    info: dict[str, Any] = await redis.info("server")
    return str(info["redis_version"])
