"""Redis is there, but refuses or talks nonsense: what readers see, what writers are told, and that it heals."""

import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from tests.support.listening import listening
from tests.support.redis_server import RedisServer
from tests.support.server import Server, running
from tests.support.slow_proxy import SlowProxy
from tests.support.waiting import until, until_async
from wigwag import FlagClient
from wigwag_proto.codec import decode
from wigwag_server.admin import answers, kills
from wigwag_server.environment import Environment

PATIENCE_S = 0.4
PASSWORD = "of-the-tests"
PREFIX = "wigwag:{production}:"
KEYS = ("state", "records", "log")


@dataclass(slots=True)
class Scene:
    """A Redis, a connection to it that no trouble touches, a link to it, a server behind the link, and its client."""

    redis: Redis
    link: SlowProxy
    server: Server
    flags: FlagClient


Turn = Callable[[Scene], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Trouble:
    """How it comes and goes.

    `proven`: the state can still be read, so that the server knows that it is current. `made`: commands arrive, only
    their answers do not, so that a write that was answered with 503 may have been made.
    """

    name: str
    begin: Turn
    end: Turn
    proven: bool
    made: bool = False


def configured(name: str, value: str, without: str) -> Trouble:
    """Return the trouble that a setting of Redis makes, which only refuses writes."""
    return Trouble(
        f"{name} {value}",
        lambda scene: scene.redis.config_set(name, value),
        lambda scene: scene.redis.config_set(name, without),
        proven=True,
    )


def answering(data: bytes) -> Trouble:
    """Return the trouble of a Redis that answers everything with the same bytes."""

    async def begin(scene: Scene) -> None:
        scene.link.to_client = lambda _: data

    async def end(scene: Scene) -> None:
        scene.link.to_client = bytes
        scene.link.cut()

    return Trouble(f"answers {data!r}", begin, end, proven=False, made=True)


def of_wrong_type(name: str) -> Trouble:
    """Return the trouble of a key of ours that is something else."""

    async def begin(scene: Scene) -> None:
        await scene.redis.rename(PREFIX + name, PREFIX + name + ":aside")
        await scene.redis.set(PREFIX + name, "not ours")

    async def end(scene: Scene) -> None:
        await scene.redis.rename(PREFIX + name + ":aside", PREFIX + name)

    return Trouble(f"{name} is of another type", begin, end, proven=name == "log")


async def ask_for_a_password(scene: Scene) -> None:
    await scene.redis.config_set("requirepass", PASSWORD)
    for kind in ("normal", "pubsub"):
        await scene.redis.client_kill_filter(_type=kind, skipme=True)


async def ask_for_none(scene: Scene) -> None:
    await scene.redis.config_set("requirepass", "")


async def be_slow(scene: Scene) -> None:
    scene.link.delay_s = 0.7  # a command takes longer than the server waits for it


async def be_quick(scene: Scene) -> None:
    scene.link.delay_s = 0.0


TROUBLES = [
    configured("maxmemory", "1", "0"),
    configured("min-replicas-to-write", "1", "0"),
    of_wrong_type("state"),
    of_wrong_type("records"),
    of_wrong_type("log"),
    answering(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    answering(b"-ERR no\r\n"),
    # Well-formed, but not what a command of ours is ever answered with.
    answering(b":1\r\n"),
    answering(b"*0\r\n"),
    Trouble("asks for a password", ask_for_a_password, ask_for_none, proven=False),
    Trouble("answers too late", be_slow, be_quick, proven=False, made=True),
]


@contextmanager
def impatient() -> Iterator[None]:
    """Have writes and kills give up sooner than after 5 s and 1 s: those that are to be refused, no others."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kills, "KILL_TIMEOUT_S", PATIENCE_S)
        for commit in (answers.commit, Environment.commit):
            assert commit.__kwdefaults__ is not None
            patch.setitem(commit.__kwdefaults__, "timeout_s", PATIENCE_S)
        yield


@pytest.fixture
async def scene(own_redis: RedisServer, tmp_path: Path) -> AsyncIterator[Scene]:
    async with (
        own_redis.connection() as redis,
        listening(SlowProxy("127.0.0.1", own_redis.port)) as link,
        running(f"redis://127.0.0.1:{link.port}/0", data_dir=tmp_path / "data", settle_s=0.1) as server,
        server.client() as flags,
    ):
        await server.put("checkout", enabled=True)
        await server.put("search", enabled=True)
        await until(lambda: flags.is_enabled("search"), "the flags")
        yield Scene(redis, link, server, flags)


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: trouble.name)
async def test_flags_go_on_writes_are_refused_whole_kills_go_out_and_it_heals_by_itself(
    scene: Scene, trouble: Trouble
) -> None:
    server, flags = scene.server, scene.flags
    before = await stored(scene.redis)
    await trouble.begin(scene)
    if not trouble.proven:
        await until_async(lambda: _is_ready(server, False), "readiness to tell the truth")
    with impatient():
        edit = await server.ask("POST", "/admin/flags/checkout", json={"enabled": False})
        assert edit.status == 503
        assert edit.headers["Content-Type"].startswith("application/problem+json")
        kill = await server.ask("POST", "/admin/flags/search/kill")
    assert kill.status == 202, kill.body
    await until(lambda: not flags.is_enabled("search"), "the emergency")
    assert flags.is_enabled("checkout")
    assert flags.status.connected
    async with server.client() as late:
        assert late.is_enabled("checkout")
        await until(lambda: not late.is_enabled("search"), "the emergency in a new client")
    # Its state is proven to be the store's, or the server says that it is not.
    assert await _is_ready(server, trouble.proven)
    if trouble.made:
        await assert_whole(scene.redis)
    else:
        assert await stored(scene.redis) == before

    await trouble.end(scene)
    await until_async(lambda: _is_ready(server, True), "readiness")
    await until_async(lambda: _is_killed(server, "search"), "the commit of the kill")
    await server.put("checkout", enabled=False)
    await until(lambda: not flags.is_enabled("checkout"), "an edit")
    assert not flags.is_enabled("search")
    revision = await assert_whole(scene.redis)
    assert revision in ((4, 5) if trouble.made else (4,))
    await until(lambda: flags.status.revision == revision, "the last commit")
    assert server.services.tasks.failures == 0


async def test_a_redis_that_is_slow_but_answers_in_time_is_only_slow(scene: Scene) -> None:
    scene.link.delay_s = 0.05
    for enabled in (False, True):
        await scene.server.put("checkout", enabled=enabled)
        await until(lambda: scene.flags.is_enabled("checkout") is enabled, "the edit")  # noqa: B023
        assert await _is_ready(scene.server, True)
    await scene.server.kill("search")
    await until(lambda: not scene.flags.is_enabled("search"), "the kill")
    assert await assert_whole(scene.redis) == 5


async def test_a_write_that_a_paused_redis_takes_late_is_made_whole_or_not_at_all(
    scene: Scene, own_redis: RedisServer
) -> None:
    own_redis.signal(signal.SIGSTOP)
    with impatient():
        edit = await scene.server.ask("POST", "/admin/flags/checkout", json={"enabled": False})
        assert edit.status == 503
        kill = await scene.server.ask("POST", "/admin/flags/search/kill")
    assert kill.status == 202
    await until_async(lambda: _is_ready(scene.server, False), "readiness to tell the truth")
    assert scene.flags.is_enabled("checkout")
    own_redis.signal(signal.SIGCONT)
    await until_async(lambda: _is_ready(scene.server, True), "readiness")
    await until_async(lambda: _is_killed(scene.server, "search"), "the commit of the kill")
    revision = await assert_whole(scene.redis)
    assert revision in (3, 4)  # the edit was answered with 503: it may have been made
    await until(lambda: scene.flags.status.revision == revision, "the commits in the client")
    assert scene.flags.is_enabled("checkout") is (revision == 3)
    assert not scene.flags.is_enabled("search")


async def test_a_read_only_replica_takes_nothing_until_it_is_promoted_and_then_everything_goes_on(
    own_redis: RedisServer, tmp_path: Path
) -> None:
    async with (
        RedisServer(tmp_path / "replica") as replica_server,
        own_redis.connection() as primary,
        replica_server.connection() as replica,
        listening(SlowProxy("127.0.0.1", own_redis.port)) as link,
        running(f"redis://127.0.0.1:{link.port}/0", data_dir=tmp_path / "data", settle_s=0.1) as server,
        server.client() as flags,
    ):
        await primary.config_set("repl-diskless-sync-delay", "0")
        await replica.replicaof("127.0.0.1", str(own_redis.port))
        await server.put("checkout", enabled=True)
        await server.put("search", enabled=True)
        await until(lambda: flags.is_enabled("search"), "the flags")
        before = await stored(primary)
        await until_async(lambda: _holds(replica, before), "replication")
        # A failover in its first half: the address leads to what is still a replica.
        link.retarget("127.0.0.1", replica_server.port)
        link.cut()
        await own_redis.stop(hard=True)
        await until_async(lambda: _is_ready(server, False), "readiness to tell the truth")
        with impatient():
            edit = await server.ask("POST", "/admin/flags/checkout", json={"enabled": False})
            assert edit.status == 503
            assert (await server.ask("POST", "/admin/flags/search/kill")).status == 202
        await until(lambda: not flags.is_enabled("search"), "the emergency")
        assert flags.is_enabled("checkout")
        assert await stored(replica) == before
        # The second half.
        await replica.replicaof("NO", "ONE")
        await until_async(lambda: _is_ready(server, True), "readiness")
        await until_async(lambda: _is_killed(server, "search"), "the commit of the kill")
        await server.put("checkout", enabled=False)
        await until(lambda: not flags.is_enabled("checkout"), "an edit")
        assert not flags.is_enabled("search")
        assert await assert_whole(replica) == 4


async def stored(redis: Redis) -> Any:
    """Return state, records and log of the environment in Redis, also where a key was moved out of the way."""
    state, records, log = [
        PREFIX + name + (":aside" if await redis.exists(PREFIX + name + ":aside") else "") for name in KEYS
    ]
    return await redis.hgetall(state), await redis.hgetall(records), await redis.xrange(log)


async def assert_whole(redis: Redis) -> int:
    """See that state, log and records are of one revision, and that the log has no gap; return the revision."""
    state, records, log = await stored(redis)
    commits = [decode(fields[b"commit"]) for _, fields in log]
    revision = int(state[b"revision"])
    # After a settling the log begins anew, with what was committed since.
    assert [commit["revision"] for commit in commits] == list(range(revision - len(commits) + 1, revision + 1))
    assert [commit["prev"] for commit in commits[1:]] == [commit["head"] for commit in commits[:-1]]
    assert commits[-1]["head"] == state[b"head"].decode()
    latest = {
        f"{change['kind']}/{change['key']}": change["value"] for commit in commits for change in commit["changes"]
    }
    assert {name.decode(): decode(value) for name, value in records.items()} == latest
    return revision


async def _is_ready(server: Server, expected: bool) -> bool:
    return ((await server.ask("GET", "/readyz")).status == 200) is expected


async def _is_killed(server: Server, key: str) -> bool:
    return (await server.ask("GET", f"/admin/flags/{key}")).body["kill"] is not None


async def _holds(redis: Redis, expected: Any) -> bool:
    return bool(await stored(redis) == expected)
