"""Samples of contexts, in each store: the latest of each flag, bounded in number and in time, for all servers."""

from collections.abc import AsyncIterator

import pytest

from tests.support.redis_server import RedisServer
from wigwag_server.samples.memory_samples import MemorySamples
from wigwag_server.samples.redis_samples import RedisSamples
from wigwag_server.samples.sample_store import KEPT_S, SAMPLED_FLAGS, SAMPLES_OF_FLAG, SampleStore, Taken


@pytest.fixture(params=["memory", "redis"])
async def samples(request: pytest.FixtureRequest, redis_server: RedisServer) -> AsyncIterator[SampleStore]:
    made: SampleStore = MemorySamples() if request.param == "memory" else RedisSamples.from_url(redis_server.url)
    yield made
    await made.close()


async def held(samples: SampleStore, flag: str, environment: str = "production") -> list[bytes]:
    return [each.data for each in await samples.read(environment, flag)]


async def test_the_latest_samples_of_a_flag_stay_newest_first(samples: SampleStore) -> None:
    await samples.add("production", [Taken("checkout", b'{"n": %d}' % n) for n in range(SAMPLES_OF_FLAG)])
    await samples.add("production", [Taken("checkout", b'{"n": "x y"}'), Taken("search", b"{}")])
    checkout = await held(samples, "checkout")
    assert len(checkout) == SAMPLES_OF_FLAG
    assert checkout[:2] == [b'{"n": "x y"}', b'{"n": %d}' % (SAMPLES_OF_FLAG - 1)]
    assert await held(samples, "search") == [b"{}"]
    assert await held(samples, "search", "staging") == []


async def test_where_too_many_flags_have_samples_no_other_gets_any(samples: SampleStore) -> None:
    await samples.add("production", [Taken(f"flag{n}", b"{}") for n in range(SAMPLED_FLAGS)])
    await samples.add("production", [Taken("late", b"{}"), Taken("flag0", b"{}")])
    assert await held(samples, "late") == []
    assert await held(samples, "flag0") == [b"{}", b"{}"]
    await samples.add("staging", [Taken("late", b"{}")])
    assert await held(samples, "late", "staging") == [b"{}"]


async def test_what_is_forgotten_is_gone_and_gets_another_key(samples: SampleStore) -> None:
    key = await samples.key("production")
    assert await samples.key("production") == key
    assert len(key) == 32
    assert await samples.key("staging") != key
    await samples.add("production", [Taken("checkout", b"{}")])
    await samples.forget("production")
    assert await held(samples, "checkout") == []
    assert await samples.key("production") != key


async def test_samples_in_memory_end_after_a_day_and_make_room() -> None:
    now = [1000.0]
    samples = MemorySamples(lambda: now[0])
    await samples.add("production", [Taken(f"flag{n}", b"{}") for n in range(SAMPLED_FLAGS)])
    now[0] += KEPT_S
    assert await held(samples, "flag0") == []
    await samples.add("production", [Taken("late", b"{}")])
    assert await held(samples, "late") == [b"{}"]


async def test_every_key_in_redis_ends_within_a_day_but_the_one_that_hashes(redis_server: RedisServer) -> None:
    samples = RedisSamples.from_url(redis_server.url)
    await samples.key("production")
    await samples.add("production", [Taken("checkout", b"{}")])
    async with redis_server.connection() as redis:
        for name in ("flags", "of:checkout"):
            assert 0 < await redis.ttl(f"wigwag:{{production}}:samples:{name}") <= KEPT_S
        assert len(await redis.keys("wigwag:{production}:samples:*")) == 3
        # One that was there for a day already goes when the next comes, and is not read before.
        await redis.rpush("wigwag:{production}:samples:of:checkout", b'1000 {"old": true}')
        assert await held(samples, "checkout") == [b"{}"]
        await samples.add("production", [Taken("checkout", b"[]")])
        assert await redis.llen("wigwag:{production}:samples:of:checkout") == 2
    await samples.close()


async def test_servers_on_one_redis_share_key_and_samples(redis_server: RedisServer) -> None:
    one, other = RedisSamples.from_url(redis_server.url), RedisSamples.from_url(redis_server.url)
    assert await one.key("production") == await other.key("production")
    await one.add("production", [Taken("checkout", b"{}")])
    assert await held(other, "checkout") == [b"{}"]
    await one.close()
    await other.close()
