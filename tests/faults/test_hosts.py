"""Two regions of real hosts: partitions between them, loss in one direction, and 100 ms on every link.

Region A has Redis, a server and an app; region B a server and an app. `here`, the operator, reaches both. A relay of
region A stands apart.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest
import pytest_asyncio

from tests.support.host_processes import FarApp, FarServer, app_on, redis_on, relay_on, server_on
from tests.support.hosts import Switch, hosts
from tests.support.waiting import until, until_async

pytestmark = [pytest.mark.long, pytest.mark.timeout(180), pytest.mark.asyncio(loop_scope="module")]

REGION_A = {"redis", "server-a", "app-a"}
REGION_B = {"server-b", "app-b"}
KILLS = 10
NUMBERS = count()


@dataclass(frozen=True, slots=True)
class World:
    """Both regions, and the links between their hosts."""

    switch: Switch
    a: FarServer
    b: FarServer
    app_a: FarApp
    app_b: FarApp
    key: str  # of an app

    @property
    def apps(self) -> tuple[FarApp, FarApp]:
        """Both apps."""
        return self.app_a, self.app_b

    async def fresh(self) -> list[str]:
        """Mend all links, wait until all is well, and return flags that nobody has killed."""
        self.switch.everywhere(cut=False, loss=0.0, delay_s=0.0)
        for server in (self.a, self.b):
            await server.ready()
        keys = [f"flag-{next(NUMBERS)}" for _ in range(KILLS)]
        for key in keys:
            assert (await self.a.ask("POST", f"/admin/flags/{key}", json={"enabled": True}))[0] == 201
        await self.agree()
        for app in self.apps:
            await app.follows()
            app.sources = ["stream"]
        return keys

    async def agree(self) -> None:
        """Wait until both servers and both apps are at one state."""

        async def one_state() -> bool:
            cursors = {(await server.ask("GET", "/admin/flags"))[1]["cursor"] for server in (self.a, self.b)}
            return len(cursors | {app.cursor for app in self.apps}) == 1

        await until_async(one_state, "one state everywhere", 60.0)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """Two regions. Each test begins with `fresh`."""
    tmp_path = tmp_path_factory.mktemp("hosts")
    with hosts(*sorted(REGION_A | REGION_B | {"relay"})) as switch:
        switch.start()
        try:
            async with AsyncExitStack() as stack:
                enter = stack.enter_async_context
                redis = await enter(redis_on(switch.hosts["redis"], tmp_path / "redis"))
                a = await enter(server_on(switch.hosts["server-a"], tmp_path / "a", redis))
                b = await enter(server_on(switch.hosts["server-b"], tmp_path / "b", redis))
                key = (await a.ask("POST", "/admin/keys", json={"kind": "server", "name": "app"}))[1]["key"]
                apps = [
                    await enter(app_on(switch.hosts[f"app-{region}"], tmp_path / f"app-{region}", server.url, key))
                    for region, server in (("a", a), ("b", b))
                ]
                yield World(switch, a, b, apps[0], apps[1], key)
        finally:
            switch.stop()


async def test_a_server_cut_off_from_redis_keeps_its_apps_and_takes_kills_and_all_agree_when_it_is_back(
    world: World,
) -> None:
    flags = await world.fresh()
    world.switch.between("redis", "server-b", cut=True)
    await world.b.ready(ready=False)
    assert (await world.a.ask("POST", f"/admin/flags/{flags[0]}/kill"))[0] == 200
    await world.app_a.has_killed(flags[0])
    status, body = await world.b.ask("POST", f"/admin/flags/{flags[1]}/kill")
    assert (status, "emergency" in body) == (202, True), body
    await world.app_b.has_killed(flags[1])
    assert flags[0] not in world.app_b.killed, "nobody can have told it"
    assert flags[1] not in world.app_a.killed, "nobody can have told it"
    assert (await world.b.ask("POST", f"/admin/flags/{flags[2]}", json={"enabled": False}))[0] == 503
    world.switch.between("redis", "server-b", cut=False)
    for app in world.apps:
        await app.has_killed(flags[0], flags[1])
        assert app.sources == ["stream"], "no app has noticed"
    await world.b.ready()
    await world.agree()


async def test_regions_that_are_parted_each_take_kills_and_agree_on_all_of_them_afterwards(world: World) -> None:
    flags = await world.fresh()
    world.switch.part(REGION_A, REGION_B)
    await world.b.ready(ready=False)
    assert (await world.a.ask("POST", f"/admin/flags/{flags[0]}/kill"))[0] == 200
    assert (await world.b.ask("POST", f"/admin/flags/{flags[1]}/kill"))[0] == 202
    assert (await world.a.ask("POST", f"/admin/flags/{flags[2]}/kill"))[0] == 200
    await world.app_a.has_killed(flags[0], flags[2])
    await world.app_b.has_killed(flags[1])
    world.switch.part(REGION_A, REGION_B, cut=False)
    for app in world.apps:
        await app.has_killed(flags[0], flags[1], flags[2])
    await world.agree()


async def test_a_server_that_hears_redis_and_is_not_heard_says_so_and_recovers(world: World) -> None:
    """Asymmetric: what it asks does not arrive, what it would be told does."""
    flags = await world.fresh()
    world.switch.towards("server-b", "redis", cut=True)
    await world.b.ready(ready=False)
    assert (await world.b.ask("POST", f"/admin/flags/{flags[0]}/kill"))[0] == 202
    await world.app_b.has_killed(flags[0])
    world.switch.towards("server-b", "redis", cut=False)
    await world.app_a.has_killed(flags[0])
    await world.b.ready()
    await world.agree()


async def test_an_app_that_hears_nothing_gives_the_link_up_and_has_every_kill_when_it_hears_again(
    world: World,
) -> None:
    """Asymmetric: the server still hears the app, so nothing but its silence tells the app."""
    flags = await world.fresh()
    world.switch.towards("server-b", "app-b", cut=True)
    assert (await world.a.ask("POST", f"/admin/flags/{flags[0]}/kill"))[0] == 200
    await world.app_a.has_killed(flags[0])
    await until(lambda: world.app_b.sources[-1] == "last-known", "the app to give the link up", 40.0)
    assert flags[0] not in world.app_b.killed
    world.switch.towards("server-b", "app-b", cut=False)
    await world.app_b.has_killed(flags[0])
    await world.agree()


async def test_kills_arrive_over_links_that_lose_a_third_of_what_is_sent_in_one_direction(world: World) -> None:
    flags = await world.fresh()
    for source, target in (("server-b", "app-b"), ("redis", "server-b"), ("server-a", "app-a")):
        world.switch.towards(source, target, loss=0.3)
    lost = world.switch.lost
    for number in range(KILLS):
        status = 0
        while status not in (200, 202):  # an operator tries again
            status, _ = await (world.a, world.b)[number % 2].ask("POST", f"/admin/flags/{flags[number]}/kill")
    for app in world.apps:
        await app.has_killed(*flags)
    assert world.switch.lost > lost
    world.switch.everywhere(loss=0.0)
    await world.agree()
    print(f"{KILLS} kills in all, {world.switch.lost - lost} packets lost")


async def test_with_100_ms_on_every_link_every_kill_is_in_force_everywhere_and_gets_into_the_store(
    world: World,
) -> None:
    """A kill waits for the store for a second; to open one more connection to Redis takes nearly that long here."""
    flags = await world.fresh()
    world.switch.everywhere(delay_s=0.1)
    told = []
    for number in range(KILLS):
        begun = time.monotonic()
        status, _ = await (world.a, world.b)[number % 2].ask("POST", f"/admin/flags/{flags[number]}/kill")
        answered = time.monotonic()
        assert status in (200, 202)
        await asyncio.gather(*(app.has_killed(flags[number]) for app in world.apps))
        told.append((status, round(answered - begun, 3), round(time.monotonic() - answered, 3)))
    assert all(app.sources == ["stream"] for app in world.apps)
    for server in (world.a, world.b):
        await server.ready()
    await world.agree()
    _, listing = await world.a.ask("GET", "/admin/flags")
    assert [flag["key"] for flag in listing["flags"] if flag["kill"] is None and flag["key"] in flags] == []
    print(f"100 ms each way: status, seconds until answered, and after that until in force in both apps: {told}")


async def test_a_relay_that_is_parted_from_its_upstream_serves_its_apps_and_has_every_kill_afterwards(
    world: World, tmp_path: Path
) -> None:
    flags = await world.fresh()
    hosts_of = world.switch.hosts
    wanted = {"kind": "relay", "environments": ["production"]}
    relay_key = (await world.a.ask("POST", "/admin/keys", json=wanted))[1]["key"]
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        relay = await enter(relay_on(hosts_of["relay"], tmp_path / "relay", world.a.url, relay_key))
        early = await enter(app_on(hosts_of["app-b"], tmp_path / "early", relay.url, world.key))
        assert (await world.a.ask("POST", f"/admin/flags/{flags[0]}/kill"))[0] == 200
        await early.has_killed(flags[0])

        world.switch.between("server-a", "relay", cut=True)
        await until_async(lambda: is_degraded(relay), "the relay to say that it is cut off", 40.0)
        assert (await world.a.ask("POST", f"/admin/flags/{flags[1]}/kill"))[0] == 200
        late = await enter(app_on(hosts_of["app-b"], tmp_path / "late", relay.url, world.key))
        await late.has_killed(flags[0])
        assert flags[1] not in early.killed | late.killed, "nobody can have told them"

        world.switch.between("server-a", "relay", cut=False, delay_s=0.1)
        for app in (early, late):
            await app.has_killed(flags[1])
        await until_async(lambda: is_degraded(relay, degraded=False), "the relay's proof", 40.0)
        assert (await world.a.ask("POST", f"/admin/flags/{flags[2]}/kill"))[0] == 200
        for app in (early, late):
            await app.has_killed(flags[2])
            assert app.sources == ["stream"], "no app has noticed"


async def is_degraded(relay: FarServer, *, degraded: bool = True) -> bool:
    """Say whether a relay says that it is cut off, or that it is not. It is ready all the same: it is for that."""
    status, body = await relay.ask("GET", "/readyz")
    assert status == 200
    said: bool = body["environments"]["production"]["degraded"]
    return said == degraded
