"""A Redis Cluster of three primaries, and replicas of one of them where a test asks for some: real processes."""

import asyncio
from pathlib import Path
from typing import Any, Self

from redis.asyncio import Redis
from redis.crc import key_slot
from redis.exceptions import RedisError

from tests.support.certificates import Certificate
from tests.support.redis_server import RedisServer, free_port

SLOTS = 16384
PRIMARIES = 3


class RedisCluster:
    """`nodes` are the primaries, then the replicas, which are of the primary that has the environment `production`.

    With a certificate all of them talk to each other, and to wigwag, over TLS; tests still ask without.
    """

    def __init__(self, folder: Path, replicas: int = 0, certificate: Certificate | None = None) -> None:
        self._certificate = certificate
        self.nodes = [_node(folder / f"node-{n}", certificate) for n in range(PRIMARIES + replicas)]

    @property
    def url(self) -> str:
        """The store, by two of its nodes."""
        hosts = ",".join(f"127.0.0.1:{_port(node)}" for node in self.nodes[:2])
        if self._certificate is None:
            return f"redis+cluster://{hosts}"
        return f"rediss+cluster://{hosts}?{self._certificate.query}"

    def primary_of(self, environment: str) -> RedisServer:
        """Return the node that had an environment at the beginning."""
        return self.nodes[key_slot(f"wigwag:{{{environment}}}:state".encode()) * PRIMARIES // SLOTS]

    async def __aenter__(self) -> Self:
        """Start all of it, and wait until each node says that the whole is well."""
        for node in self.nodes:
            await node.start()
        ids = [await ask(node, "CLUSTER", "MYID") for node in self.nodes]
        for n, node in enumerate(self.nodes[:PRIMARIES]):
            first, last = -(-n * SLOTS // PRIMARIES), -(-(n + 1) * SLOTS // PRIMARIES) - 1
            await ask(node, "CLUSTER", "ADDSLOTSRANGE", first, last)
        for node in self.nodes[1:]:
            await ask(node, "CLUSTER", "MEET", "127.0.0.1", _port(self.nodes[0]), node_bus(self.nodes[0]))
        async with asyncio.timeout(30):
            for node in self.nodes:
                while not await self._well(node):
                    await asyncio.sleep(0.05)
            followed = ids[self.nodes.index(self.primary_of("production"))]
            for node in self.nodes[PRIMARIES:]:
                await ask(node, "CLUSTER", "REPLICATE", followed.decode())
                while b"master_link_status:up" not in await _info(node):
                    await asyncio.sleep(0.05)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop all of it."""
        for node in self.nodes:
            await node.stop(hard=True)

    async def _well(self, node: RedisServer) -> bool:
        try:
            said = bytes(await ask(node, "CLUSTER", "INFO"))
        except (RedisError, OSError):
            return False
        return b"cluster_state:ok" in said and f"cluster_known_nodes:{len(self.nodes)}".encode() in said


def _node(folder: Path, certificate: Certificate | None) -> RedisServer:
    options = {"cluster-enabled": "yes", "cluster-node-timeout": 1000, "cluster-port": free_port()}
    tls = {**certificate.of_redis(free_port()), "tls-cluster": "yes"} if certificate else {}
    return RedisServer(folder, {**options, "repl-diskless-sync-delay": 0, **tls})


def _port(node: RedisServer) -> int:
    """Return where a node is known to the others."""
    return int(str(node.options.get("tls-port", node.port)))


def node_bus(node: RedisServer) -> int:
    """Return the port at which the other nodes talk to this one."""
    return int(str(node.options["cluster-port"]))


async def ask(node: RedisServer, *words: Any) -> Any:
    """Send one command to one node."""
    async with Redis(port=node.port, socket_timeout=2) as redis:
        redis.response_callbacks.clear()  # as it comes
        return await redis.execute_command(*words)  # type: ignore[no-untyped-call]  # redis-py leaves it untyped


async def _info(node: RedisServer) -> bytes:
    return bytes(await ask(node, "INFO", "replication"))
