"""Where a kill is in force: what operators are told when processes, servers, links and the store fail."""

import asyncio
import signal
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from tests.faults import proof_child
from tests.support.http_front import bad_gateway, fronting
from tests.support.listening import listening
from tests.support.proxy import Proxy
from tests.support.redis_server import RedisServer
from tests.support.restartable import RestartableServer
from tests.support.server import ADMIN_TOKEN, Server, running
from tests.support.waiting import until, until_async
from wigwag import Source
from wigwag_proto.supervisor import Patience

HASTY = Patience(poll_interval_s=0.1, poll_after_s=0.2, heartbeat_s=0.3)


@asynccontextmanager
async def clients(url: str, key: str, label: str, count: int = 1, how: str = "") -> AsyncGenerator[Any]:
    """Run a process of clients, from when they are connected until the context is left."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, proof_child.__file__, url, key, label, str(count), *([how] if how else [])),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        for _ in range(2 if how else 1):
            async with asyncio.timeout(20):
                assert b"ready" in await process.stdout.readline()
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.fixture
async def two(redis_server: RedisServer, tmp_path: Path) -> AsyncIterator[tuple[Server, Server]]:
    """Two servers on one Redis, with a flag."""
    async with (
        running(redis_server.url, data_dir=tmp_path / "one") as one,
        running(redis_server.url, data_dir=tmp_path / "two") as other,
    ):
        await one.put("checkout", enabled=True)
        yield one, other


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    async with running(f"sqlite:{tmp_path / 'flags.db'}", heartbeat_s=0.1) as made:
        await made.put("checkout", enabled=True)
        yield made


async def kill(server: Server, wait: str) -> Any:
    """Kill and wait; return the revision and what was seen last."""
    answer = await server.ask("POST", f"/admin/flags/checkout/kill?wait={wait}")
    assert answer.status == 200, answer
    return answer.body["revision"], answer.body["propagation"]


async def seen(server: Server, revision: int) -> Any:
    return (await server.ask("GET", f"/admin/propagation/{revision}")).body


async def connected(server: Server, number: int) -> None:
    async def there() -> bool:
        counts = (await server.ask("GET", "/admin/instances")).body["counts"]
        return bool(counts["stream"] == number)

    await until_async(there, f"{number} seats")


async def becomes_complete(server: Server, revision: int) -> Any:
    async def complete() -> bool:
        return bool((await seen(server, revision))["complete"])

    await until_async(complete, "the last confirmation")
    return await seen(server, revision)


def names(listed: list[Any]) -> set[tuple[str, int]]:
    return {(each["label"], each["pid"]) for each in listed}


async def test_suspended_processes_are_named_by_every_server_and_confirm_when_they_go_on(
    two: tuple[Server, Server],
) -> None:
    one, other = two
    async with (
        clients(one.url, one.key, "web", 3) as web_process,
        clients(other.url, other.key, "worker", 2) as worker,
        clients(other.url, other.key, "cron", 1),
    ):
        await connected(one, 6)
        worker.send_signal(signal.SIGSTOP)
        revision, proof = await kill(one, "700ms")
        assert not proof["complete"]
        assert proof["counts"] == {"confirmed": 4, "pending": 2, "lost": 0, "unknown": 0, "left": 0}
        assert names(proof["pending"]) == {("worker", worker.pid)}
        on_other = await seen(other, revision)
        assert on_other["counts"] == proof["counts"]
        assert names(on_other["pending"]) == {("worker", worker.pid)}
        assert (proof["instances"], proof["servers"]) == (6, 2)
        worker.send_signal(signal.SIGCONT)
        found = await becomes_complete(other, revision)
        assert (found["counts"]["confirmed"], found["instances"]) == (6, 6)
        assert found["ms"]["max"] > 500
        assert web_process.returncode is None


async def test_who_died_is_lost_by_name_and_who_closed_has_left(two: tuple[Server, Server]) -> None:
    one, other = two
    async with (
        clients(one.url, one.key, "dies") as dies,
        clients(other.url, other.key, "closes") as closes,
        clients(other.url, other.key, "stays"),
    ):
        await connected(one, 3)
        for process in (dies, closes):
            process.send_signal(signal.SIGSTOP)
        revision, proof = await kill(one, "300ms")
        assert names(proof["pending"]) == {("dies", dies.pid), ("closes", closes.pid)}
        dies.kill()

        async def is_lost() -> bool:
            return names((await seen(other, revision))["lost"]) == {("dies", dies.pid)}

        await until_async(is_lost, "the loss")
        closes.send_signal(signal.SIGCONT)
        closes.stdin.close()
        assert await closes.wait() == 0

        async def is_alone() -> bool:
            counts = (await seen(one, revision))["counts"]
            return bool(counts["pending"] == 0 and counts["lost"] == 1)

        # It may have confirmed before it closed; either way nobody waits for it.
        await until_async(is_alone, "the one that died")
        assert not (await seen(one, revision))["complete"]


async def test_instances_whose_server_died_are_unknown_until_they_are_heard_of_again(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    mortal = RestartableServer(tmp_path / "mortal", redis_server.url)
    await mortal.start()
    key = await mortal.new_key()
    try:
        async with (
            running(redis_server.url, data_dir=tmp_path / "one", key=key) as one,
            clients(mortal.url, key, "far") as far,
            one.client(label="near"),
        ):
            await one.put("checkout", enabled=True)
            await connected(one, 2)
            far.send_signal(signal.SIGSTOP)
            await mortal.stop(hard=True)
            revision, proof = await kill(one, "300ms")
            assert not proof["complete"]

            async def unknown() -> bool:
                return names((await seen(one, revision))["unknown"]) == {("far", far.pid)}

            await until_async(unknown, "the server to be taken for dead")
            proof = await seen(one, revision)
            assert (proof["counts"]["confirmed"], proof["servers"], proof["complete"]) == (1, 1, False)
            await mortal.start()
            far.send_signal(signal.SIGCONT)
            found = await becomes_complete(one, revision)
            assert found["counts"]["confirmed"] == 2
    finally:
        await mortal.stop(hard=True)


@pytest.mark.parametrize("store", ["sqlite", "redis"])
async def test_a_server_that_was_restarted_still_tells_of_a_kill_before(
    store: str, redis_server: RedisServer, tmp_path: Path
) -> None:
    server = RestartableServer(tmp_path / "server", redis_server.url if store == "redis" else "sqlite:flags.db")
    await server.start()
    key = await server.new_key()
    try:
        async with clients(server.url, key, "slow") as slow, clients(server.url, key, "quick"):
            assert await server.ask("POST", "/admin/flags/checkout", json={"enabled": True}) == 201
            slow.send_signal(signal.SIGSTOP)
            killed = await ask(server, "POST", "/admin/flags/checkout/kill?wait=300ms")
            assert names(killed["propagation"]["pending"]) == {("slow", slow.pid)}
            await server.stop(hard=True)
            await server.start()
            path = f"/admin/propagation/{killed['revision']}"
            again = await ask(server, "GET", path)
            assert (again["frozen"], again["counts"]["confirmed"], again["complete"]) == (True, 1, False)
            slow.send_signal(signal.SIGCONT)

            async def complete() -> bool:
                return bool((await ask(server, "GET", path))["complete"])

            await until_async(complete, "the confirmation")
    finally:
        await server.stop(hard=True)


async def test_a_roster_that_redis_has_lost_is_told_anew(own_redis: RedisServer, tmp_path: Path) -> None:
    async with running(own_redis.url, data_dir=tmp_path / "data") as server, server.client(label="web") as flags:
        await server.put("checkout", enabled=True)
        await connected(server, 1)
        async with own_redis.connection() as redis:
            await redis.delete("wigwag:{production}:servers", "wigwag:{production}:seats")
        _, proof = await kill(server, "10s")
        assert (proof["complete"], proof["instances"]) == (True, 1)
        assert not flags.is_enabled("checkout")


async def test_an_instance_that_moves_to_another_server_is_counted_once(two: tuple[Server, Server]) -> None:
    one, other = two
    host, _, port = one.url.removeprefix("http://").partition(":")
    async with listening(Proxy(host, int(port))) as proxy:
        client = one.client(label="mover")
        async with clients(f"http://127.0.0.1:{proxy.port}", one.key, "mover"), client:
            await connected(one, 2)
            proxy.retarget(host, other.url.rpartition(":")[2])
            proxy.cut()

            async def moved() -> bool:
                listed = (await one.ask("GET", "/admin/instances")).body["instances"]
                return len({each["server"] for each in listed if each["state"] == "stream"}) == 2

            await until_async(moved, "the move")
            _, proof = await kill(one, "10s")
            assert (proof["complete"], proof["instances"]) == (True, 2)


async def test_a_client_that_has_to_poll_confirms_as_well(server: Server) -> None:
    async with fronting(server.url) as front:
        front.instead["/v1/stream"] = bad_gateway
        server_url, server.url = server.url, front.url
        polling = server.client(label="poller", patience=HASTY)
        server.url = server_url
        async with polling:
            await until(lambda: polling.status.source is Source.POLL, "polling")
            _, proof = await kill(server, "10s")
            assert (proof["complete"], proof["counts"]["confirmed"]) == (True, 1)
            listed = (await server.ask("GET", "/admin/instances")).body["instances"]
            assert [(each["label"], each["state"]) for each in listed] == [("poller", "poll")]


async def test_the_child_of_a_fork_is_an_instance_of_its_own_and_counts_for_itself(server: Server) -> None:
    async with clients(server.url, server.key, "forks", 1, "forks") as parent:
        await connected(server, 2)
        _, proof = await kill(server, "10s")
        assert (proof["complete"], proof["instances"]) == (True, 2)
        listed = (await server.ask("GET", "/admin/instances")).body["instances"]
        pids = {each["pid"] for each in listed}
        assert parent.pid in pids
        assert len(pids) == 2
        parent.stdin.close()
        await parent.wait()

    async def both_have_left() -> bool:
        return bool((await server.ask("GET", "/admin/instances")).body["counts"]["left"] == 2)

    await until_async(both_have_left, "the end of both")
    # Seven questions before the fork: they are the parent's, and the child reports them no second time.
    assert (await server.ask("GET", "/admin/flags/checkout/metrics")).body["total"] == 7


async def test_counts_whose_answer_was_lost_are_counted_once(server: Server) -> None:
    lose = True

    async def lose_the_answer(request: web.Request) -> web.StreamResponse:
        body = await request.read()
        headers = {name: request.headers[name] for name in ("Authorization", "Content-Type")}
        async with (
            aiohttp.ClientSession() as session,
            session.post(server.url + request.path, data=body, headers=headers) as answer,
        ):
            assert answer.status == 204
        if lose and b'"usage"' in body:
            assert request.transport is not None
            request.transport.abort()
        return web.Response(status=204)

    async with fronting(server.url) as front:
        front.instead["/v1/telemetry"] = lose_the_answer
        direct, server.url = server.url, front.url
        flags = server.client(report_every_s=0.1)
        server.url = direct
        async with flags:
            for _ in range(7):
                assert flags.is_enabled("checkout")
            await until(lambda: front.seen.count("/v1/telemetry") > 3, "reports")
            lose = False
            path = "/admin/flags/checkout/metrics"
            assert (await server.ask("GET", path)).body["total"] == 7
        assert (await server.ask("GET", path)).body["total"] == 7


@pytest.mark.parametrize("fault", ["errors", "silence", "nonsense", "refusal"])
async def test_reports_that_do_not_get_through_harm_no_decision_and_no_close(server: Server, fault: str) -> None:
    release = asyncio.Event()

    async def misbehave(_: web.Request) -> web.StreamResponse:
        if fault == "silence":
            await release.wait()
        status = {"errors": 500, "refusal": 401}.get(fault, 302)
        return web.Response(status=status, body=b"\x00" * 100_000)

    async with fronting(server.url) as front:
        front.instead["/v1/telemetry"] = misbehave
        direct, server.url = server.url, front.url
        flags = server.client(report_every_s=0.05, close_timeout_s=1.0)
        server.url = direct
        await flags.start()
        await until(lambda: "/v1/telemetry" in front.seen or not flags.is_enabled("nope"), "a report")
        await until(lambda: "/v1/telemetry" in front.seen, "a report")
        await server.kill("checkout")
        await until(lambda: not flags.is_enabled("checkout"), "the kill")
        begun = time.monotonic()
        await flags.close()
        assert time.monotonic() - begun < 5.0
        release.set()


async def ask(server: RestartableServer, method: str, path: str) -> Any:
    headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
    async with aiohttp.ClientSession() as session, session.request(method, server.url + path, headers=headers) as got:
        assert got.status == 200, await got.text()
        return await got.json()
