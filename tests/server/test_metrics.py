"""`/metrics` tells the truth about the server and its store."""

import asyncio
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from tests.support.redis_server import RedisServer
from tests.support.server import Server, running
from tests.support.waiting import until


async def scraped(server: Server) -> dict[tuple[str, str], float]:
    """Return every sample by name and by its labels other than the environment, for production."""
    async with server.session.get(server.url + "/metrics") as response:
        assert response.status == 200
        text = await response.text()
    return {
        (sample.name, ",".join(v for k, v in sorted(sample.labels.items()) if k != "environment")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.labels.get("environment", "production") == "production"
    }


async def test_streams_deliveries_and_revisions_are_counted(server: Server) -> None:
    await server.put("checkout", enabled=True)
    async with server.client() as flags:
        await server.kill("checkout")
        await until(lambda: not flags.is_enabled("checkout"), "the kill")
        samples = await scraped(server)
    assert samples["wigwag_streams", ""] == 1
    assert samples["wigwag_streams_opened_total", "current"] == 1
    assert samples["wigwag_deliveries_total", ""] == 1
    assert samples["wigwag_revision", ""] == 2
    assert samples["wigwag_store_degraded", ""] == 0
    assert samples["wigwag_store_standing", "followed"] == 1
    assert samples["wigwag_task_failures_total", ""] == 0
    assert samples["wigwag_snapshots_encoded_total", ""] == 1


async def test_a_lost_store_and_an_emergency_show(own_redis: RedisServer, tmp_path: Path) -> None:
    async with running(own_redis.url, data_dir=tmp_path / "data") as server:
        await server.put("checkout", enabled=True)
        await own_redis.stop()
        environment = server.services.environments["production"]
        await until(lambda: environment.degraded, "the loss to be noticed")
        assert (await server.ask("POST", "/admin/flags/checkout/kill")).status == 202
        samples = await scraped(server)
        assert samples["wigwag_store_degraded", ""] == 1
        assert samples["wigwag_emergencies", ""] == 1
        assert samples["wigwag_state_age_seconds", ""] > 0


async def test_streams_are_sent_away_at_a_random_age_and_come_back(tmp_path: Path) -> None:
    store = f"sqlite:{tmp_path / 'f.db'}"
    async with running(store, heartbeat_s=0.05, max_connection_age_s=0.3) as server, server.client() as flags:
        await server.put("checkout", enabled=True)
        hub = server.services.hubs["production"]
        await until(lambda: sum(hub.counts.opened.values()) >= 3, "streams to be opened anew")
        await server.kill("checkout")
        await until(lambda: not flags.is_enabled("checkout"), "the kill")
        assert hub.counts.let_go == 0


async def test_snapshots_beyond_the_limit_are_put_off_with_a_spread_out_wait(tmp_path: Path) -> None:
    async with running(f"sqlite:{tmp_path / 'f.db'}") as server:
        await server.put("checkout", enabled=True)
        server.services.snapshots_sending = server.services.settings.limits.snapshots_at_once
        answers = await asyncio.gather(*(server.ask("GET", "/v1/snapshot", token=server.key) for _ in range(40)))
        assert {answer.status for answer in answers} == {503}
        assert len({answer.headers["Retry-After"] for answer in answers}) > 1
        server.services.snapshots_sending = 0
        many = await asyncio.gather(*(server.ask("GET", "/v1/snapshot", token=server.key) for _ in range(300)))
        assert {answer.status for answer in many} <= {200, 503}
        assert server.services.snapshots_sending == 0
        assert server.services.hubs["production"].counts.snapshots_encoded == 1
