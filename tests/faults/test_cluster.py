"""A node of a Redis Cluster dies under load."""

import asyncio
from pathlib import Path

import pytest

from tests.support.redis_cluster import RedisCluster
from tests.support.server import running
from tests.support.waiting import until


@pytest.mark.long
async def test_the_node_of_an_environment_dies_under_load_and_its_replica_goes_on_with_all_of_it(
    tmp_path: Path,
) -> None:
    async with (
        RedisCluster(tmp_path, replicas=1) as cluster,
        running(cluster.url, data_dir=tmp_path / "one") as server,
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
        await cluster.primary_of("production").stop(hard=True)
        before = len(acknowledged)
        await until(lambda: server.services.environments["production"].degraded, "the loss to be noticed")
        killed = await server.ask("POST", "/admin/flags/flag-1/kill")
        assert killed.status in (200, 202)
        await until(lambda: not flags.is_enabled("flag-1"), "the kill, which needs no store")
        await until(lambda: len(acknowledged) > before + 20, "writes after the failover")
        stopping.set()
        await writing
        wanted = {f"flag-{n}" for n in acknowledged}
        await until(lambda: all(flags.is_enabled(name) for name in wanted - {"flag-1"}), "all of it in an app")
        async with running(cluster.url, data_dir=tmp_path / "two", key=server.key, patience_s=10) as fresh:
            assert wanted <= fresh.services.environments["production"].replica.records["flag"].keys()
