"""Connections to whatever Sentinels say is the primary."""

import copy
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.sentinel import Sentinel

from wigwag_server.store.redis_address import read_hosts

PORT = 26379
LOGIN = ("sentinel_username", "sentinel_password")


class Sentinels(Sentinel):
    """Those that are asked for the primary.

    The library moves the one that has answered to the front of a list that all callers share. Two that do so at once
    can put it there twice, in place of another one, which is then never asked again and never closed.
    """

    async def discover_master(self, service_name: str) -> tuple[str, int]:
        """Ask on a list of one's own. Raises RedisError."""
        mine = copy.copy(self)
        mine.sentinels = list(self.sentinels)
        found: tuple[str, int] = await Sentinel.discover_master(mine, service_name)  # redis-py leaves it untyped
        self.sentinels = mine.sentinels
        return found


class SentinelLink:
    """The primary of `redis+sentinel://user:password@host:port,host:port/service/0`.

    Each new connection asks the Sentinels who that is. One that meets a read-only replica, which was the primary
    before, is given up by the library. What the query says (`ssl_ca_certs`, say) is for Redis; `sentinel_username`
    and `sentinel_password` are for the Sentinels, to whom the same TLS applies.
    """

    def __init__(self, url: str, options: dict[str, Any]) -> None:
        """Read the URL; connect to nothing. Raises ValueError."""
        hosts = read_hosts(url, PORT, *LOGIN)
        service, database = (*hosts.path, "0")[:2] if hosts.path else ("", "0")
        if not hosts.addresses or not service or len(hosts.path) > 2 or not database.isdecimal():
            raise ValueError("name the Sentinels and the service: redis+sentinel://host:26379,host:26379/service/0")
        tls = {**hosts.tls_options, "ssl": True} if hosts.tls else {}
        login = {name.removeprefix("sentinel_"): hosts.extra.get(name) for name in LOGIN}
        self._sentinels = Sentinels(hosts.addresses, sentinel_kwargs={**options, **login, **tls})  # type: ignore[no-untyped-call]
        of_redis = {**options, **hosts.options, **tls, "db": int(database)}
        self._redis: Redis = self._sentinels.master_for(service, **of_redis)

    def at(self, key: str) -> Redis:  # noqa: ARG002 - every key is there
        """Return the primary."""
        return self._redis

    async def close(self) -> None:
        """Close every connection, also those to Sentinels, which the library leaves open."""
        await self._redis.aclose()
        await self._sentinels.aclose()
