"""`make demo`, from its first line to its last, where there is no terminal."""

import asyncio
import os
import re
import sys
from pathlib import Path

import pytest

from tests.support.redis_server import RedisServer
from wigwag_server.store.from_url import open_store

CHECKOUT = Path(__file__).parents[1]


async def demo(*words: str, folder: Path) -> tuple[int | None, str]:
    """Run the demo to its end and return its status and output."""
    return await program("examples.demo", *words, folder=folder)


async def program(module: str, *words: str, folder: Path) -> tuple[int | None, str]:
    """Run a program of the examples to its end; its temporary files go into `folder`."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", module, *words),
        cwd=CHECKOUT,
        env={**os.environ, "TMPDIR": str(folder)},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(60):
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
    return process.returncode, output.decode()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder for temporary files."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    return folder


def left_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def test_the_demo_shows_a_kill_arrive_and_leaves_nothing_behind(folder: Path, redis_server: RedisServer) -> None:
    on_sqlite, on_redis = await asyncio.gather(
        demo(folder=folder), demo("--store", redis_server.url, folder=folder)
    )  # at once, because each takes its seconds
    for status, output in (on_sqlite, on_redis):
        assert status == 0, output
        check_output(output)
    assert "The demo uses the production environment of that store as it is" in on_redis[1]
    assert left_in(folder) == []
    store = await open_store(redis_server.url)
    try:
        snapshot = await store.load("production")
    finally:
        await store.close()
    assert snapshot is not None
    assert not snapshot.records.get("flag")


def check_output(output: str) -> None:
    assert "\x1b" not in output
    assert "new_recommendation_algorithm  on, 10%, 2 always on" in output
    assert "advanced_analytics            on, 100%, plan equals premium" in output
    assert "experimental_feature          on, 100%, betaTester equals true" in output
    before, after = re.findall(r"advanced_analytics +(\d+) on +(\d+) off", output)
    assert int(before[0]) > 0
    assert int(after[0]) == 0
    assert int(after[1]) > 0
    acknowledged, changed = map(float, re.findall(r"([\d.]+) ms  until", output))
    assert 0 < acknowledged < 5000
    assert 0 < changed < 1000
    assert output.endswith(" 0 failed.\n")


async def test_a_demo_that_cannot_start_shows_what_the_server_said_and_is_1(folder: Path) -> None:
    status, output = await demo("--store", "mongodb://nowhere", folder=folder)
    assert status == 1
    assert "The demo failed: the server ended with status 1" in output
    assert "--- server said:\nwigwag-server: 'mongodb://nowhere' names no store" in output
    assert left_in(folder) == []
