"""A commit that waits for replicas is made: whatever becomes of the waiting, it was not refused."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import pytest
from redis.asyncio import Redis

from tests.support.redis_server import RedisServer, free_port
from wigwag_proto.commit import Change, Commit, Epoch
from wigwag_proto.errors import StoreRefused, StoreUnavailable
from wigwag_proto.snapshot import Tables
from wigwag_proto.tasks_io import Tasks
from wigwag_server.environment import Environment
from wigwag_server.store.redis import RedisStore
from wigwag_server.store.store import Begin

FLAG = Change("flag", "checkout", {"enabled": True})


@pytest.fixture
async def store(own_redis: RedisServer) -> AsyncIterator[RedisStore]:
    made = RedisStore.from_url(own_redis.url, settle_s=0.0, wait_replicas=1)
    yield made
    await made.close()


async def test_a_primary_that_is_demoted_while_a_commit_waits_has_not_refused_it(
    store: RedisStore, own_redis: RedisServer
) -> None:
    head = await store.settle("production", None, Begin(Epoch(1, "e"), "h0", 1))
    assert head.cursor is not None
    async with own_redis.connection() as redis:
        commit = Commit(1, head.cursor.head, "h1", 2, (FLAG,))
        making = asyncio.create_task(store.commit("production", head.cursor.epoch, commit))
        async with asyncio.timeout(10):
            while not await waits(redis):
                pass
        await redis.execute_command("REPLICAOF", "127.0.0.1", str(free_port()))  # type: ignore[no-untyped-call]
        with pytest.raises(StoreUnavailable) as waited:
            await making
        assert not isinstance(waited.value, StoreRefused)
        assert await redis.hget("wigwag:{production}:state", "head") == b"h1"
    # Nor has one that is only read from by now refused what was made before.
    again = RedisStore.from_url(own_redis.url, wait_replicas=1)
    with pytest.raises(StoreUnavailable, match="read only") as asked:
        await again.replicated("production")
    assert not isinstance(asked.value, StoreRefused)
    await again.close()


@dataclass(frozen=True)
class PutFlag:
    action: ClassVar[str] = "flag.create"

    def __call__(self, records: Tables, revision: int, at: int) -> Sequence[Change]:  # noqa: ARG002
        return [FLAG]


async def test_a_commit_in_doubt_is_not_said_to_be_refused_where_only_a_later_offer_of_it_was(
    store: RedisStore, own_redis: RedisServer
) -> None:
    tasks = Tasks()
    environment = Environment("production", store, tasks)
    await environment.open(patience_s=5)
    async with own_redis.connection() as redis:
        making = asyncio.create_task(environment.commit(PutFlag()))
        async with asyncio.timeout(10):
            while not await waits(redis):
                pass
        await redis.acl_setuser("default", enabled=True, commands=["-evalsha", "-eval"])
        with pytest.raises(StoreUnavailable) as waited:
            await making
    assert "evalsha" in str(waited.value)
    assert not isinstance(waited.value, StoreRefused)
    await environment.close()
    await tasks.close()


async def waits(redis: Redis) -> bool:
    return any(each["cmd"] == "wait" and "b" in each["flags"] for each in await redis.client_list())
