"""Fixtures that every test may ask for."""

import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from hypothesis import settings

from tests.support.redis_server import RedisServer
from tests.support.secrets import kept_logs, secrets_in

# How long an example takes says something about the machine, not about the code.
settings.register_profile("wigwag", deadline=None)
settings.load_profile("wigwag")

# A shell that runs the tests in the background has them ignore Ctrl-C, and so would every process that they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def nothing_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep the settings and caches of the person who runs the tests out of them."""
    for name in [name for name in os.environ if name.startswith("WIGWAG_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def no_secret_in_the_logs() -> Iterator[None]:
    """Look for keys and the like in whatever a test has logged."""
    with kept_logs() as logs:
        yield
    found = secrets_in(logs.text)
    assert not found, f"secrets were logged: {found}"


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared_redis(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RedisServer]:
    """One Redis for all tests that do it no harm."""
    async with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
async def redis_server(shared_redis: RedisServer) -> RedisServer:
    """The shared Redis, empty."""
    await shared_redis.flush()
    return shared_redis


@pytest.fixture
async def own_redis(tmp_path: Path) -> AsyncIterator[RedisServer]:
    """A Redis that the test may stop, starve and kill."""
    async with RedisServer(tmp_path / "redis") as server:
        yield server
