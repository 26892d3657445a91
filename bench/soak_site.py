"""What the soak does its worst to: one Redis, two servers, and proxies on every link between them and to clients."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.propagation_load import BenchFailed
from tests.support.listening import listening
from tests.support.proxy import Proxy
from tests.support.redis_server import RedisServer
from tests.support.restartable import RestartableServer

STOP_S = 30.0


@dataclass(frozen=True, slots=True)
class Site:
    """Server `i` reaches Redis through `store_links[i]`; its clients reach it through `client_links[i]`."""

    redis: RedisServer
    servers: tuple[RestartableServer, ...]
    store_links: tuple[Proxy, ...]
    client_links: tuple[Proxy, ...]
    key: str

    @property
    def client_urls(self) -> tuple[str, ...]:
        """Where the clients find the servers."""
        return tuple(f"http://127.0.0.1:{link.port}" for link in self.client_links)


@asynccontextmanager
async def built(folder: Path, servers: int = 2) -> AsyncGenerator[Site]:
    """Build it; whatever state it is left in, nothing of it runs afterwards. Raises BenchFailed."""
    async with AsyncExitStack() as stack:
        try:
            redis = RedisServer(folder / "redis")
            stack.push_async_callback(_ended, redis)
            await redis.start()
            store_links = tuple(
                [await stack.enter_async_context(listening(Proxy("127.0.0.1", redis.port))) for _ in range(servers)]
            )
            made = tuple(
                RestartableServer(folder / f"server-{number}", f"redis://127.0.0.1:{link.port}/0")
                for number, link in enumerate(store_links)
            )
            for server in made:
                stack.push_async_callback(_ended, server)
                await server.start()
            key = await made[0].new_key()
            client_links = tuple(
                [
                    await stack.enter_async_context(listening(Proxy("127.0.0.1", int(server.url.rpartition(":")[2]))))
                    for server in made
                ]
            )
        except (AssertionError, TimeoutError, OSError, RuntimeError) as error:
            raise BenchFailed(f"Redis and the servers do not start: {str(error) or type(error).__name__}") from error
        yield Site(redis, made, store_links, client_links, key)


async def _ended(process: RedisServer | RestartableServer) -> None:
    """Stop a process, also one whose start was interrupted."""
    if process._process is not None:  # noqa: SLF001 - one that never started cannot be stopped
        async with asyncio.timeout(STOP_S):
            await process.stop(hard=True)
