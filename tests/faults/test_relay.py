"""Relays, their upstream and what lies between: killed, stopped, restarted, cut off, mute."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from pathlib import Path

import aiohttp
import pytest

from tests.support.proxy import proxying
from tests.support.redis_server import RedisServer
from tests.support.relays import HASTY, RelayProcess, relay_key, relaying
from tests.support.restartable import RestartableServer
from tests.support.server import running
from tests.support.waiting import until
from wigwag import FlagClient, Reason, Settings
from wigwag_proto.commit import Cursor

FAIL_SAFE_S = 3.0
FAST = Settings(cache_dir=None, patience=HASTY)


@pytest.fixture
async def central(tmp_path: Path) -> AsyncIterator[RestartableServer]:
    async with RestartableServer(tmp_path / "central", f"sqlite:{tmp_path / 'flags.db'}") as server:
        assert await server.ask("POST", "/admin/flags/checkout", json={"enabled": True}) == 201
        yield server


async def key_for_relays(central: RestartableServer) -> str:
    body = {"kind": "relay", "environments": ["production"]}
    status, made = await central._request("POST", "/admin/keys", json=body)
    assert status == 201
    return made["key"]


async def test_an_upstream_that_dies_is_not_noticed_behind_a_relay_and_followed_again_when_it_is_back(
    central: RestartableServer, tmp_path: Path
) -> None:
    async with RelayProcess(tmp_path / "relay", central.url, await key_for_relays(central)) as relay:
        async with relay.client(central.key) as flags:
            assert flags.is_enabled("checkout")
            await central.stop(hard=True)

            async def degraded() -> bool:
                status, body = await relay.readiness()
                assert status == 200
                return bool(body["environments"]["production"]["degraded"])

            while not await degraded():
                pass
            async with relay.client(central.key) as late:
                assert late.is_enabled("checkout")
                assert late.status.connected
            assert flags.status.connected
            await central.start()
            assert await central.ask("POST", "/admin/flags/checkout/kill") == 200
            await until(lambda: not flags.is_enabled("checkout"), "the kill")


@pytest.mark.parametrize("hard", [True, False])
async def test_a_relay_that_starts_while_its_upstream_is_away_serves_what_it_served_last(
    central: RestartableServer, tmp_path: Path, hard: bool
) -> None:
    async with RelayProcess(tmp_path / "relay", central.url, await key_for_relays(central)) as relay:
        async with relay.client(central.key) as flags:
            assert await central.ask("POST", "/admin/flags/checkout/kill") == 200
            await until(lambda: not flags.is_enabled("checkout"), "the kill")
            served = flags.status.cursor
        # No time for a copy to be written: what was served must be on the disk by then.
        await relay.stop(hard=hard)
        await central.stop(hard=True)
        await relay.start()
        async with relay.client(central.key) as flags:
            assert not flags.is_enabled("checkout")
            assert flags.status.cursor == served
            assert flags.status.age_s is None
            _, body = await relay.readiness()
            assert body["environments"]["production"]["degraded"]
            assert body["upstream"] == central.url
            await central.start()
            assert await central.ask("POST", "/admin/flags/checkout/revive") == 200
            await until(lambda: flags.is_enabled("checkout"), "the revival")


async def test_a_kill_goes_through_two_levels_of_relays_and_so_does_a_revoked_key(
    central: RestartableServer, tmp_path: Path
) -> None:
    key = await key_for_relays(central)
    async with RelayProcess(tmp_path / "upper", central.url, key) as upper:
        async with RelayProcess(tmp_path / "lower", upper.url, key) as lower:
            _, made = await central._request("POST", "/admin/keys", json={"kind": "server"})
            async with lower.client(central.key) as flags, lower.client(made["key"]) as other:
                await until(lambda: other.status.connected, "the new key to be known below")
                assert await central.ask("POST", "/admin/flags/checkout/kill") == 200
                await until(lambda: not flags.is_enabled("checkout"), "the kill")
                assert await central.ask("DELETE", f"/admin/keys/{made['id']}") == 204
                await until(lambda: not other.status.connected, "the end of its streams")
                assert flags.status.connected
                # The upper one may go, too: below, everything stays as it was.
                await upper.stop(hard=True)
                assert not flags.is_enabled("checkout")
                await upper.start()
                assert await central.ask("POST", "/admin/flags/checkout/revive") == 200
                await until(lambda: flags.is_enabled("checkout"), "the revival")


async def test_a_link_to_the_upstream_that_goes_quiet_trips_the_dead_mans_switch_behind_the_relay(
    tmp_path: Path,
) -> None:
    async with running(f"sqlite:{tmp_path / 'f.db'}", heartbeat_s=0.1) as central:
        await central.put("guarded", enabled=True, failSafeAfter=FAIL_SAFE_S)
        await central.put("plain", enabled=True)
        host, port = central.url.removeprefix("http://").split(":")
        async with proxying(host, int(port)) as proxy:
            url = f"http://127.0.0.1:{proxy.port}"
            key = await relay_key(central)
            async with (
                relaying(url, key, tmp_path / "relay", app_key=central.key, heartbeat_s=0.1) as relay,
                FlagClient(relay.url, central.key, settings=FAST) as flags,
            ):
                await until(lambda: flags.is_enabled("guarded"), "proof through the relay")
                proxy.go_quiet()
                await until(lambda: flags.explain("guarded").reason is Reason.FAIL_SAFE, "the switch")
                assert flags.status.connected
                assert flags.is_enabled("plain")
                async with FlagClient(relay.url, central.key, settings=FAST) as late:
                    assert late.explain("guarded").reason is Reason.FAIL_SAFE
                proxy.go_quiet(quiet=False)
                proxy.cut()
                await until(lambda: flags.is_enabled("guarded"), "proof")


async def test_what_is_proven_is_never_newer_behind_a_relay_than_at_its_upstream(tmp_path: Path) -> None:
    async with running(f"sqlite:{tmp_path / 'f.db'}", heartbeat_s=0.1) as central:
        key = await relay_key(central)
        async with (
            relaying(central.url, key, tmp_path / "upper", heartbeat_s=0.1) as upper,
            relaying(upper.url, key, tmp_path / "lower", heartbeat_s=0.1) as lower,
        ):
            # One process, one monotonic clock: the three can be held against each other.
            levels = [each.services.environments["production"] for each in (lower, upper, central)]
            for _ in range(10):
                before = levels[0].follower.proven_at
                await until(lambda: levels[0].follower.proven_at != before, "a later proof")  # noqa: B023
                proven = [each.follower.proven_at for each in levels]
                assert None not in proven
                assert proven == sorted(proven)  # type: ignore[type-var]


async def test_emergencies_pass_through_a_relay_and_are_kept_on_its_disk(
    own_redis: RedisServer, tmp_path: Path
) -> None:
    async with running(own_redis.url, data_dir=tmp_path / "central", heartbeat_s=0.2) as central:
        await central.put("checkout", enabled=True)
        await central.put("search", enabled=True)
        key = await relay_key(central)
        async with relaying(central.url, key, tmp_path / "relay", app_key=central.key, heartbeat_s=0.2) as relay:
            async with relay.client() as flags:
                assert flags.is_enabled("checkout")
                await own_redis.stop()
                for name in ("checkout", "search"):
                    assert (await central.ask("POST", f"/admin/flags/{name}/kill")).status == 202
                await until(lambda: not flags.is_enabled("search"), "the emergencies")
                assert not flags.is_enabled("checkout")
                assert (await central.ask("POST", "/admin/flags/search/revive")).status in (200, 202)
                await until(lambda: flags.is_enabled("search"), "the end of one of them")
                async with relay.client() as late:
                    assert not late.is_enabled("checkout")
                    assert late.is_enabled("search")
        # As if the relay had died: nobody is there to tell it again.
        nowhere = "http://127.0.0.1:9"
        async with (
            relaying(nowhere, key, tmp_path / "relay", app_key=central.key, patience_s=0) as relay,
            relay.client() as flags,
        ):
            assert not flags.is_enabled("checkout")
            assert flags.is_enabled("search")
        async with (
            relaying(central.url, key, tmp_path / "relay", app_key=central.key, heartbeat_s=0.2) as relay,
            relay.client() as flags,
        ):
            await own_redis.start()
            environment = relay.services.environments["production"]
            await until(lambda: not environment.replica.emergencies, "the emergency to be in the log")
            assert not flags.is_enabled("checkout")


async def test_a_relay_takes_no_state_that_is_older_than_the_one_it_served(tmp_path: Path) -> None:
    async with running(f"sqlite:{tmp_path / 'f.db'}", heartbeat_s=0.1) as central:
        await central.put("checkout", enabled=True)
        key = await relay_key(central)
        folder = tmp_path / "relay"
        async with relaying(central.url, key, folder) as relay:
            await central.kill("checkout")
            replica = relay.services.environments["production"].replica
            cursor = central.services.environments["production"].replica.cursor
            await until(lambda: replica.cursor == cursor, "the kill")
        # The copy is older than what was served, as after a crash; the journal is not, but for a line cut short.
        journal = folder / "production.journal"
        with journal.open("ab") as file:
            file.write(b'{"epoch":"1.a","com')
        (folder / "production.snapshot").unlink()
        async with relaying("http://127.0.0.1:9", key, folder, patience_s=0) as relay:
            assert relay.services.environments["production"].replica.cursor == cursor
            assert relay.services.catalogs["production"].records.flags["checkout"].kill is not None


async def test_a_client_that_knows_more_than_relay_and_upstream_is_heard_by_the_store(tmp_path: Path) -> None:
    async with running(f"sqlite:{tmp_path / 'f.db'}", heartbeat_s=0.1) as central:
        await central.put("checkout", enabled=True)
        key = await relay_key(central)
        async with relaying(central.url, key, tmp_path / "relay", app_key=central.key, heartbeat_s=0.1) as relay:
            replica = relay.services.environments["production"].replica
            assert replica.cursor is not None
            known = replica.cursor
            claimed = Cursor(known.epoch, known.revision + 50, "0123456789abcdef")
            async with relay.stream(Last_Event_ID=str(claimed)) as response:
                assert json.loads((await response.content.readuntil(b"\n\n")).split(b"data: ")[1])["cause"] == "ahead"
                # The store has lost it: a new history begins, which this client takes, too.
                await until(
                    lambda: replica.cursor is not None and replica.cursor.epoch.generation > known.epoch.generation,
                    "the new history at the relay",
                )


@pytest.mark.long
async def test_a_relay_that_is_killed_under_load_again_and_again_never_serves_an_older_state(
    central: RestartableServer, tmp_path: Path
) -> None:
    relay = RelayProcess(tmp_path / "relay", central.url, await key_for_relays(central))
    stopping = asyncio.Event()

    async def write() -> None:
        while not stopping.is_set():
            for rule in ("kill", "revive"):
                assert await central.ask("POST", f"/admin/flags/checkout/{rule}") == 200

    writing = asyncio.create_task(write())
    try:
        served = 0
        for more in (1, 20, 3, 50):
            await relay.start()
            async with aclosing(revisions(relay.url, central.key)) as told:
                for _ in range(more):
                    before, served = served, await anext(told)
                    assert served >= before
                await relay.stop(hard=True)
            await relay.start(upstream="http://127.0.0.1:9")
            async with aclosing(revisions(relay.url, central.key)) as told:
                assert await anext(told) >= served
                await relay.stop(hard=True)
    finally:
        stopping.set()
        await writing


async def revisions(url: str, key: str) -> AsyncGenerator[int]:
    """Tell the revision of every event with a state that a stream sends."""
    headers = {"Authorization": f"Bearer {key}"}
    async with aiohttp.ClientSession() as session, session.get(f"{url}/v1/stream", headers=headers) as response:
        async for line in response.content:
            if line.startswith(b"id: "):
                yield Cursor.parse(line.removeprefix(b"id: ").strip().decode()).revision
