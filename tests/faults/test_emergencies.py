"""Kills while the store is what is on fire."""

import asyncio
import os
import signal
import time
from pathlib import Path

import pytest

from tests.support.proxy import proxying
from tests.support.redis_server import RedisServer
from tests.support.restartable import RestartableServer
from tests.support.server import Server, running
from tests.support.waiting import until, until_async
from wigwag import FlagClient, Reason, Settings
from wigwag_proto.follower import Pace


async def test_a_kill_without_the_store_is_in_force_at_once_and_committed_once_when_the_store_is_back(
    own_redis: RedisServer, tmp_path: Path
) -> None:
    async with running(own_redis.url, data_dir=tmp_path / "data") as server, server.client() as flags:
        await server.put("checkout", enabled=True)
        await server.put("search", enabled=True, tags=["payments"])
        await until(lambda: flags.is_enabled("search"), "the flags")
        await own_redis.stop()
        answer = await server.ask("POST", "/admin/flags/checkout/kill", json={"reason": "fire"})
        assert answer.status == 202
        assert answer.body["streams"] == 1
        assert answer.body["durable"] is True
        assert "other servers were not told" in answer.body["detail"]
        await until(lambda: not flags.is_enabled("checkout"), "the emergency")
        assert flags.is_enabled("search")
        async with server.client() as late:
            await until(lambda: not late.is_enabled("checkout"), "the emergency in a new client")
        assert (await server.ask("POST", "/admin/kill", json={"tags": ["payments"]})).status == 202
        await until(lambda: not flags.is_enabled("search"), "the second emergency")
        await own_redis.start()
        await until_async(lambda: _killed(server, "checkout"), "the commit")
        await until_async(lambda: _killed(server, "search"), "the commit")
        flag = (await server.ask("GET", "/admin/flags/checkout")).body
        assert flag["kill"]["reason"] == "fire"
        environment = server.services.environments["production"]
        await until(lambda: flags.status.cursor == str(environment.replica.cursor), "the commits in the client")
        assert flag["revision"] == 3
        assert flags.explain("checkout").reason is Reason.KILLED
        await server.revive("checkout")
        await until(lambda: flags.is_enabled("checkout"), "the revival: the emergency is over")
        assert not list(server.services.emergencies["production"]._own)


async def test_a_server_that_was_held_up_itself_kills_in_its_store(tmp_path: Path) -> None:
    async with RestartableServer(tmp_path, f"sqlite:{tmp_path / 'flags.db'}") as server:
        assert await server.ask("POST", "/admin/flags/checkout", json={"enabled": True}) == 201
        begun_at = time.monotonic()
        os.kill(server.pid, signal.SIGSTOP)
        killing = asyncio.create_task(server.ask("POST", "/admin/flags/checkout/kill"))
        await until(lambda: time.monotonic() - begun_at > 1.5 * Pace().degraded_after_s, "the proof to be old")
        os.kill(server.pid, signal.SIGCONT)
        assert await killing == 200


async def test_an_emergency_survives_the_death_of_its_server(own_redis: RedisServer, tmp_path: Path) -> None:
    async with RestartableServer(tmp_path / "server", own_redis.url) as server, server.client() as flags:
        assert await server.ask("POST", "/admin/flags/checkout", json={"enabled": True}) == 201
        await until(lambda: flags.is_enabled("checkout"), "the flag")
        await own_redis.stop()
        while await server.ask("GET", "/readyz") != 503:
            await asyncio.sleep(0.02)
        assert await server.ask("POST", "/admin/flags/checkout/kill") == 202
        await until(lambda: not flags.is_enabled("checkout"), "the emergency")
        await server.stop(hard=True)
        assert not flags.is_enabled("checkout")
        await server.start(ready=False)
        async with server.client() as late:
            await until(lambda: not late.is_enabled("checkout"), "the emergency after the restart")
        await own_redis.start()
        while await server.ask("GET", "/readyz") != 200:
            await asyncio.sleep(0.02)
        await until(lambda: flags.status.revision == 2, "the one commit")
        assert flags.explain("checkout").reason is Reason.KILLED
        assert await server.ask("POST", "/admin/flags/checkout/revive") == 200
        await until(lambda: flags.is_enabled("checkout"), "the revival")
        assert flags.status.revision == 3


async def test_an_emergency_is_kept_by_a_client_on_disk_and_when_it_moves_to_another_server(
    own_redis: RedisServer, tmp_path: Path
) -> None:
    async with (
        proxying("127.0.0.1", own_redis.port) as proxy,
        running(f"redis://127.0.0.1:{proxy.port}/0", data_dir=tmp_path / "one") as cut_off,
        running(own_redis.url, data_dir=tmp_path / "two") as other,
    ):
        host, port = cut_off.url.removeprefix("http://").split(":")
        settings = Settings(cache_dir=tmp_path / "cache", save_spacing_s=0.01)
        async with proxying(host, int(port)) as link:
            url = f"http://127.0.0.1:{link.port}"
            async with FlagClient(url, cut_off.key, settings=settings) as flags:
                await cut_off.put("checkout", enabled=True)
                await until(lambda: flags.is_enabled("checkout"), "the flag")
                proxy.refuse()
                proxy.cut()
                environment = cut_off.services.environments["production"]
                await until(lambda: environment.degraded, "the loss to be noticed")
                assert (await cut_off.ask("POST", "/admin/flags/checkout/kill")).status == 202
                await until(lambda: not flags.is_enabled("checkout"), "the emergency")
                # The same address now leads to a server that knows nothing of it.
                link.retarget(*other.url.removeprefix("http://").split(":"))
                link.cut()
                hub = other.services.hubs["production"]
                await until(lambda: len(hub.connections) == 1, "the stream to the other server")
                await other.put("search", enabled=True)
                await until(lambda: flags.is_enabled("search"), "a change of the other server")
                assert not flags.is_enabled("checkout")
            async with FlagClient(url, cut_off.key, settings=settings) as again:
                assert not again.is_enabled("checkout")
                proxy.refuse(refusing=False)
                await until_async(lambda: _killed(other, "checkout"), "the commit")
                await other.revive("checkout")
                await until(lambda: again.is_enabled("checkout"), "the revival")


async def test_an_emergency_whose_server_is_gone_for_good_ends_by_a_revive_on_another(
    own_redis: RedisServer, tmp_path: Path
) -> None:
    async with running(own_redis.url, data_dir=tmp_path / "two") as other:
        await other.put("checkout", enabled=True)
        async with proxying("127.0.0.1", own_redis.port) as proxy:
            store = f"redis://127.0.0.1:{proxy.port}/0"
            async with running(store, data_dir=tmp_path / "one", drain_s=0.0) as gone:
                host, port = gone.url.removeprefix("http://").split(":")
                async with proxying(host, int(port)) as link:
                    flags = FlagClient(f"http://127.0.0.1:{link.port}", other.key, settings=Settings(cache_dir=None))
                    await flags.start()
                    proxy.refuse()
                    proxy.cut()
                    environment = gone.services.environments["production"]
                    await until(lambda: environment.degraded, "the loss to be noticed")
                    assert (await gone.ask("POST", "/admin/flags/checkout/kill")).status == 202
                    listed = (await gone.ask("GET", "/admin/flags")).body
                    assert listed["emergencies"][0]["keys"] == ["checkout"]
                    await until(lambda: not flags.is_enabled("checkout"), "the emergency")
                    link.retarget(*other.url.removeprefix("http://").split(":"))
                    link.cut()
                    await until(lambda: flags.status.connected, "the other server")
                    assert not flags.is_enabled("checkout")
                    await other.revive("checkout")
                    await until(lambda: flags.is_enabled("checkout"), "the revival")
                    await flags.close()
                    # Should its server come back after all, what was revived stays revived.
                    proxy.refuse(refusing=False)
                    emergencies = gone.services.emergencies["production"]
                    await until(lambda: not emergencies._own, "the emergency to be absorbed")
                    assert not await _killed(other, "checkout")


async def test_an_emergency_that_was_called_off_is_never_committed_as_a_kill(
    own_redis: RedisServer, tmp_path: Path
) -> None:
    async with running(own_redis.url, data_dir=tmp_path / "data") as server, server.client() as flags:
        await server.put("checkout", enabled=True)
        await server.put("search", enabled=True)
        await until(lambda: flags.is_enabled("search"), "the flags")
        await own_redis.stop()
        assert (await server.ask("POST", "/admin/kill", json={"keys": ["checkout", "search"]})).status == 202
        await until(lambda: not flags.is_enabled("checkout") and not flags.is_enabled("search"), "the emergency")
        assert (await server.ask("POST", "/admin/flags/checkout/revive")).status == 200
        await until(lambda: flags.is_enabled("checkout"), "the revival")
        assert not flags.is_enabled("search")
        await own_redis.start()
        await until_async(lambda: _killed(server, "search"), "the commit of the other")
        assert not await _killed(server, "checkout")
        await until(lambda: flags.status.revision == 3, "one commit")
        assert flags.is_enabled("checkout")
        assert not flags.is_enabled("search")


@pytest.mark.parametrize("store", ["sqlite", "redis"])
async def test_several_flags_are_killed_in_one_revision(store: str, redis_server: RedisServer, tmp_path: Path) -> None:
    url = redis_server.url if store == "redis" else f"sqlite:{tmp_path / 'f.db'}"
    async with running(url, data_dir=tmp_path / "data") as server, server.client() as flags:
        for key, tags in (("a", ["payments"]), ("b", ["payments"]), ("c", []), ("d", [])):
            await server.put(key, enabled=True, tags=tags)
        await until(lambda: flags.is_enabled("d"), "the flags")
        answer = await server.ask("POST", "/admin/kill", json={"tags": ["payments"], "keys": ["c"], "reason": "x"})
        assert answer.status == 200
        assert {flag["key"]: flag["revision"] for flag in answer.body["flags"]} == {"a": 5, "b": 5, "c": 5}
        await until(lambda: not flags.is_enabled("a"), "the kill")
        assert [flags.is_enabled(key) for key in "abcd"] == [False, False, False, True]
        for body, status in (
            ({}, 422),
            ({"keys": "a"}, 422),
            ({"keys": ["a"], "colour": 1}, 422),
            ({"keys": ["a", "nope"]}, 404),
            ({"tags": ["nope"]}, 404),
        ):
            assert (await server.ask("POST", "/admin/kill", json=body)).status == status, body
        assert str(server.services.environments["production"].replica.cursor).split(":")[1] == "5"


async def test_an_edit_that_is_based_on_an_old_revision_is_refused_with_what_there_is_now(tmp_path: Path) -> None:
    async with running(f"sqlite:{tmp_path / 'f.db'}") as server:
        first = await server.ask("POST", "/admin/flags/checkout", json={"enabled": True})
        etag = first.headers["ETag"]
        assert etag == '"1"'
        mine = await server.ask("POST", "/admin/flags/checkout", json={"enabled": False}, headers={"If-Match": etag})
        assert mine.status == 200
        theirs = await server.ask("POST", "/admin/flags/checkout", json={"owner": "x"}, headers={"If-Match": etag})
        assert theirs.status == 412
        assert theirs.body["current"] == mine.body
        assert (
            await server.ask("DELETE", "/admin/flags/checkout?confirm=checkout", headers={"If-Match": etag})
        ).status == 412
        assert (
            await server.ask("DELETE", "/admin/flags/checkout?confirm=checkout", headers={"If-Match": "x"})
        ).status == 400
        new = await server.ask("POST", "/admin/flags/other", json={}, headers={"If-Match": '"1"'})
        assert new.status == 412
        assert (
            await server.ask("DELETE", "/admin/flags/checkout?confirm=checkout", headers={"If-Match": '"2"'})
        ).status == 204


async def _killed(server: Server, key: str) -> bool:
    return (await server.ask("GET", f"/admin/flags/{key}")).body["kill"] is not None
