"""The faults of the soak. Each is done and lifted by one function, which returns when it was lifted (monotonic)."""

import asyncio
import re
import signal
import time
from collections.abc import Awaitable, Callable
from random import Random

from redis.exceptions import RedisError

from bench.soak_site import Site
from tests.support.proxy import Proxy
from tests.support.redis_server import RedisServer
from tests.support.restartable import RestartableServer

PUBLISHED = re.compile(rb"\$7\r\nmessage\r\n")

Fault = Callable[[Site, Random], Awaitable[float]]


async def redis_paused(site: Site, rng: Random) -> float:
    """SIGSTOP, and SIGCONT a while later."""
    site.redis.signal(signal.SIGSTOP)
    try:
        await asyncio.sleep(rng.uniform(0.5, 4.0))
    finally:
        site.redis.signal(signal.SIGCONT)
    return time.monotonic()


async def redis_stopped(site: Site, rng: Random) -> float:
    """Stop it as an operator does; it comes back with its data."""
    await site.redis.stop()
    return await _redis_back(site.redis, rng)


async def redis_killed(site: Site, rng: Random) -> float:
    """Kill it; it comes back with its data."""
    await site.redis.stop(hard=True)
    return await _redis_back(site.redis, rng)


async def redis_emptied(site: Site, rng: Random) -> float:
    """Kill it; it comes back with nothing."""
    await site.redis.stop(hard=True)
    await asyncio.to_thread(site.redis.forget)
    return await _redis_back(site.redis, rng)


async def subscriptions_killed(site: Site, rng: Random) -> float:
    """Have Redis close every subscription, several times."""
    async with site.redis.connection() as redis:
        for _ in range(rng.randint(1, 5)):
            await redis.client_kill_filter(_type="pubsub")
            await asyncio.sleep(rng.uniform(0.0, 0.4))
    return time.monotonic()


async def publications_muted(site: Site, rng: Random) -> float:
    """Throw away whatever is published, while commands work."""
    for link in site.store_links:
        link.to_client = lambda data: b"" if PUBLISHED.search(data) else data
    await asyncio.sleep(rng.uniform(1.0, 3.0))
    for link in site.store_links:
        link.to_client = bytes
    return time.monotonic()


async def store_link_black_holed(site: Site, rng: Random) -> float:
    """Swallow everything between one server and Redis."""
    link = rng.choice(site.store_links)
    await _quiet(link, rng.uniform(1.0, 4.0))
    link.cut()
    return time.monotonic()


async def server_stopped(site: Site, rng: Random) -> float:
    """Stop a server as an operator does, and start it again."""
    server = rng.choice(site.servers)
    await server.stop()
    return await _server_back(server, rng)


async def server_killed(site: Site, rng: Random) -> float:
    """Kill a server, and start it again."""
    server = rng.choice(site.servers)
    await server.stop(hard=True)
    return await _server_back(server, rng)


async def client_links_reset(site: Site, rng: Random) -> float:
    """Reset the connections of all clients, again and again."""
    for _ in range(rng.randint(1, 4)):
        for link in site.client_links:
            link.cut()
        await asyncio.sleep(rng.uniform(0.0, 0.5))
    return time.monotonic()


async def client_links_torn(site: Site, rng: Random) -> float:
    """Pass the first half of what comes, then reset: frames are torn in the middle."""
    link = rng.choice(site.client_links)

    def tear(data: bytes) -> bytes:
        asyncio.get_running_loop().call_soon(link.cut)
        return data[: len(data) // 2]

    link.to_client = tear
    await asyncio.sleep(rng.uniform(0.3, 1.5))
    link.to_client = bytes
    return time.monotonic()


async def client_links_refused(site: Site, rng: Random) -> float:
    """Cut one server off from its clients for a while."""
    link = rng.choice(site.client_links)
    link.refuse()
    link.cut()
    await asyncio.sleep(rng.uniform(1.0, 4.0))
    link.refuse(refusing=False)
    return time.monotonic()


async def client_links_black_holed(site: Site, rng: Random) -> float:
    """Swallow everything between one server and its clients; no connection learns of that."""
    await _quiet(rng.choice(site.client_links), rng.uniform(1.0, 6.0))
    return time.monotonic()


async def all_at_once(site: Site, rng: Random) -> float:
    """Kill Redis and a server, mute what is published, reset every client; then bring all back."""
    server = rng.choice(site.servers)
    for link in site.store_links:
        link.to_client = lambda data: b"" if PUBLISHED.search(data) else data
    await asyncio.gather(site.redis.stop(hard=True), server.stop(hard=True))
    for link in site.client_links:
        link.cut()
    await asyncio.sleep(rng.uniform(0.2, 2.0))
    lifted_at = time.monotonic()
    await site.redis.start()
    await server.start(ready=False)
    for link in site.store_links:
        link.to_client = bytes
    return lifted_at


FAULTS: dict[str, Fault] = {
    "redis paused": redis_paused,
    "redis stopped and started": redis_stopped,
    "redis killed and started": redis_killed,
    "redis came back empty": redis_emptied,
    "subscriptions killed": subscriptions_killed,
    "publications muted": publications_muted,
    "store link black-holed": store_link_black_holed,
    "server stopped and started": server_stopped,
    "server killed and started": server_killed,
    "client links reset": client_links_reset,
    "client links torn mid-frame": client_links_torn,
    "client links refused": client_links_refused,
    "client links black-holed": client_links_black_holed,
    "all at once": all_at_once,
}
FAILURES = (RedisError, AssertionError, OSError, TimeoutError)


async def _redis_back(redis: RedisServer, rng: Random) -> float:
    await asyncio.sleep(rng.uniform(0.2, 2.0))
    lifted_at = time.monotonic()
    await redis.start()
    return lifted_at


async def _server_back(server: RestartableServer, rng: Random) -> float:
    await asyncio.sleep(rng.uniform(0.0, 1.0))
    lifted_at = time.monotonic()
    await server.start(ready=False)
    return lifted_at


async def _quiet(link: Proxy, for_s: float) -> None:
    link.go_quiet()
    await asyncio.sleep(for_s)
    link.go_quiet(quiet=False)
