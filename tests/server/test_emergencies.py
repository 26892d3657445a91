"""What becomes of emergencies in unlucky moments: asked of the object itself, on a real store, hub and file."""

import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.support.redis_server import RedisServer
from tests.support.server import Server, running
from tests.support.waiting import until, until_async
from wigwag import FlagClient, Reason
from wigwag_proto.codec import decode
from wigwag_proto.commit import Change
from wigwag_proto.snapshot import Tables
from wigwag_server.emergencies import Absorb, Emergencies
from wigwag_server.environment import Environment

WELL = {"key": "checkout", "enabled": True}
NOTHING: dict[str, Any] = {"emergencies": [], "calledOff": [], "lost": {}}


@dataclass(frozen=True, slots=True)
class Written:
    """Writes one record, whatever it holds."""

    action: ClassVar[str] = "test"

    kind: str
    key: str
    value: Any

    def __call__(self, records: Tables, revision: int, at: int) -> Sequence[Change]:  # noqa: ARG002
        return [Change(self.kind, self.key, self.value)]


@dataclass(slots=True)
class Scene:
    """A server whose flag `checkout` is on, a client that sees it, and the server's emergencies."""

    server: Server
    flags: FlagClient

    @property
    def environment(self) -> Environment:
        return self.server.services.environments["production"]

    @property
    def emergencies(self) -> Emergencies:
        return self.server.services.emergencies["production"]

    async def kill(self) -> Any:
        """Return what the log says of a kill of `checkout`."""
        return (await self.server.ask("GET", "/admin/flags/checkout")).body["kill"]

    async def set(self, kind: str, key: str, value: Any) -> None:
        """Write a record as it is, such as one that nobody can read."""
        await self.environment.commit(Written(kind, key, value))


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with running(f"sqlite:{tmp_path / 'f.db'}") as server, server.client() as flags:
        await server.put("checkout", enabled=True)
        await until(lambda: flags.is_enabled("checkout"), "the flag")
        yield Scene(server, flags)


async def test_a_kill_that_was_called_off_while_it_was_committed_is_lifted_again(scene: Scene) -> None:
    """The commit was under way, or its answer was lost: the log says killed, and the operator was told revived."""
    emergency, told = await scene.emergencies.declare(["checkout"], "ann", "fire")
    assert told == 1
    async with scene.environment._turn:  # the store is busy: the commit of the emergency waits
        await until(lambda: not scene.flags.is_enabled("checkout"), "the emergency")
        assert await scene.emergencies.call_off("checkout")
        await until(lambda: scene.flags.is_enabled("checkout"), "the revival")
        # And this one has got in before anybody knew.
        scene.environment._turn.release()
        await scene.environment.commit(Absorb((emergency,)))
        await scene.environment._turn.acquire()
    await until_async(lambda: _lifted(scene), "the kill to be lifted")
    await until(lambda: scene.flags.is_enabled("checkout"), "the flag")
    assert scene.server.services.tasks.failures == 0


async def test_a_flag_that_is_gone_by_then_stops_nothing(scene: Scene) -> None:
    await scene.emergencies.declare(["checkout"], "ann", "fire")
    await scene.emergencies.call_off("checkout")
    await scene.set("flag", "checkout", None)
    await scene.server.put("search", enabled=True)
    await scene.emergencies.declare(["search"], "ann", "fire")
    await until(lambda: not scene.emergencies._own, "the emergencies to be in the log")
    assert (await scene.server.ask("GET", "/admin/flags/search")).body["kill"]["reason"] == "fire"
    assert scene.server.services.tasks.failures == 0


async def test_records_that_cannot_be_read_let_go_of_no_kill(scene: Scene) -> None:
    await scene.set("absorption", "old", "{not json")
    await scene.set("flag", "checkout", "{not json")
    await scene.emergencies.declare(["checkout"], "ann", "fire")
    await until(lambda: not scene.emergencies._own, "the emergency to be in the log")
    assert (await scene.kill())["reason"] == "fire"
    await until(lambda: scene.flags.explain("checkout").reason is Reason.KILLED, "the kill")
    assert scene.server.services.tasks.failures == 0


async def test_a_kill_is_later_than_a_revival_by_a_server_whose_clock_is_ahead(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as ahead:
        now = time.time
        ahead.setattr(time, "time", lambda: now() + 3600)
        await scene.server.revive("checkout")
    async with scene.environment._turn:
        await scene.emergencies.declare(["checkout"], "ann", "fire")
        await until(lambda: not scene.flags.is_enabled("checkout"), "the emergency")
    await until(lambda: not scene.emergencies._own, "the emergency to be in the log")
    assert (await scene.kill())["reason"] == "fire"


async def test_kills_that_the_history_lost_stay_in_force_until_they_are_in_it_again(
    own_redis: RedisServer, tmp_path: Path
) -> None:
    """Also where the store goes away at that moment, and the server dies."""
    lost = {"by": "ann", "reason": "fire", "at": 1, "until": 4_000_000_000_000}
    data = tmp_path / "data"
    async with running(own_redis.url, data_dir=data) as server, server.client() as flags:
        key = server.key
        for flag in ("checkout", "search", "lifted"):
            await server.put(flag, enabled=True)
        await server.revive("lifted")
        await until(lambda: flags.is_enabled("lifted"), "the flags")
        await own_redis.stop()
        environment = server.services.environments["production"]
        await until(lambda: environment.degraded, "the loss to be noticed")
        overruled: Tables = {"flag": {name: {**WELL, "kill": lost} for name in ("checkout", "lifted", "gone")}}
        for hook in environment.on_overruled:
            hook(overruled)
        await until(lambda: not flags.is_enabled("checkout"), "the lost kill")
        assert flags.is_enabled("search")
        assert flags.is_enabled("lifted")
        file = data / "production.emergencies"
        await until(lambda: file.exists() and b"fire" in file.read_bytes(), "it to be on the disk")
    async with running(own_redis.url, data_dir=data, patience_s=0.1, key=key) as server, server.client() as flags:
        await until(lambda: not flags.is_enabled("checkout"), "the lost kill after a restart")
        await own_redis.start()
        emergencies = server.services.emergencies["production"]
        await until(lambda: not emergencies._own, "the emergencies to be over")
        assert (await server.ask("GET", "/admin/flags/checkout")).body["kill"] == lost
        assert not flags.is_enabled("checkout")
        assert flags.is_enabled("lifted")
        await server.revive("checkout")
        await until(lambda: flags.is_enabled("checkout"), "the revival")
        await until(lambda: decode(file.read_bytes()) == NOTHING, "the file to say so")


async def _lifted(scene: Scene) -> bool:
    return await scene.kill() is None and not scene.emergencies._too_late
