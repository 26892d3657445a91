"""A server on each store in turn."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.support.redis_cluster import RedisCluster
from tests.support.redis_server import RedisServer
from tests.support.server import Server, running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared_cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RedisCluster]:
    """One Cluster for all tests that do it no harm."""
    async with RedisCluster(tmp_path_factory.mktemp("cluster")) as made:
        yield made


@pytest.fixture
async def cluster(shared_cluster: RedisCluster) -> RedisCluster:
    """The shared Cluster, empty."""
    await shared_cluster.flush()
    return shared_cluster


@pytest.fixture(params=["sqlite", "redis"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty store."""
    if request.param == "sqlite":
        return f"sqlite:{tmp_path / 'flags.db'}"
    redis: RedisServer = request.getfixturevalue("redis_server")
    return f"{redis.url}?socket_timeout=10"  # seconds: how soon a Redis is given up is not what these tests ask


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
