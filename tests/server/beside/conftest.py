"""What is kept beside the logs, in each store in turn: what holds for one holds for all."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.redis_cluster import RedisCluster
from tests.support.redis_server import RedisServer
from wigwag_server.instances.redis_roster import RedisRoster
from wigwag_server.instances.roster import Roster
from wigwag_server.instances.sqlite_roster import SqliteRoster
from wigwag_server.usage.redis_usage import RedisUsage
from wigwag_server.usage.sqlite_usage import SqliteUsage
from wigwag_server.usage.usage_store import UsageStore

LIMIT = 50


@pytest.fixture(params=["sqlite", "redis", "cluster"])
async def roster(
    request: pytest.FixtureRequest, tmp_path: Path, redis_server: RedisServer, cluster: RedisCluster
) -> AsyncIterator[Roster]:
    made: Roster
    if request.param == "sqlite":
        made = await SqliteRoster.open(tmp_path / "instances.db", limit=LIMIT)
    else:
        made = RedisRoster.from_url(_url(request, redis_server, cluster), limit=LIMIT)
    yield made
    await made.close()


@pytest.fixture(params=["sqlite", "redis", "cluster"])
async def usage(
    request: pytest.FixtureRequest, tmp_path: Path, redis_server: RedisServer, cluster: RedisCluster
) -> AsyncIterator[UsageStore]:
    made: UsageStore
    if request.param == "sqlite":
        made = await SqliteUsage.open(tmp_path / "usage.db")
    else:
        made = RedisUsage.from_url(_url(request, redis_server, cluster))
    yield made
    await made.close()


def _url(request: pytest.FixtureRequest, redis: RedisServer, cluster: RedisCluster) -> str:
    return redis.url if request.param == "redis" else cluster.url
