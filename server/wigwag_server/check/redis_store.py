"""A Redis or Valkey, looked at as a store: reachable, allowed, durable, quick, and of one mind about the time."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from statistics import median
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import AuthenticationError, RedisError, ResponseError

from wigwag_proto.findings import Finding, ok, warning, wrong
from wigwag_server.check.redis_rights import rights
from wigwag_server.store.redis_link import Link, connect

LEAST_VERSION = (6, 2)
PINGS = 20
SLOW_MS = 10.0
SKEW_S = 2.0
FEED_S = 2.0
NEARLY_FULL = 0.9
SECTIONS = ("server", "memory", "persistence", "replication")
Info = dict[str, Any]


async def check_redis(url: str, wait_replicas: int = 0) -> AsyncIterator[Finding]:
    """Look at the Redis of a store URL; writes wait for so many replicas. Raises ValueError for a URL that is none."""
    link = connect(url)
    try:
        # In a Cluster: the node that has the flags of production.
        redis = link.at("wigwag:{production}:state")
        await _ask(redis, "PING")
        async for finding in _answering(link, redis, wait_replicas):
            yield finding
    except (RedisError, OSError, TimeoutError) as error:
        yield _unreachable(error)
    finally:
        await link.close()


def _unreachable(error: Exception) -> Finding:
    words = str(error) or type(error).__name__
    if isinstance(error, AuthenticationError) or words.startswith(("NOAUTH", "WRONGPASS")):
        mend = "Put the right user and password into --store: redis://USER:PASSWORD@HOST:6379/0."
        return wrong("store", f"Redis does not let us in: {words}", mend)
    mend = (
        "Is Redis running at the address in --store, does a firewall let this machine through, and does it speak TLS "
        "(rediss://) or not (redis://)? A server that starts without it serves its last copy, and takes no writes."
    )
    return wrong("store", f"Redis cannot be used: {words}", mend)


async def _answering(link: Link, redis: Redis, wait_replicas: int) -> AsyncIterator[Finding]:
    took_ms = []
    for _ in range(PINGS):
        begun = time.perf_counter()
        await _ask(redis, "PING")
        took_ms.append((time.perf_counter() - begun) * 1000)
    yield _latency(median(took_ms))
    yield await rights(link)
    yield await _feed(redis)
    info: Info = {}
    for section in SECTIONS:
        try:
            info |= await redis.info(section)
        except ResponseError:
            return  # `rights` has said that INFO is refused
    for finding in (
        _version(info),
        _role(info),
        _eviction(info),
        _room(info),
        _persistence(info),
        _replicas(info, wait_replicas),
    ):
        if finding is not None:
            yield finding
    yield await _clock(redis)


def _latency(ms: float) -> Finding:
    if ms > SLOW_MS:
        mend = "Servers compare themselves with Redis four times a second: run it in the same place as they are."
        return warning("store", f"Redis answers after {ms:.0f} ms", mend)
    return ok("store", f"Redis answers after {ms:.1f} ms")


def _version(info: Info) -> Finding:
    text = str(info.get("redis_version", ""))
    name = f"Valkey {info['valkey_version']}" if "valkey_version" in info else f"Redis {text}"
    numbers = tuple(int(part) for part in text.split(".")[:2] if part.isdecimal())
    if numbers < LEAST_VERSION:
        return wrong("store version", f"{name} is too old", "Use Redis 6.2 or later, or Valkey.")
    return ok("store version", name)


def _role(info: Info) -> Finding | None:
    if info.get("role") == "master":
        return None
    mend = f"Name the primary in --store; this one follows {info.get('master_host')}:{info.get('master_port')}."
    return wrong("store role", "this Redis is a replica, which takes no writes", mend)


def _eviction(info: Info) -> Finding:
    policy = str(info.get("maxmemory_policy", "noeviction"))
    if policy != "noeviction":
        mend = (
            "CONFIG SET maxmemory-policy noeviction, in redis.conf as well. Flags that are evicted are noticed and put "
            "back, but the audit log and counts are not. A Redis that is a cache for something else is no store."
        )
        return warning("store eviction", f"Redis throws keys away when it is full ({policy})", mend)
    return ok("store eviction", "none: a full Redis refuses writes rather than to forget flags")


def _room(info: Info) -> Finding | None:
    used, most = int(info.get("used_memory", 0)), int(info.get("maxmemory", 0))
    if most and used > NEARLY_FULL * most:
        mend = "Raise maxmemory. When it is full, no flag can be changed, and kills go out as emergencies."
        return warning("store memory", f"{used * 100 // most} % of Redis' maxmemory are in use", mend)
    return None


def _persistence(info: Info) -> Finding:
    if int(info.get("aof_enabled", 0)):
        return ok("store persistence", "Redis writes every change to its disk (appendonly yes)")
    mend = (
        "Set appendonly yes. After a restart of Redis, the servers put back what they hold; where all of them are gone "
        "as well, changes since its last dump are lost."
    )
    return warning("store persistence", "Redis keeps no append-only file", mend)


def _replicas(info: Info, wanted: int) -> Finding | None:
    if not wanted:
        return None
    there = int(info.get("connected_slaves", 0))
    if there < wanted:
        mend = "Start the replicas, or lower --redis-wait-replicas: until then no write is acknowledged."
        return wrong("store replicas", f"writes wait for {wanted} replicas of Redis, and {there} are connected", mend)
    return ok("store replicas", f"{there} are connected, and writes wait for {wanted}")


async def _clock(redis: Redis) -> Finding:
    before = time.time()
    seconds, micros = await _ask(redis, "TIME")
    after = time.time()
    ahead_s = int(seconds) + int(micros) / 1e6 - (before + after) / 2
    if abs(ahead_s) - (after - before) / 2 > SKEW_S:
        mend = (
            "Have both machines set by NTP (timedatectl, chronyc tracking): ends of kills, schedules and the audit log "
            "go by the servers' clocks, times to effect by that of Redis."
        )
        where = "ahead of" if ahead_s > 0 else "behind"
        return warning("store clock", f"Redis' clock is {abs(ahead_s):.1f} s {where} the one here", mend)
    return ok("store clock", f"Redis' clock and the one here are {abs(ahead_s) * 1000:.0f} ms apart at most")


async def _feed(redis: Redis) -> Finding:
    """Publish something, and hear it."""
    channel = f"wigwag:{{_check}}:{secrets.token_hex(6)}:feed"
    subscription = redis.pubsub()
    try:
        async with asyncio.timeout(FEED_S):
            await subscription.subscribe(channel)
            await redis.publish(channel, b"x")
            while True:
                message = await subscription.get_message(timeout=FEED_S)
                if message is not None and message["type"] == "message":
                    return ok("store feed", "what is published is heard at once")
    except TimeoutError:
        mend = "A proxy before Redis may not pass pub/sub on. Changes arrive all the same, a quarter of a second later."
        return warning("store feed", f"nothing was heard of a message within {FEED_S:g} s", mend)
    except ResponseError as error:
        mend = "Allow the user of --store +subscribe, +unsubscribe and +publish on the channels wigwag:* (ACL SETUSER)."
        return wrong("store feed", f"Redis refuses to publish or to subscribe: {error}", mend)
    finally:
        await subscription.aclose()  # type: ignore[no-untyped-call]  # redis-py leaves it untyped


async def _ask(redis: Redis, *words: str) -> Any:
    return await redis.execute_command(*words)  # type: ignore[no-untyped-call]  # redis-py leaves it untyped
