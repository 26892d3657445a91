"""Redis fails over, as Sentinels decide; and a write that has to be with a replica before it counts."""

import asyncio
from pathlib import Path

import pytest

from tests.support.redis_server import RedisServer
from tests.support.sentinels import Sentinels
from tests.support.server import running
from tests.support.waiting import until


@pytest.mark.long
async def test_a_failover_under_load_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    async with (
        Sentinels(tmp_path) as redis,
        running(redis.url, data_dir=tmp_path / "one", redis_wait_replicas=1) as server,
        server.client() as flags,
    ):
        acknowledged: list[int] = []
        stopping = asyncio.Event()

        async def write() -> None:
            number = 0
            while not stopping.is_set():
                number += 1
                answer = await server.ask("POST", f"/admin/flags/flag-{number}", json={"enabled": True})
                if answer.status == 201:
                    acknowledged.append(number)

        writing = asyncio.create_task(write())
        await until(lambda: len(acknowledged) > 20, "writes before it")
        await redis.servers[0].stop(hard=True)
        before = len(acknowledged)
        # The only replica that is left has none of its own: writes wait for one, as they were told to.
        await until(lambda: server.services.system.degraded, "the loss to be noticed")
        await redis.servers[0].start()
        await until(lambda: len(acknowledged) > before + 20, "writes after the failover")
        stopping.set()
        await writing
        # Nobody who remembers is there any more: what counts is what the new primary has.
        await until(lambda: all(flags.is_enabled(f"flag-{n}") for n in acknowledged), "all of it in an app")
        url = redis.url
        async with running(url, data_dir=tmp_path / "two", key=server.key) as fresh:
            records = fresh.services.environments["production"].replica.records["flag"]
            assert {f"flag-{n}" for n in acknowledged} <= records.keys()


async def test_a_write_that_no_replica_takes_is_not_acknowledged_and_a_kill_goes_out_all_the_same(
    tmp_path: Path,
) -> None:
    async with (
        RedisServer(tmp_path / "redis") as redis,
        running(redis.url, data_dir=tmp_path / "data") as server,
        server.client() as flags,
    ):
        await server.put("checkout", enabled=True)
        key = server.key
        async with running(redis.url, data_dir=tmp_path / "other", key=key, redis_wait_replicas=1) as careful:
            killed = await careful.ask("POST", "/admin/flags/checkout/kill")
            assert killed.status == 202
            await until(lambda: not flags.is_enabled("checkout"), "the kill, which is in the store")
            refused = await careful.ask("POST", "/admin/flags/search", json={"enabled": True})
            assert refused.status == 503
            assert "not certain" in refused.body["detail"]
