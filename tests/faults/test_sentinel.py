"""Redis fails over: by Sentinels under load, or to a replica that lags; and writes that have to be with a replica."""

import asyncio
import itertools
import shutil
import signal
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from redis.asyncio import Redis

from tests.support.proxy import Proxy, proxying
from tests.support.redis_server import RedisServer
from tests.support.restartable import RestartableServer
from tests.support.sentinels import Sentinels
from tests.support.server import running
from tests.support.waiting import until, until_async
from wigwag_proto.commit import Change
from wigwag_proto.errors import StoreUnavailable
from wigwag_proto.snapshot import Tables


@pytest.mark.long
async def test_a_failover_under_load_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    async with (
        Sentinels(tmp_path, replicas=2) as redis,
        proxying("127.0.0.1", redis.servers[0].port) as link,
    ):
        server = RestartableServer(tmp_path / "server", redis.url, "--redis-wait-replicas", "1")
        acknowledged: list[int] = []
        stopping, numbers = asyncio.Event(), itertools.count()

        async def write() -> None:
            while not stopping.is_set():
                number = next(numbers)
                if await server.ask("POST", f"/admin/flags/flag-{number}", json={"enabled": True}) == 201:
                    acknowledged.append(number)

        async with server:
            writing = asyncio.create_task(write())
            await until(lambda: len(acknowledged) > 20, "writes before it")
            # What is written from here on is at the primary alone.
            for replica in redis.servers[1:]:
                await follow(replica, link.port)
            link.go_quiet()
            number = next(numbers)
            if await server.ask("POST", f"/admin/flags/flag-{number}", json={"enabled": True}) == 201:
                acknowledged.append(number)
            # With the primary goes the only one that remembers: what counts is what its replicas have.
            await asyncio.gather(redis.servers[0].stop(hard=True), server.stop(hard=True))
            shutil.rmtree(server.folder)
            before = len(acknowledged)
            await server.start()
            await until(lambda: len(acknowledged) > before + 20, "writes after the failover")
            stopping.set()
            await writing
            missing = [n for n in acknowledged if await server.ask("GET", f"/admin/flags/flag-{n}") != 200]
            assert missing == []


async def follow(replica: RedisServer, port: int) -> None:
    """Have a replica follow its primary over another port."""
    async with replica.connection() as redis:
        await redis.replicaof("127.0.0.1", port)
        await until_async(lambda: _is_up(redis), "the replica to have it all")


async def _is_up(redis: Redis) -> bool:
    return bool((await redis.info("replication"))["master_link_status"] == "up")


@dataclass(frozen=True, slots=True)
class PutSearch:
    """What is there need not be put there again."""

    action: str = "flag.create"

    def __call__(self, records: Tables, revision: int, at: int) -> Sequence[Change]:  # noqa: ARG002
        """Return the change, if it is one."""
        return [] if "search" in records["flag"] else [Change("flag", "search", {"key": "search", "enabled": True})]


@dataclass(frozen=True, slots=True)
class Pair:
    """A primary and its replica, which is kept up to date over `link`; `front` leads the servers to one of them."""

    primary: RedisServer
    replica: RedisServer
    front: Proxy
    link: Proxy

    @property
    def url(self) -> str:
        """The store."""
        return f"redis://127.0.0.1:{self.front.port}/0"

    async def has_flag(self, key: str) -> bool:
        """Say whether the replica has a flag."""
        async with self.replica.connection() as redis:
            return bool(await redis.hexists("wigwag:{production}:records", f"flag/{key}"))

    async def fail_over(self) -> None:
        """Kill the primary, and promote what the replica has."""
        await self.primary.stop(hard=True)
        async with self.replica.connection() as redis:
            await redis.replicaof("NO", "ONE")
        self.front.retarget("127.0.0.1", self.replica.port)
        self.front.cut()


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Pair]:
    async with (
        RedisServer(tmp_path / "primary", {"repl-diskless-sync-delay": 0}) as primary,
        proxying("127.0.0.1", primary.port) as link,
        RedisServer(tmp_path / "replica", {"replicaof": f"127.0.0.1 {link.port}"}) as replica,
        proxying("127.0.0.1", primary.port) as front,
    ):
        async with primary.connection() as redis:
            await until_async(lambda: _has_replica(redis), "the replica")
        yield Pair(primary, replica, front, link)


async def _has_replica(redis: Redis) -> bool:
    replica = (await redis.info("replication")).get("slave0")
    return replica is not None and replica["state"] == "online"


@pytest.mark.parametrize("survives", [True, False])
async def test_what_the_new_primary_does_not_have_is_put_back_by_a_server_and_else_it_is_lost(
    pair: Pair, tmp_path: Path, survives: bool
) -> None:
    async with running(pair.url, data_dir=tmp_path / "one") as server:
        await server.put("kept", enabled=True)
        await until_async(lambda: pair.has_flag("kept"), "the flag at the replica")
        pair.link.go_quiet()
        await server.put("late", enabled=True)  # acknowledged, and nowhere but at the primary and in this server
        key = server.key
        if survives:
            await pair.fail_over()
            await until(lambda: server.services.environments["production"].degraded, "the loss")
            await until(lambda: not server.services.environments["production"].degraded, "the new primary")
    if not survives:
        await pair.fail_over()
    async with running(pair.url, data_dir=tmp_path / "two", key=key, patience_s=10) as fresh:
        flags = fresh.services.environments["production"].replica.records["flag"]
        assert set(flags) == ({"kept", "late"} if survives else {"kept"})


async def test_a_write_that_no_replica_has_is_not_acknowledged_nor_is_one_that_asks_for_the_same(
    pair: Pair, tmp_path: Path
) -> None:
    async with (
        running(pair.url, data_dir=tmp_path / "data", redis_wait_replicas=1) as server,
        server.client() as flags,
    ):
        await server.put("checkout", enabled=True)
        await until(lambda: flags.is_enabled("checkout"), "the flag")
        pair.replica.signal(signal.SIGSTOP)
        environment = server.services.environments["production"]
        for _ in range(2):
            with pytest.raises(StoreUnavailable, match="only 0 of 1 replicas"):
                await environment.commit(PutSearch(), timeout_s=0.6)
            # It is made, and everybody sees it; still nobody is told that it is safe, also when it is there already.
            await until(lambda: flags.is_enabled("search"), "the flag")
        assert (await server.ask("POST", "/admin/flags/checkout/kill")).status == 202
        await until(lambda: not flags.is_enabled("checkout"), "the kill")
        pair.replica.signal(signal.SIGCONT)
        await environment.commit(PutSearch())
        assert await pair.has_flag("search")
