"""Each store in turn: what holds for one holds for all."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.redis_cluster import RedisCluster
from tests.support.redis_server import RedisServer
from wigwag_server.store.redis import RedisStore
from wigwag_server.store.sqlite import SqliteStore
from wigwag_server.store.store import Store

SMALL_LOG_BYTES = 4096
SETTLE_S = 0.1


@pytest.fixture(params=["sqlite", "redis", "cluster"])
async def store(
    request: pytest.FixtureRequest, tmp_path: Path, redis_server: RedisServer, cluster: RedisCluster
) -> AsyncIterator[Store]:
    made: Store
    if request.param == "sqlite":
        made = await SqliteStore.open(tmp_path / "flags.db", log_bytes=SMALL_LOG_BYTES, audit_bytes=SMALL_LOG_BYTES)
    else:
        url = redis_server.url if request.param == "redis" else cluster.url
        made = RedisStore.from_url(url, log_bytes=SMALL_LOG_BYTES, audit_bytes=SMALL_LOG_BYTES, settle_s=SETTLE_S)
    yield made
    await made.close()
