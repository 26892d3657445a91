"""A primary of Redis, its replicas, and three Sentinels that fail over: real processes."""

import asyncio
from pathlib import Path
from typing import Self

from redis.asyncio import Redis
from redis.exceptions import RedisError

from tests.support.redis_server import RedisServer, free_port, redis_binary

SERVICE = "flags"


class Sentinels:
    """Begins with `servers[0]` as the primary. `url` names the three Sentinels."""

    def __init__(self, folder: Path, replicas: int = 1) -> None:
        primary = RedisServer(folder / "redis-0")
        of = {"replicaof": f"127.0.0.1 {primary.port}", "repl-diskless-sync-delay": 0}
        self.servers = [primary, *(RedisServer(folder / f"redis-{n}", of) for n in range(1, replicas + 1))]
        self._folder = folder
        self.ports = [free_port() for _ in range(3)]
        self._processes: list[asyncio.subprocess.Process] = []

    @property
    def url(self) -> str:
        """The store."""
        return f"redis+sentinel://{','.join(f'127.0.0.1:{port}' for port in self.ports)}/{SERVICE}/0"

    async def __aenter__(self) -> Self:
        """Start all of it, and wait until each Sentinel knows the others and the replicas."""
        for server in self.servers:
            await server.start()
        for port in self.ports:
            await self._start(port)
        async with asyncio.timeout(30):
            while not all([await self._knows_all(port) for port in self.ports]):
                await asyncio.sleep(0.05)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop all of it."""
        for process in self._processes:
            process.kill()
            await process.wait()
        for server in self.servers:
            await server.stop(hard=True)

    async def _start(self, port: int) -> None:
        file = self._folder / f"sentinel-{port}.conf"
        file.write_text(
            f"port {port}\nbind 127.0.0.1\nlogfile {self._folder}/sentinel-{port}.log\n"
            f"sentinel monitor {SERVICE} 127.0.0.1 {self.servers[0].port} 2\n"
            f"sentinel down-after-milliseconds {SERVICE} 500\nsentinel failover-timeout {SERVICE} 3000\n"
        )
        self._processes.append(
            await asyncio.create_subprocess_exec(
                *(redis_binary(), str(file), "--sentinel"), stdout=asyncio.subprocess.DEVNULL
            )
        )

    async def _knows_all(self, port: int) -> bool:
        try:
            async with Redis(port=port) as redis:
                state = await redis.execute_command("SENTINEL", "MASTER", SERVICE)  # type: ignore[no-untyped-call]
                state = state if isinstance(state, dict) else dict(zip(state[::2], state[1::2], strict=True))
                plain = {_text(name): _text(value) for name, value in state.items()}
        except (RedisError, OSError):
            return False
        return (plain["num-other-sentinels"], plain["num-slaves"]) == ("2", str(len(self.servers) - 1))


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
