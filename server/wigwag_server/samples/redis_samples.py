"""Samples in Redis, for all servers together. All keys of an environment share the hash tag of its log.

wigwag:{production}:samples:key        string: what ids are hashed with
wigwag:{production}:samples:flags      sorted set: flag by the second of its latest sample
wigwag:{production}:samples:of:<flag>  list: the latest samples, the newest first
"""

import secrets
from collections.abc import Sequence
from typing import Any

from wigwag_server.samples.sample_store import KEPT_S, KEY_BYTES, SAMPLED_FLAGS, SAMPLES_OF_FLAG, Kept, Taken
from wigwag_server.store.redis_link import KeyScript, Link, connect, script, store_errors

ROWS_AT_ONCE = 1000  # other clients of Redis get their turn in between


class RedisSamples:
    """Keeps samples in one Redis."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._add = KeyScript(link, script("wigwag_server.samples", "redis_samples.lua"))

    @classmethod
    def from_url(cls, url: str) -> "RedisSamples":
        """Make a store. Raises ValueError for a URL that is none."""
        return cls(connect(url))

    async def key(self, environment: str) -> bytes:
        """Return what the ids of an environment are hashed with."""
        name = _key(environment, "key")
        with store_errors():
            redis = self._link.at(name)
            known: Any = await redis.get(name)
            if known is None:
                await redis.set(name, secrets.token_bytes(KEY_BYTES), nx=True)
                known = await redis.get(name)
            return bytes(known)

    async def add(self, environment: str, samples: Sequence[Taken]) -> None:
        """Add samples; of each flag the latest stay."""
        head: list[Any] = [_key(environment, "of:"), SAMPLES_OF_FLAG, SAMPLED_FLAGS, KEPT_S]
        for begin in range(0, len(samples), ROWS_AT_ONCE):
            args = [*head]
            for each in samples[begin : begin + ROWS_AT_ONCE]:
                args += [each.flag, each.data]
            with store_errors():
                await self._add(keys=[_key(environment, "flags")], args=args)

    async def read(self, environment: str, flag: str) -> list[Kept]:
        """Return the samples of a flag, the latest first."""
        with store_errors():
            name = _key(environment, f"of:{flag}")
            redis = self._link.at(name)
            time: Any = await redis.time()
            rows: Any = await redis.lrange(name, 0, -1)
            after_s = int(time[0]) - KEPT_S
            parts = [row.partition(b" ") for row in rows]
            return [Kept(int(at), data) for at, _, data in parts if int(at) > after_s]

    async def forget(self, environment: str) -> None:
        """Drop all samples of an environment, and its key."""
        with store_errors():
            redis = self._link.at(_key(environment, "flags"))
            flags: Any = await redis.zrange(_key(environment, "flags"), 0, -1)
            names = [_key(environment, f"of:{flag.decode()}") for flag in flags]
            await redis.delete(_key(environment, "key"), _key(environment, "flags"), *names)

    async def close(self) -> None:
        """Close every connection."""
        await self._link.close()


def _key(environment: str, name: str) -> str:
    return f"wigwag:{{{environment}}}:samples:{name}"
