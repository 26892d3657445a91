"""The server is killed, stopped, started again: what its clients make of it."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.support.processes import run_command
from tests.support.redis_server import RedisServer
from tests.support.restartable import RestartableServer
from tests.support.waiting import until
from wigwag import FlagClient, Source
from wigwag_server.store.sqlite import SqliteStore, StoreInUse

CLIENTS = 20


@pytest.fixture(params=["sqlite", "redis"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:{tmp_path / 'flags.db'}"
    redis: RedisServer = request.getfixturevalue("redis_server")
    return redis.url


class Load:
    """Asks a flag all the time, in every client, and keeps what was answered."""

    def __init__(self, clients: list[FlagClient]) -> None:
        self.clients = clients
        self.asked = 0
        self.answers: set[bool] = set()

    async def run(self) -> None:
        while True:
            for client in self.clients:
                self.answers.add(client.is_enabled("checkout", user_id=str(self.asked)))
                self.asked += 1
            await asyncio.sleep(0)

    def all_say(self, answer: bool) -> bool:
        return all(client.is_enabled("checkout") is answer for client in self.clients)


@contextmanager
def under_load(clients: list[FlagClient]) -> Iterator[Load]:
    load = Load(clients)
    task = asyncio.create_task(load.run())
    with ExitStack() as stack:
        stack.callback(task.cancel)
        yield load
        assert not task.done()


@pytest.mark.parametrize("hard", [True, False])
async def test_a_server_that_dies_under_load_is_not_noticed_by_the_answers(
    store_url: str, tmp_path: Path, hard: bool
) -> None:
    async with RestartableServer(tmp_path / "server", store_url) as server:
        assert await server.ask("POST", "/admin/flags/checkout", json={"enabled": True}) == 201
        clients = [server.client() for _ in range(CLIENTS)]
        await asyncio.gather(*(client.start() for client in clients))
        with under_load(clients) as load:
            status = await server.stop(hard=hard)
            assert (status == 0) is not hard
            await until(lambda: all(not client.status.connected for client in clients), "the loss to be noticed")
            before = load.asked
            await until(lambda: load.asked > before + 1000, "answers without a server")
            assert load.answers == {True}
            assert {client.status.source for client in clients} == {Source.LAST_KNOWN}
            await server.start()
            await until(lambda: all(client.status.connected for client in clients), "all to be back")
            assert load.answers == {True}
            assert await server.ask("POST", "/admin/flags/checkout/kill") == 200
            await until(lambda: load.all_say(False), "the kill in every client")
        await asyncio.gather(*(client.close() for client in clients))


async def test_a_kill_made_while_a_server_was_away_is_in_force_right_after_it_is_back(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    """Two servers on one Redis; the clients are those of the one that dies."""
    async with (
        RestartableServer(tmp_path / "one", redis_server.url) as one,
        RestartableServer(tmp_path / "two", redis_server.url) as two,
    ):
        assert await one.ask("POST", "/admin/flags/checkout", json={"enabled": True}) == 201
        async with one.client() as flags:
            await one.stop(hard=True)
            assert await two.ask("POST", "/admin/flags/checkout/kill") == 200
            assert flags.is_enabled("checkout")
            await one.start()
            await until(lambda: flags.status.connected, "the stream")
            await until(lambda: not flags.is_enabled("checkout"), "the kill")


async def test_of_two_servers_one_that_flaps_takes_nothing_from_anybody(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    async with (
        RestartableServer(tmp_path / "steady", redis_server.url) as steady,
        RestartableServer(tmp_path / "flapping", redis_server.url) as flapping,
    ):
        assert await steady.ask("POST", "/admin/flags/checkout", json={"enabled": True}) == 201
        seen: list[int] = []
        async with steady.client() as beside, flapping.client() as flags:
            beside.on_change(lambda change: seen.append(change.revision))
            for number in range(4):
                await flapping.stop(hard=number % 2 == 0)
                edit = {"enabled": True, "description": str(number)}
                assert await steady.ask("POST", "/admin/flags/checkout", json=edit) == 200
                assert flags.is_enabled("checkout")
                assert beside.is_enabled("checkout")
                await flapping.start()
            await until(lambda: flags.status.connected, "the stream")
            assert await flapping.ask("POST", "/admin/flags/checkout/kill") == 200
            for client in (flags, beside):
                await until(lambda: not client.is_enabled("checkout"), "the kill")  # noqa: B023
            assert flags.status.revision == beside.status.revision == 6
    assert seen == [2, 3, 4, 5, 6]


async def test_a_server_on_redis_whose_disk_is_full_goes_on(redis_server: RedisServer, tmp_path: Path) -> None:
    async with RestartableServer(tmp_path / "server", redis_server.url, largest_file_bytes=0) as server:
        assert await server.ask("POST", "/admin/flags/checkout", json={"enabled": True}) == 201
        async with server.client() as flags:
            assert flags.is_enabled("checkout")
            assert await server.ask("POST", "/admin/flags/checkout/kill") == 200
            await until(lambda: not flags.is_enabled("checkout"), "the kill")
        assert await server.ask("GET", "/readyz") == 200
        assert not list((tmp_path / "server").rglob("*.snapshot"))


async def test_redis_stopped_and_started_under_load_changes_no_answer_and_loses_no_kill(
    own_redis: RedisServer, tmp_path: Path
) -> None:
    async with RestartableServer(tmp_path / "server", own_redis.url) as server:
        assert await server.ask("POST", "/admin/flags/checkout", json={"enabled": True}) == 201
        clients = [server.client() for _ in range(CLIENTS)]
        await asyncio.gather(*(client.start() for client in clients))
        with under_load(clients) as load:
            await own_redis.stop()
            while await server.ask("GET", "/readyz") != 503:
                await asyncio.sleep(0.02)
            await own_redis.start()
            while await server.ask("GET", "/readyz") != 200:
                await asyncio.sleep(0.02)
            assert load.answers == {True}
            assert await server.ask("POST", "/admin/flags/checkout/kill") == 200
            await until(lambda: load.all_say(False), "the kill in every client")
        await asyncio.gather(*(client.close() for client in clients))


async def test_the_embedded_store_serves_one_process_and_says_so(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "flags.db")
    with pytest.raises(StoreInUse, match="in use by process"):
        await SqliteStore.open(tmp_path / "flags.db")
    second = await asyncio.to_thread(
        run_command, "wigwag-server", "--store", f"sqlite:{tmp_path / 'flags.db'}", "--listen", ":0", folder=tmp_path
    )
    assert second.returncode == 1
    await store.close()
    await (await SqliteStore.open(tmp_path / "flags.db")).close()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--listen", "0.0.0.0:0"], "--insecure-http"),
        (["--dev", "--insecure-http", "--listen", "0.0.0.0:0"], "loopback only"),
        (["--listen", "nowhere"], "host:port"),
        (["--store", "mysql:x"], "names no store"),
        (["--store", "sqlite:/proc/nowhere/x.db"], "cannot open"),
        (["--tls-key", "key.pem"], "go together"),
        (["--redis-wait-replicas", "1"], "name one with --store"),
        (["--store", "redis+cluster://me:hidden@nowhere:x"], "no host:port"),
        (["--upstream", "http://127.0.0.1:1"], "key"),
        (["--key", "ww_relay_x"], "it needs --upstream"),
    ],
)
async def test_a_start_that_cannot_be_says_what_to_do_in_one_line(tmp_path: Path, words: list[str], said: str) -> None:
    done = await asyncio.to_thread(run_command, "wigwag-server", *words, folder=tmp_path)
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("wigwag-server: ")
    assert said in line
    assert "hidden" not in line
