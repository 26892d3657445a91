"""Connections to a Redis Cluster: for each key one to the node that has its slot.

All keys of an environment are in one slot, so an environment lives on one primary, as on a Redis of its own, and
nothing of the store has to know. Which node that is, each new connection asks; one that is told that the slot is
elsewhere is given up, as it would be where the node had died.
"""

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from redis.asyncio import Connection, ConnectionPool, Redis, SSLConnection
from redis.crc import key_slot
from redis.exceptions import AskError, ClusterDownError, ConnectionError, RedisError, TryAgainError  # noqa: A004

from wigwag_server.store.redis_address import Address, read_hosts

PORT = 6379
# Nodes that were heard of, beside those in the URL: more are not asked.
NODES = 100
# The slot is at another node, is being moved there, or is at none for the moment.
ELSEWHERE = (AskError, TryAgainError, ClusterDownError)
Owner = Callable[[], Awaitable[Address]]


class SlotConnection(Connection):
    """A connection to whoever has a slot at the moment when it is made."""

    def __init__(self, *, owner: Owner, **options: Any) -> None:
        self._owner = owner
        super().__init__(**options)

    async def connect(self) -> None:
        """Ask who has the slot, and connect to that node. Raises RedisError."""
        if not self.is_connected:
            self.host, self.port = await self._owner()
        await super().connect()  # type: ignore[no-untyped-call]  # redis-py leaves it untyped

    async def read_response(self, *args: Any, **options: Any) -> Any:
        """Read an answer. Raises RedisError, and ConnectionError where the slot is elsewhere."""
        try:
            return await super().read_response(*args, **options)
        except ELSEWHERE as error:
            await self.disconnect()
            raise ConnectionError(f"the slot is elsewhere: {error}") from error


class SlotConnectionTls(SlotConnection, SSLConnection):
    """The same over TLS."""


class ClusterLink:
    """The nodes of `redis+cluster://user:password@host:port,host:port`; any of them lead to all."""

    def __init__(self, url: str, options: dict[str, Any]) -> None:
        """Read the URL; connect to nothing. Raises ValueError."""
        hosts = read_hosts(url, PORT)
        if not hosts.addresses or any(each != "0" for each in hosts.path):
            raise ValueError(
                "name some of the nodes: redis+cluster://host:6379,host:6379 (a Cluster has database 0 only)"
            )
        self._options = {**options, **hosts.options}
        self._tls = hosts.tls
        self._nodes = {address: self._node(address) for address in hosts.addresses}
        self._order = list(self._nodes)
        self._slots: dict[int, Redis] = {}

    def at(self, key: str) -> Redis:
        """Return the node that has this key."""
        slot = key_slot(key.encode())
        if slot not in self._slots:

            async def owner() -> Address:
                return await self._owner(slot)

            kind = SlotConnectionTls if self._tls else SlotConnection
            self._slots[slot] = Redis.from_pool(ConnectionPool(connection_class=kind, owner=owner, **self._options))
        return self._slots[slot]

    async def close(self) -> None:
        """Close every connection."""
        for each in (*self._slots.values(), *self._nodes.values()):
            await each.aclose()

    async def _owner(self, slot: int) -> Address:
        """Ask one node after the other, beginning with the one that answered last. Raises ConnectionError."""
        why = ""
        for asked in list(self._order):
            try:
                ranges: Any = await self._nodes[asked].execute_command("CLUSTER", "SLOTS")  # type: ignore[no-untyped-call]
            except (RedisError, OSError) as error:
                why = f": {error}"
                continue
            self._learn(asked, ranges)
            found = owner_of(slot, ranges, asked)
            if found is not None:
                return found
        raise ConnectionError(f"no node of the cluster says who has slot {slot}{why}")

    def _learn(self, asked: Address, ranges: Any) -> None:
        for address in nodes_of(ranges, asked):
            if address not in self._nodes and len(self._nodes) < NODES:
                self._nodes[address] = self._node(address)
                self._order.append(address)
        self._order = [asked, *(each for each in self._order if each != asked)]

    def _node(self, address: Address) -> Redis:
        host, port = address
        return Redis(host=host, port=port, ssl=self._tls, **self._options)


def owner_of(slot: int, ranges: Any, asked: Address) -> Address | None:
    """Return who has a slot, in an answer to CLUSTER SLOTS; None where nobody has."""
    for first, last, primary, *_ in ranges:
        if first <= slot <= last:
            return _address(primary, asked)
    return None


def nodes_of(ranges: Any, asked: Address) -> Iterator[Address]:
    """Return all nodes that an answer to CLUSTER SLOTS names."""
    for _, _, *nodes in ranges:
        for node in nodes:
            if (address := _address(node, asked)) is not None:
                yield address


def _address(node: Any, asked: Address) -> Address | None:
    """Return where a node is; one that does not know its own address is at the one where it was asked."""
    host = node[0].decode() if isinstance(node[0], bytes) else node[0]
    return None if host == "?" else (host or asked[0], int(node[1]))
