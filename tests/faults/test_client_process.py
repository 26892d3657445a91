"""The process that a client lives in: it forks, blocks, cancels and closes, and its disk fails."""

import asyncio
import gc
import os
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.faults import process_child
from tests.support.http_front import fronting
from tests.support.proxy import proxying
from tests.support.server import Server, running
from tests.support.waiting import until
from wigwag import FlagClient, Settings, Source
from wigwag_proto.supervisor import Patience

HASTY = Patience(poll_interval_s=0.1, poll_after_s=0.2, heartbeat_s=0.3)
OURS = ("wigwag", "snapshot ", "stream ")


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    async with running(f"sqlite:{tmp_path / 'flags.db'}", heartbeat_s=0.1) as made:
        await made.put("checkout", enabled=True)
        yield made


@asynccontextmanager
async def child(what: str, server: Server, tmp_path: Path) -> AsyncGenerator[asyncio.StreamReader]:
    """Run `process_child`; it must end well, and without a word to stderr."""
    words = ["-W", "error", process_child.__file__, what, server.url, server.key, str(tmp_path / "cache")]
    process = await asyncio.create_subprocess_exec(
        sys.executable, *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        yield process.stdout
        async with asyncio.timeout(10):
            assert (await process.stderr.read()).decode() == ""
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            print((await process.stderr.read()).decode())
            await process.wait()


async def heard(said: asyncio.StreamReader, *wanted: str) -> None:
    """Wait for these lines, in whatever order two processes print them."""
    missing = set(wanted)
    async with asyncio.timeout(10):
        while missing:
            line = (await said.readline()).decode().rstrip("\n")
            assert line in missing, f"{line!r}, and not one of {missing}"
            missing.remove(line)


# fork()


@pytest.mark.parametrize("fork", ["in-loop", "preload"])
@pytest.mark.parametrize("how", ["thread", "loop", "takeover", "grandchild"])
async def test_the_child_of_a_fork_follows_and_its_parent_notices_nothing(
    server: Server, tmp_path: Path, fork: str, how: str
) -> None:
    connections = server.services.hubs["production"].connections
    async with child(f"{fork}:{how}", server, tmp_path) as said:
        await heard(said, "child begins last-known 0 True")
        (of_parent,) = connections
        if how == "loop":
            await heard(said, "child follows stream 0")
        else:
            await heard(said, "child says True 1")
        if how == "takeover":
            await heard(said, "child follows stream 0")
        elif how == "grandchild":
            await heard(said, "child begins last-known 0 True", "child says True 1")
        streams = 3 if how == "grandchild" else 2
        await until(lambda: len(connections) == streams, "the stream of the child")
        assert of_parent in connections
        await server.kill("checkout")
        wanted = ["parent killed stream"]
        if how in ("thread", "grandchild"):
            wanted.append("child killed stream killed wigwag feed")
        else:
            wanted += ["child killed stream", "child closed last-known True"]
        await heard(said, *wanted)
        await until(lambda: connections == {of_parent}, "the child to be gone")
        await server.revive("checkout")
        await heard(said, "parent revived stream 0")


async def test_of_two_processes_with_one_file_the_later_state_wins(server: Server, tmp_path: Path) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    cache = tmp_path / "cache"
    async with proxying(host, int(port)) as proxy:
        url = f"http://127.0.0.1:{proxy.port}"
        settings = Settings(cache_dir=cache, save_spacing_s=0.01)
        async with FlagClient(url, server.key, settings=settings) as behind:
            proxy.go_quiet()
            await server.kill("checkout")
            other = FlagClient(url, server.key, settings=settings)
            proxy.go_quiet(quiet=False)
            async with other:
                await until(lambda: not other.is_enabled("checkout"), "the kill")
            (file,) = cache.iterdir()
            later = file.read_bytes()
            assert b'"kill":{' in later
            assert behind.is_enabled("checkout")
            behind._feed._changed([])
        assert behind.is_enabled("checkout")
        assert file.read_bytes() == later


# close()


async def test_close_keeps_its_deadline_when_the_network_and_the_disk_are_stuck(server: Server, tmp_path: Path) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    cache, kill_file = tmp_path / "cache", tmp_path / "kills"
    async with proxying(host, int(port)) as proxy:
        settings = Settings(cache_dir=cache, kill_file=kill_file, start_timeout_s=0.5, close_timeout_s=0.5)
        client = FlagClient(f"http://127.0.0.1:{proxy.port}", server.key, settings=settings)
        async with client:
            await until(lambda: cache.is_dir() and any(cache.glob("*.snapshot")), "the file")
        (file,) = cache.glob("*.snapshot")
        file.unlink()
        os.mkfifo(file)  # nobody writes into it: whoever opens it to read is stuck
        os.mkfifo(kill_file)
        proxy.go_quiet()
        try:
            begun = time.monotonic()
            await client.start()
            assert client.is_enabled("checkout")
            assert time.monotonic() - begun < 2.0
            begun = time.monotonic()
            await client.close()
            assert time.monotonic() - begun < 1.0
            assert not ours()
        finally:
            for stuck in (file, kill_file):
                if stuck.is_fifo():
                    release = os.open(stuck, os.O_RDWR | os.O_NONBLOCK)
                    stuck.unlink()
                    os.close(release)


async def test_close_writes_what_has_changed_and_a_client_can_be_started_again(server: Server, tmp_path: Path) -> None:
    client = server.client(cache_dir=tmp_path / "cache", save_spacing_s=60.0)
    await client.start()
    await until(lambda: any((tmp_path / "cache").glob("*.snapshot")), "the first write")
    await server.kill("checkout")
    await until(lambda: not client.is_enabled("checkout"), "the kill")
    await asyncio.gather(client.close(), client.close())
    (file,) = (tmp_path / "cache").iterdir()
    assert b'"kill":{' in file.read_bytes()
    assert client.status.source is Source.LAST_KNOWN
    await server.revive("checkout")
    await client.start()
    assert client.status.connected
    await until(lambda: client.is_enabled("checkout"), "the revival")
    await client.close()
    assert not ours()


async def test_starting_twice_is_starting_once(server: Server) -> None:
    client = server.client()
    await asyncio.gather(client.start(), client.start(), client.start())
    await client.start()
    assert len(server.services.hubs["production"].connections) == 1
    await client.close()


# cancellation


def ours() -> list[asyncio.Task[Any]]:
    return [task for task in asyncio.all_tasks() if task.get_name().startswith(OURS)]


async def cancelled_after(steps: int, work: Coroutine[Any, Any, None]) -> bool:
    """Cancel it after so many steps of the event loop; say whether it came to its end before."""
    task = asyncio.create_task(work)
    for _ in range(steps):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task})
    return not task.cancelled()


def growing() -> list[int]:
    return [*range(40), *(int(40 * 1.3**n) for n in range(40))]


async def test_start_may_be_cancelled_at_every_step(server: Server, tmp_path: Path) -> None:
    cancelled = 0
    for steps in growing():
        client = server.client(cache_dir=tmp_path / "cache")
        ended = await cancelled_after(steps, client.start())
        if ended:
            await client.close()
            break
        cancelled += 1
        assert not ours()
        assert client.status.source in (Source.LAST_KNOWN, Source.DEFAULTS)
        if steps % 7 == 0:
            await client.start()
            assert client.is_enabled("checkout")
            assert client.status.connected
            await client.close()
            assert not ours()
    assert cancelled > 10
    gc.collect()
    await until(lambda: not server.services.hubs["production"].connections, "the streams to be gone")


async def test_close_may_be_cancelled_at_every_step(server: Server, tmp_path: Path) -> None:
    cancelled = 0
    client = server.client(cache_dir=tmp_path / "cache", start_timeout_s=0.0)
    for steps in growing()[1:]:  # what is cancelled before its first step has not begun
        await client.start()
        await until(lambda: client.status.connected, "the stream")
        ended = await cancelled_after(steps, client.close())
        assert not ours()
        if ended:
            break
        cancelled += 1
    assert cancelled > 3
    gc.collect()
    await until(lambda: not server.services.hubs["production"].connections, "the streams to be gone")


# a blocked event loop


async def test_an_event_loop_that_was_blocked_goes_on_with_its_stream(server: Server, tmp_path: Path) -> None:
    await server.put("guarded", enabled=True, failSafeAfter=0.6)
    async with child("blocked", server, tmp_path) as said:
        await heard(said, "ready True")
        await server.kill("checkout")
        await heard(said, "blocked FAIL_SAFE")
        await heard(said, "after STATIC False")


# the disk


async def test_a_full_disk_costs_one_warning_until_there_is_room_again(server: Server, tmp_path: Path) -> None:
    words = [sys.executable, process_child.__file__, "full-disk", server.url, server.key, str(tmp_path / "cache")]
    process = await asyncio.create_subprocess_exec(
        *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    await heard(process.stdout, "ready")
    for number in range(3):
        await server.put("other", enabled=True, description=str(number))
        await asyncio.sleep(0.05)
    await server.kill("checkout")
    await heard(process.stdout, "full True", "well", "left True")
    _, errors = await process.communicate()
    assert errors.count(b"cannot keep the last known snapshot") == 1, errors


async def test_a_folder_in_place_of_the_file_costs_one_warning_until_it_is_gone(
    server: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache = tmp_path / "cache"
    async with server.client(cache_dir=cache, save_spacing_s=0.01) as client:
        await until(lambda: cache.is_dir() and any(cache.glob("*.snapshot")), "the file")
        (file,) = cache.glob("*.snapshot")
        file.unlink()
        (file / "in the way").mkdir(parents=True)
        for _ in range(3):
            await server.kill("checkout")
            await until(lambda: not client.is_enabled("checkout"), "the kill")
            await until(lambda: client.status.disk_error is not None, "the error to be told")
            await server.revive("checkout")
            await until(lambda: client.is_enabled("checkout"), "the revival")
        assert caplog.text.count("cannot keep the last known snapshot") == 1
        (file / "in the way").rmdir()
        file.rmdir()
        await until(lambda: client.status.disk_error is None, "the disk to be well")
        await until(file.is_file, "the file")
    async with server.client(cache_dir=cache) as client:
        assert client.status.disk_error is None
    assert caplog.text.count("ignoring the last known snapshot") == 0


# callbacks


async def test_whatever_a_callback_does_the_feed_goes_on(server: Server) -> None:
    seen: list[str] = []
    later: list[asyncio.Task[Any]] = []

    def raises(_: object) -> None:
        raise asyncio.CancelledError

    def blocks(_: object) -> None:
        time.sleep(0.3)

    async with server.client() as client:
        client.on_change(raises)
        client.on_change(blocks)
        client.on_change(lambda _: later.append(asyncio.create_task(client.refresh())))
        client.on_change(lambda change: seen.append(change.what))
        await server.kill("checkout")
        await until(lambda: seen == ["killed"], "the kill")
        await server.revive("checkout")
        await until(lambda: seen == ["killed", "revived"], "the revival")
        # While a callback blocks the loop nothing is heard, which may be taken for the end of the stream.
        await until(lambda: client.status.connected, "the stream")
        await asyncio.gather(*later)
        client.on_change(lambda _: later.append(asyncio.create_task(client.close())))
        await server.kill("checkout")
        await until(lambda: len(later) == 4, "the close")
        await asyncio.gather(*later, return_exceptions=True)
        assert not client.is_enabled("checkout")
        assert client.status.source is Source.LAST_KNOWN
    assert not ours()


# an error that nobody foresaw


async def test_an_unforeseen_error_is_told_and_tried_again(server: Server) -> None:
    async def absurd(_: web.Request) -> web.StreamResponse:
        return web.json_response({}, headers={"Wigwag-Age-Ms": "9" * 5000})  # more digits than Python converts

    async with fronting(server.url) as front:
        front.instead["/v1/snapshot"] = absurd
        settings = Settings(cache_dir=None, patience=HASTY)
        async with FlagClient(front.url, server.key, settings=settings) as client:
            assert "ValueError" in (client.status.last_error or "")
            await until(lambda: front.seen.count("/v1/snapshot") > 1, "another try")
            del front.instead["/v1/snapshot"]
            await until(lambda: client.is_enabled("checkout"), "the flags")
            await until(lambda: client.status.last_error is None, "the error to be over")


# changes()


async def test_changes_begin_when_they_are_asked_for_and_are_forgotten_when_they_are_dropped(server: Server) -> None:
    async with server.client() as client:
        changes = client.changes()
        await server.kill("checkout")
        await until(lambda: not client.is_enabled("checkout"), "the kill")
        assert (await anext(changes)).what == "killed"
        await server.put("short", enabled=True)
        await server.ask("DELETE", "/admin/flags/short?confirm=short")
        await server.revive("checkout")
        await until(lambda: client.is_enabled("checkout"), "the revival")
        assert (await anext(changes)).key == "checkout"
        for _ in range(100):
            client.changes()
        gc.collect()
        assert len(client._subscriptions._readers) == 1
        await changes.aclose()
