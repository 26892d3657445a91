"""Redis goes away, comes back, loses messages: what servers and clients make of it."""

import asyncio
import re
import signal
from pathlib import Path

import aiohttp
import pytest
from redis.asyncio import Redis

from tests.support.proxy import proxying
from tests.support.redis_server import RedisServer
from tests.support.server import Server, running
from tests.support.waiting import until, until_async
from wigwag import FlagClient, Reason, Settings, Source
from wigwag_proto.commit import Cursor, Epoch
from wigwag_proto.follower import Standing
from wigwag_proto.snapshot import Snapshot
from wigwag_server import lifecycle
from wigwag_server.environment import Environment
from wigwag_server.settings import Listen
from wigwag_server.settings import Settings as ServerSettings

PUBLISHED = re.compile(rb"\$7\r\nmessage\r\n")


async def test_a_kill_arrives_although_its_published_message_is_thrown_away(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    thrown_away: list[bytes] = []

    def throw_away(data: bytes) -> bytes:
        if PUBLISHED.search(data):
            thrown_away.append(data)
            return b""
        return data

    async with proxying("127.0.0.1", redis_server.port) as proxy:
        behind = f"redis://127.0.0.1:{proxy.port}/0"
        async with (
            running(redis_server.url, data_dir=tmp_path / "one") as one,
            running(behind, data_dir=tmp_path / "two") as two,
            two.client() as flags,
        ):
            await one.put("checkout", enabled=True)
            await until(lambda: flags.is_enabled("checkout"), "the flag")
            follower = two.services.environments["production"].follower
            for kill in range(3):
                proxy.to_client = throw_away
                missed, before = follower.missed, len(thrown_away)
                await one.kill("checkout")
                await until(lambda: not flags.is_enabled("checkout"), f"kill {kill}")
                # More than one each where the message of the revival before was late, and met the same end.
                assert len(thrown_away) > before
                assert follower.missed > missed
                proxy.to_client = bytes
                await one.revive("checkout")
                await until(lambda: flags.is_enabled("checkout"), f"revival {kill}")


async def test_defect_a_kill_through_a_server_that_is_behind_keeps_the_edit_that_it_has_not_seen(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    async with proxying("127.0.0.1", redis_server.port) as proxy:
        proxy.to_client = lambda data: b"" if PUBLISHED.search(data) else data
        async with (
            running(redis_server.url, data_dir=tmp_path / "one") as one,
            running(f"redis://127.0.0.1:{proxy.port}/0", data_dir=tmp_path / "two") as two,
        ):
            await one.put("checkout", enabled=True)
            await until_async(lambda: _has(two, "checkout"), "the flag on the other server")
            behind = 0
            for edit in range(5):
                await one.put("checkout", enabled=True, description=f"edit {edit}")
                cursors = {each.services.environments["production"].replica.cursor for each in (one, two)}
                behind += len(cursors) - 1
                killed = await two.kill("checkout")
                assert (killed["description"], killed["kill"] is not None) == (f"edit {edit}", True)
                assert (await two.revive("checkout"))["description"] == f"edit {edit}"
            assert behind > 0


async def _has(server: Server, key: str) -> bool:
    return (await server.ask("GET", f"/admin/flags/{key}")).status == 200


async def test_a_muted_subscription_is_replaced_by_one_that_hears(redis_server: RedisServer, tmp_path: Path) -> None:
    """The link of the subscription is black-holed, while commands on other connections work."""
    subscriptions = 0

    def forget_the_first(data: bytes) -> bytes:
        nonlocal subscriptions
        if b"SUBSCRIBE" in data:
            subscriptions += 1
        return data

    def mute_the_first(data: bytes) -> bytes:
        return b"" if PUBLISHED.search(data) and subscriptions <= 2 else data

    async with proxying("127.0.0.1", redis_server.port) as proxy:
        proxy.to_server, proxy.to_client = forget_the_first, mute_the_first
        async with (
            running(redis_server.url, data_dir=tmp_path / "one") as one,
            running(f"redis://127.0.0.1:{proxy.port}/0", data_dir=tmp_path / "two") as two,
        ):
            follower = two.services.environments["production"].follower
            await one.put("checkout", enabled=True)
            await until(lambda: subscriptions > 2, "a new subscription")
            missed = follower.missed
            await until(lambda: not follower.degraded(asyncio.get_running_loop().time()), "a proven state")
            await one.kill("checkout")
            cursor = one.services.environments["production"].replica.cursor
            await until(lambda: two.services.environments["production"].replica.cursor == cursor, "the kill")
            assert follower.missed in (missed, missed + 1)


async def test_redis_closing_the_subscription_is_noticed_and_mended(redis_server: RedisServer, tmp_path: Path) -> None:
    async with (
        running(redis_server.url, data_dir=tmp_path / "one") as one,
        running(redis_server.url, data_dir=tmp_path / "two") as two,
        two.client() as flags,
        redis_server.connection() as redis,
    ):
        await one.put("checkout", enabled=True)
        await until(lambda: flags.is_enabled("checkout"), "the flag")
        for _ in range(3):
            await redis.client_kill_filter(_type="pubsub")
            await one.kill("checkout")
            await until(lambda: not flags.is_enabled("checkout"), "the kill")
            await one.revive("checkout")
            await until(lambda: flags.is_enabled("checkout"), "the revival")
        follower = two.services.environments["production"].follower
        await until(lambda: follower.last_error is None, "a proof")


async def test_while_redis_is_away_flags_are_served_and_writes_are_refused_whole(
    own_redis: RedisServer, tmp_path: Path
) -> None:
    async with running(own_redis.url, data_dir=tmp_path / "data") as server, server.client() as flags:
        await server.put("checkout", enabled=True)
        await until(lambda: flags.is_enabled("checkout"), "the flag")
        await own_redis.stop()
        await until_async(lambda: _not_ready(server), "readiness to tell the truth")
        answer = await server.ask("POST", "/admin/flags/checkout", json={"enabled": False})
        assert answer.status == 503
        assert answer.headers["Content-Type"].startswith("application/problem+json")
        assert flags.is_enabled("checkout")
        async with server.client() as late:
            assert late.is_enabled("checkout")
            assert late.status.source is Source.STREAM
        await own_redis.start()
        await until_async(lambda: _ready(server), "readiness")
        await server.kill("checkout")
        await until(lambda: not flags.is_enabled("checkout"), "the kill")


async def test_a_kill_made_while_a_server_could_not_see_redis_is_in_force_after_it_can(
    own_redis: RedisServer, tmp_path: Path
) -> None:
    async with (
        proxying("127.0.0.1", own_redis.port) as proxy,
        running(own_redis.url, data_dir=tmp_path / "one") as one,
        running(f"redis://127.0.0.1:{proxy.port}/0", data_dir=tmp_path / "two") as two,
        two.client() as flags,
    ):
        await one.put("checkout", enabled=True)
        await until(lambda: flags.is_enabled("checkout"), "the flag")
        proxy.refuse()
        proxy.cut()
        environment = two.services.environments["production"]
        await until(lambda: environment.degraded, "the loss to be noticed")
        await one.kill("checkout")
        assert flags.is_enabled("checkout")
        proxy.refuse(refusing=False)
        await until(lambda: not flags.is_enabled("checkout"), "the kill")


async def test_redis_killed_and_started_again_loses_nothing(own_redis: RedisServer, tmp_path: Path) -> None:
    async with running(own_redis.url, data_dir=tmp_path / "data") as server, server.client() as flags:
        for round_number in range(3):
            await server.put(f"f{round_number}", enabled=True)
            await own_redis.stop(hard=True)
            await own_redis.start()
            await until_async(lambda: _ready(server), "readiness")
            await server.put(f"g{round_number}", enabled=True)
        await until(lambda: flags.status.revision == 6, "all changes")
        assert all(flags.is_enabled(f"{kind}{number}") for kind in "fg" for number in range(3))


@pytest.mark.parametrize("restart", [True, False])
async def test_a_redis_that_comes_back_empty_gets_everything_back_and_is_never_served_as_no_flags(
    own_redis: RedisServer, tmp_path: Path, restart: bool
) -> None:
    async with running(own_redis.url, data_dir=tmp_path / "data") as server, server.client() as flags:
        await server.put("checkout", enabled=True)
        before = await server.kill("checkout")
        await server.put("search", enabled=True)
        await until(lambda: flags.is_enabled("search"), "the flag")
        cursor = flags.status.cursor
        seen: list[str] = []
        flags.on_change(lambda change: seen.append(change.key))
        environment = server.services.environments["production"]
        if restart:
            await own_redis.stop(hard=True)
            own_redis.forget()
            await own_redis.start()
        else:
            await own_redis.flush()
        await until(lambda: environment.follower.standing is Standing.SETTLING, "the loss to be noticed")
        assert not await _ready(server)
        assert flags.is_enabled("search")
        async with server.client() as late:
            assert late.is_enabled("search")
        await until_async(lambda: _ready(server), "readiness")
        assert (await server.ask("GET", "/admin/flags/checkout")).body == before
        assert position(environment.replica.cursor) == (cursor or "").split(":")[1:]
        await server.put("later", enabled=True)
        await until(lambda: flags.is_enabled("later"), "the change after it")
        assert seen == ["later"]
        async with running(own_redis.url, data_dir=tmp_path / "other", key=server.key) as other:
            assert len((await other.ask("GET", "/admin/flags")).body["flags"]) == 3


async def test_records_that_redis_has_evicted_are_put_back_and_are_never_served_as_no_flags(
    own_redis: RedisServer, tmp_path: Path
) -> None:
    """A Redis that is set up as a cache throws away keys as it likes: the state may stay, and its records go."""
    records = "wigwag:{production}:records"
    async with (
        running(own_redis.url, data_dir=tmp_path / "data") as server,
        server.client() as flags,
        own_redis.connection() as redis,
    ):
        await server.put("checkout", enabled=True)
        await server.put("search", enabled=True)
        await server.kill("checkout")
        await until(lambda: flags.status.revision == 3, "the flags")
        held = await redis.hgetall(records)
        for lose in (redis.delete(records), redis.hdel(records, "flag/search")):
            await lose
            await until_async(lambda: _holds(redis, records, held), "the records to be put back")
            await until_async(lambda: _ready(server), "readiness")
            async with running(own_redis.url, data_dir=tmp_path / "other", key=server.key) as other:
                assert len((await other.ask("GET", "/admin/flags")).body["flags"]) == 2
            assert flags.is_enabled("search")
            assert not flags.is_enabled("checkout")
        await server.put("later", enabled=True)
        await until(lambda: flags.is_enabled("later"), "the change after it")


async def test_records_that_nobody_holds_any_more_are_a_new_beginning_and_apps_keep_what_they_have(
    own_redis: RedisServer, tmp_path: Path
) -> None:
    store = own_redis.url
    async with running(store, data_dir=tmp_path / "data") as server:
        key = server.key
        await server.put("checkout", enabled=True)
        async with server.client(cache_dir=tmp_path / "cache") as flags:
            await until(lambda: flags.is_enabled("checkout"), "the flag")
        address = server.url
    async with own_redis.connection() as redis:
        await redis.delete("wigwag:{production}:records")
    port = int(address.rpartition(":")[2])
    async with (
        running(store, port=port, data_dir=tmp_path / "new", key=key) as server,
        server.client(cache_dir=tmp_path / "cache") as flags,
    ):
        await until_async(lambda: _ready(server), "readiness")
        cursor = server.services.environments["production"].replica.cursor
        assert cursor is not None
        assert cursor.revision == 0
        await until(lambda: flags.status.connected, "the stream")
        assert flags.is_enabled("checkout")


async def test_a_write_that_meets_another_history_first_does_not_take_everything_for_overruled(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    """A server that was cut off learns of it by its own write: the history that it meets began with what it holds."""
    async with running(redis_server.url, data_dir=tmp_path / "data") as server:
        environment = server.services.environments["production"]
        overruled: list[object] = []
        environment.on_overruled.append(overruled.append)
        for number in range(5):
            await server.put("checkout", enabled=True)
            cursor = environment.replica.cursor
            assert cursor is not None
            generation = cursor.epoch.generation + 1
            await environment._store.renew("production", cursor, Epoch(generation, f"n{number}"))
            await server.put("checkout", enabled=False)
        assert environment.replica.cursor is not None
        assert environment.replica.cursor.epoch.nonce == "n4"
        assert not overruled


async def test_a_redis_that_comes_back_older_goes_on_from_the_newest_that_any_server_holds(
    own_redis: RedisServer, tmp_path: Path
) -> None:
    async with (
        running(own_redis.url, data_dir=tmp_path / "one") as one,
        running(own_redis.url, data_dir=tmp_path / "two") as two,
        two.client() as flags,
    ):
        await one.put("checkout", enabled=True)
        copy = await own_redis.copy()
        await one.kill("checkout")
        await one.put("search", enabled=True)
        await until(lambda: flags.is_enabled("search"), "the changes")
        cursor = flags.status.cursor
        await own_redis.stop(hard=True)
        own_redis.restore(copy)
        await own_redis.start()
        for server in (one, two):
            await until_async(lambda: _ready(server), "readiness")  # noqa: B023
            held = server.services.environments["production"].replica.cursor
            assert position(held) == (cursor or "").split(":")[1:]
        assert not flags.is_enabled("checkout")
        await two.put("later", enabled=True)
        await until(lambda: flags.is_enabled("later"), "the change after it")


async def test_what_a_history_lost_is_overruled_but_its_kills_are_applied_again(
    own_redis: RedisServer, tmp_path: Path
) -> None:
    """One server is cut off while Redis goes back and goes on without it: two histories of the same epoch."""
    async with (
        proxying("127.0.0.1", own_redis.port) as proxy,
        running(own_redis.url, data_dir=tmp_path / "one") as one,
        running(f"redis://127.0.0.1:{proxy.port}/0", data_dir=tmp_path / "two") as two,
        two.client() as flags,
        one.client() as others,
    ):
        await one.put("checkout", enabled=True)
        await one.put("search", enabled=True)
        copy = await own_redis.copy()
        proxied = two.services.environments["production"]
        await until(lambda: flags.is_enabled("search"), "the flags")
        one_away = one.services.environments["production"]
        await two.kill("checkout")
        await two.put("search", enabled=False)
        await until(lambda: not others.is_enabled("search"), "the edit")
        # `one` forgets what it saw since: as if it had been started from an older disk after `two` was cut off.
        proxy.refuse()
        proxy.cut()
        await own_redis.stop(hard=True)
        await rewind(one_away)
        own_redis.restore(copy)
        await own_redis.start()
        await until_async(lambda: _ready(one), "readiness")
        await one.put("checkout", enabled=True, description="went on")
        await one.put("third", enabled=True)
        await one.put("fourth", enabled=True)
        assert flags.is_enabled("search") is False
        proxy.refuse(refusing=False)
        await until(lambda: flags.is_enabled("fourth"), "the store's history")
        assert flags.is_enabled("search")
        await until_async(lambda: _killed(one, "checkout"), "the kill to be applied again")
        await until(lambda: not flags.is_enabled("checkout") and not others.is_enabled("checkout"), "the kill")
        epoch = proxied.replica.cursor.epoch if proxied.replica.cursor else None
        assert flags.explain("checkout").reason is Reason.KILLED
        assert epoch is not None
        assert str(epoch) in (flags.status.cursor or "")
        await until(lambda: others.status.cursor == flags.status.cursor, "both servers' clients to agree")


def position(cursor: Cursor | None) -> list[str]:
    """Return revision and head: a settling begins a new history with the state as it was."""
    return str(cursor).split(":")[1:]


async def rewind(environment: Environment) -> None:
    """Make a server forget its last two commits, as a start from an older disk would."""
    replica = environment.replica
    assert replica.cursor is not None
    flags = {key: {**flag, "kill": None, "enabled": True} for key, flag in replica.records["flag"].items()}
    head = next(head for revision, head in replica._heads.items() if revision == replica.cursor.revision - 2)
    older = Cursor(replica.cursor.epoch, replica.cursor.revision - 2, head)
    replica.cursor = None
    replica.load(Snapshot(environment.name, older, replica.at, {"flag": flags}))


async def test_a_server_that_starts_while_redis_is_down_serves_its_own_last_copy(
    own_redis: RedisServer, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    async with running(own_redis.url, data_dir=data) as server:
        key = server.key
        await server.put("checkout", enabled=True)
    await own_redis.stop()
    async with running(own_redis.url, data_dir=data, patience_s=0.1, key=key) as server, server.client() as flags:
        assert flags.is_enabled("checkout")
        assert flags.status.source is Source.STREAM
        assert flags.status.age_s is None
        assert (await server.ask("GET", "/readyz", token=None)).status == 503
        await own_redis.start()
        await until_async(lambda: _ready(server), "readiness")
        await server.kill("checkout")
        await until(lambda: not flags.is_enabled("checkout"), "the kill")


async def test_a_server_that_starts_without_its_store_says_what_is_wrong_and_when_it_is_well(
    own_redis: RedisServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    await own_redis.stop()
    settings = ServerSettings(listen=Listen(port=0), store=own_redis.url, data_dir=tmp_path / "new", patience_s=0.1)
    async with lifecycle.running(settings):
        await until(lambda: "production cannot follow the store yet: " in caplog.text, "the warning")
        await own_redis.start()
        await until(lambda: "production follows the store" in caplog.text, "the good news")
        assert caplog.text.count("production cannot follow the store yet") == 1


async def test_a_server_that_knows_no_keys_yet_refuses_nobody_for_good(own_redis: RedisServer, tmp_path: Path) -> None:
    """A fresh server process that starts while Redis is away: a 401 would keep clients away for minutes."""
    async with running(own_redis.url, data_dir=tmp_path / "data") as server:
        key = server.key
        await server.put("checkout", enabled=True)
    await own_redis.stop()
    settings = ServerSettings(listen=Listen(port=0), store=own_redis.url, data_dir=tmp_path / "new", patience_s=0.1)
    async with lifecycle.running(settings) as fresh, aiohttp.ClientSession() as session:
        for path in ("/v1/snapshot", "/v1/stream"):
            async with session.get(fresh.url + path, headers={"Authorization": f"Bearer {key}"}) as response:
                assert response.status == 503
                assert response.headers["Retry-After"]
        async with FlagClient(fresh.url, key, settings=Settings(cache_dir=None)) as flags:
            assert not flags.is_enabled("checkout")
            await own_redis.start()
            await until(lambda: flags.is_enabled("checkout"), "the flag")


async def test_a_flag_that_is_damaged_in_redis_keeps_its_last_good_version_and_can_be_mended(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    async with running(redis_server.url, data_dir=tmp_path / "one") as server:
        for key in ("a", "b", "c", "good"):
            await server.put(key, enabled=True)
        async with redis_server.connection() as redis:
            for key in ("a", "b", "c"):
                await redis.hset("wigwag:{production}:records", f"flag/{key}", "{not json")
        async with running(redis_server.url, data_dir=tmp_path / "two", key=server.key) as second:
            async with second.client() as flags:
                assert flags.is_enabled("good")
                assert set(flags.status.unreadable) == {"a", "b", "c"}
                await second.kill("a")
                await second.put("b", enabled=True)
                assert (await second.ask("DELETE", "/admin/flags/c?confirm=c")).status == 204
                await until(lambda: flags.is_enabled("b"), "the flag that was written anew")
                assert flags.explain("a").reason is Reason.KILLED
                await until(lambda: not flags.status.unreadable, "everything to be readable")


async def test_a_paused_redis_resolves_a_write_whose_answer_was_lost(own_redis: RedisServer, tmp_path: Path) -> None:
    async with running(own_redis.url, data_dir=tmp_path / "data") as server:
        await server.put("checkout", enabled=True)
        own_redis.signal(signal.SIGSTOP)
        write = asyncio.ensure_future(server.ask("POST", "/admin/flags/checkout", json={"owner": "me"}))
        environment = server.services.environments["production"]
        await until(lambda: environment.degraded, "the pause to be noticed")
        own_redis.signal(signal.SIGCONT)
        answer = await write
        assert answer.status == 200
        assert answer.body["revision"] == 2
        await until_async(lambda: _ready(server), "readiness")
        assert (await server.ask("GET", "/admin/flags/checkout")).body["revision"] == 2


async def test_a_redis_that_is_busy_for_seconds_delays_nothing_but_edits(tmp_path: Path) -> None:
    options = {"enable-debug-command": "local"}
    async with (
        RedisServer(tmp_path / "redis", options) as redis,
        running(redis.url, data_dir=tmp_path / "data") as server,
    ):
        await server.put("checkout", enabled=True)
        async with server.client() as flags, redis.connection() as connection:
            sleep = connection.execute_command("DEBUG", "SLEEP", "4")  # type: ignore[no-untyped-call]  # redis-py's
            busy = asyncio.ensure_future(sleep)
            environment = server.services.environments["production"]
            await until(lambda: environment.degraded, "the silence to be noticed")
            assert flags.is_enabled("checkout")
            assert not await _ready(server)
            killed = await server.ask("POST", "/admin/flags/checkout/kill")
            assert killed.status == 202
            await until(lambda: not flags.is_enabled("checkout"), "the emergency")
            await busy
            await until_async(lambda: _killed(server, "checkout"), "the kill in the store")
            await until_async(lambda: _ready(server), "readiness")
            assert not flags.is_enabled("checkout")


async def _ready(server: Server) -> bool:
    return (await server.ask("GET", "/readyz", token=None)).status == 200


async def _holds(redis: Redis, name: str, expected: object) -> bool:
    return bool(await redis.hgetall(name) == expected)


async def _not_ready(server: Server) -> bool:
    return not await _ready(server)


async def _killed(server: Server, key: str) -> bool:
    return (await server.ask("GET", f"/admin/flags/{key}")).body["kill"] is not None
