"""`--reuse-port`: several server processes on one port and one Redis, each with a share of the streams."""

import asyncio
from pathlib import Path

from tests.support.processes import run_command
from tests.support.raw_streams import RawStreams, raw_streams
from tests.support.redis_server import RedisServer
from tests.support.restartable import RestartableServer
from tests.support.waiting import until

STREAMS = 60


async def test_two_servers_share_a_port_and_a_kill_at_either_reaches_the_streams_of_both(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    async with RestartableServer(tmp_path / "one", redis_server.url, "--reuse-port") as one:
        two = RestartableServer(tmp_path / "two", redis_server.url, "--reuse-port", url=one.url)
        await two.start()
        async with asyncio.timeout(20):
            while len(await servers_of_new_streams(one)) < 2:
                pass  # `start` may have been answered by the other one
        assert await one.ask("POST", "/admin/flags/checkout", json={"enabled": True}) == 201
        async with raw_streams(one.url, one.key, STREAMS) as streams:
            await until(lambda: streams.open == STREAMS, "all streams")
            # The kernel deals by a hash of the addresses: with 60, that one gets none is out of the question.
            assert len(streams.servers) == 2
            assert await one.ask("POST", "/admin/flags/checkout/kill") == 200
            await until(lambda: all_at(streams, 2), "the kill in all")
            await two.stop(hard=True)
            await until(lambda: streams.open == STREAMS and all_at(streams, 2), "all at the other")
            assert await one.ask("POST", "/admin/flags/checkout/revive") == 200
            await until(lambda: all_at(streams, 3), "the revival in all")


def all_at(streams: RawStreams, revision: int) -> bool:
    """Whether every stream has this revision."""
    return all(stream.cursor is not None and stream.cursor.revision == revision for stream in streams.streams)


async def servers_of_new_streams(server: RestartableServer, count: int = 20) -> set[str]:
    """Open some streams at the address of a server, and return the ids of the servers that took them."""
    async with raw_streams(server.url, server.key, count) as streams:
        await until(lambda: streams.open == count, "the streams")
        return streams.servers


async def test_a_second_server_is_told_that_the_port_is_taken(redis_server: RedisServer, tmp_path: Path) -> None:
    async with RestartableServer(tmp_path / "one", redis_server.url) as one:
        words = ("--listen", one.url.removeprefix("http://"), "--store", redis_server.url, "--reuse-port")
        done = await asyncio.to_thread(run_command, "wigwag-server", *words, folder=tmp_path)
        assert done.returncode == 1
        assert "address already in use" in done.stderr


async def test_a_port_cannot_be_shared_on_sqlite(tmp_path: Path) -> None:
    done = await asyncio.to_thread(run_command, "wigwag-server", "--reuse-port", folder=tmp_path)
    assert done.returncode == 1
    assert "--reuse-port is for several servers" in done.stderr
