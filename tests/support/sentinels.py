"""A primary of Redis, its replicas, and three Sentinels that fail over: real processes."""

import asyncio
from pathlib import Path
from typing import Self

from redis.asyncio import Redis
from redis.exceptions import RedisError

from tests.support.certificates import Certificate
from tests.support.redis_server import RedisServer, free_port, redis_binary

SERVICE = "flags"


class Sentinels:
    """Begins with `servers[0]` as the primary. `url` names the three Sentinels.

    With a certificate all of them talk to each other, and to wigwag, over TLS; tests still ask without.
    """

    def __init__(self, folder: Path, replicas: int = 1, certificate: Certificate | None = None) -> None:
        self._certificate = certificate
        primary = RedisServer(folder / "redis-0", self._tls())
        self._primary_port = primary.options.get("tls-port", primary.port)
        of = {"replicaof": f"127.0.0.1 {self._primary_port}", "repl-diskless-sync-delay": 0}
        others = (RedisServer(folder / f"redis-{n}", {**of, **self._tls()}) for n in range(1, replicas + 1))
        self.servers = [primary, *others]
        self._folder = folder
        self.ports = [free_port() for _ in range(3)]
        self._tls_ports = {port: free_port() for port in self.ports}
        self._processes: list[asyncio.subprocess.Process] = []

    @property
    def url(self) -> str:
        """The store."""
        ports = self._tls_ports.values() if self._certificate else self.ports
        hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
        if self._certificate is None:
            return f"redis+sentinel://{hosts}/{SERVICE}/0"
        return f"rediss+sentinel://{hosts}/{SERVICE}/0?{self._certificate.query}"

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

    def _tls(self) -> dict[str, object]:
        return self._certificate.of_redis(free_port()) if self._certificate else {}

    async def _start(self, port: int) -> None:
        file = self._folder / f"sentinel-{port}.conf"
        tls = self._certificate.of_redis(self._tls_ports[port]) if self._certificate else {}
        lines = [
            *(f"{name} {value}" for name, value in tls.items()),
            f"port {port}\nbind 127.0.0.1\nlogfile {self._folder}/sentinel-{port}.log",
            f"sentinel monitor {SERVICE} 127.0.0.1 {self._primary_port} 2",
            f"sentinel down-after-milliseconds {SERVICE} 500\nsentinel failover-timeout {SERVICE} 3000\n",
        ]
        file.write_text("\n".join(lines))
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
