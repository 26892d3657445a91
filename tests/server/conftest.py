"""A server on each store in turn."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.redis_server import RedisServer
from tests.support.server import Server, running


@pytest.fixture(params=["sqlite", "redis"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty store."""
    if request.param == "sqlite":
        return f"sqlite:{tmp_path / 'flags.db'}"
    redis: RedisServer = request.getfixturevalue("redis_server")
    return redis.url


@pytest.fixture
async def embedded(tmp_path: Path) -> AsyncIterator[Server]:
    """A server on SQLite, for what no store has a part in."""
    async with running(f"sqlite:{tmp_path / 'flags.db'}", data_dir=tmp_path / "data") as made:
        yield made


@pytest.fixture
async def server(store_url: str, tmp_path: Path) -> AsyncIterator[Server]:
    """A server on that store."""
    async with running(store_url, data_dir=tmp_path / "data") as made:
        yield made
