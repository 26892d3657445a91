"""Usage in Redis. All keys of an environment share the hash tag of its log.

    wigwag:{production}:usage:<size>:<period>:<flag>:<series>  string: 1,440 counters of 48 bits
    wigwag:{production}:usage:series:<flag>                    hash: the series that a flag has
    wigwag:{production}:usage:batches:<stretch>                hash: instance to the number of its latest batch
    wigwag:{production}:usage:asked                            sorted set: flag by second
    wigwag:{production}:usage:unknown, :count, :first          sorted set, hashes: names that no flag has

A counter takes 6 bytes, so a series that is asked for all day takes 9 KiB for its minutes and as much for its hours.
"""

from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis

from wigwag_server.store.redis_link import KeyScript, Link, connect, script, store_errors
from wigwag_server.usage.usage_store import (
    ASKED_KEPT_S,
    BATCH_KEPT_S,
    BATCHES_LIMIT,
    OTHERS,
    SERIES_LIMIT,
    UNKNOWN_KEPT_S,
    UNKNOWN_LIMIT,
    Batch,
    Buckets,
    Size,
    Unknown,
)

CELLS = 1440
BYTES = 6
ROWS_AT_ONCE = 2000  # other clients of Redis get their turn in between


class RedisUsage:
    """Keeps the counts in one Redis."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._add = KeyScript(link, script("wigwag_server.usage", "redis_add.lua"))

    @classmethod
    def from_url(cls, url: str) -> "RedisUsage":
        """Make a usage store. Raises ValueError for a URL that is none."""
        return cls(connect(url))

    async def add(self, environment: str, batches: Sequence[Batch]) -> None:
        """Add each batch once."""
        keys = [_key(environment, name) for name in ("asked", "unknown", "unknown:count", "unknown:first")]
        head: list[Any] = [_key(environment, ""), SERIES_LIMIT, UNKNOWN_LIMIT, UNKNOWN_KEPT_S]
        head += [ASKED_KEPT_S, BATCH_KEPT_S, BATCHES_LIMIT, OTHERS]
        args, rows = [*head], 0
        for batch in batches:
            args += [batch.instance, batch.number, len(batch.counts)]
            for count in batch.counts:
                args += [count.flag, count.series, count.amount]
            args.append(len(batch.unknown))
            for name, amount in batch.unknown.items():
                args += [name, amount]
            rows += len(batch.counts) + len(batch.unknown)
            if rows >= ROWS_AT_ONCE:
                await self._send(keys, args)
                args, rows = [*head], 0
        if len(args) > len(head):
            await self._send(keys, args)

    async def read(self, environment: str, flag: str, size: Size, back_s: int) -> Buckets:
        """Return the buckets."""
        with store_errors():
            redis = self._redis(environment)
            time: Any = await redis.time()
            names: Any = await redis.hkeys(_key(environment, f"series:{flag}"))
            now_s, series = int(time[0]), [name.decode() for name in names]
            first, last = max(0, now_s - back_s) // size + 1, now_s // size
            periods = range(first // CELLS, last // CELLS + 1)
            wanted = [(name, period) for name in series for period in periods]
            keys = [_key(environment, f"{size.value}:{period}:{flag}:{name}") for name, period in wanted]
            values: Any = await redis.mget(keys) if keys else []
        found: dict[str, dict[int, int]] = {}
        for (name, period), value in zip(wanted, values, strict=True):
            for number, count in _cells(value or b"", period * CELLS, first, last):
                found.setdefault(name, {})[number * size] = count
        return Buckets(now_s, found)

    async def asked(self, environment: str) -> dict[str, int]:
        """Return when each flag was last asked for."""
        with store_errors():
            rows: Any = await self._redis(environment).zrange(_key(environment, "asked"), 0, -1, withscores=True)
            return {flag.decode(): int(at) for flag, at in rows}

    async def unknown(self, environment: str) -> list[Unknown]:
        """Return the names that no flag has."""
        with store_errors():
            async with self._redis(environment).pipeline(transaction=True) as pipeline:
                pipeline.zrevrange(_key(environment, "unknown"), 0, -1, withscores=True)
                pipeline.hgetall(_key(environment, "unknown:count"))
                pipeline.hgetall(_key(environment, "unknown:first"))
                rows, counts, firsts = await pipeline.execute()
            return [
                Unknown(name.decode(), int(counts.get(name, 0)), int(firsts.get(name, at)), int(at))
                for name, at in rows
            ]

    async def close(self) -> None:
        """Close every connection."""
        await self._link.close()

    def _redis(self, environment: str) -> Redis:
        return self._link.at(_key(environment, ""))

    async def _send(self, keys: list[str], args: list[Any]) -> None:
        with store_errors():
            await self._add(keys=keys, args=args)


def _key(environment: str, name: str) -> str:
    return f"wigwag:{{{environment}}}:usage:{name}"


def _cells(value: bytes, base: int, first: int, last: int) -> list[tuple[int, int]]:
    """Return the counters from the first to the last bucket that are not 0; the string begins at bucket `base`."""
    begin, end = max(first - base, 0), min(last - base, len(value) // BYTES - 1)
    numbers = ((base + i, int.from_bytes(value[i * BYTES : (i + 1) * BYTES])) for i in range(begin, end + 1))
    return [(number, count) for number, count in numbers if count]
