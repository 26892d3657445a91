"""What one evaluation costs: decided in the process, or by a read of the store for each. Both take turns."""

import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiosqlite
from redis.asyncio import Redis

from bench.loads.load import Orders, run, say
from wigwag import FlagClient, Reason, Settings
from wigwag_proto.codec import decode

Read = Callable[[], Awaitable[bool]]

# A local evaluation is that much cheaper that it takes many to see one.
LOCAL_PER_READ = 50
USERS = tuple(f"user-{number}" for number in range(1000))
RECORDS = "wigwag:{production}:records"
SELECT = "SELECT value FROM record WHERE environment = 'production' AND kind = 'flag' AND key = ?"


async def reads(orders: Orders) -> None:
    """Report, for each round, wall and processor time per evaluation of either kind, and how long each read took."""
    local: list[dict[str, float]] = []
    store: list[dict[str, float]] = []
    latencies_ns: list[int] = []
    async with (
        FlagClient(orders.url, orders.key, settings=Settings(cache_dir=None, start_timeout_s=30)) as client,
        reading(orders.store, orders.flag) as read,
    ):
        reason = client.explain(orders.flag, user_id=USERS[0], plan="premium").reason
        assert reason is Reason.ROLLOUT, reason
        for _ in range(orders.rounds):
            local.append(_decide(client, orders.flag, orders.reads * LOCAL_PER_READ))
            store.append(await _read(read, orders.reads, latencies_ns))
    say(local=local, store=store, latenciesNs=latencies_ns)


@asynccontextmanager
async def reading(store: str, flag: str) -> AsyncGenerator[Read]:
    """Return what reads the flag from the store and decodes it. Rules and rollout are left out, in its favour."""
    if store.startswith("sqlite:"):
        path = store.removeprefix("sqlite:")
        async with aiosqlite.connect(f"file:{path}?mode=ro", uri=True) as database:

            async def select() -> bool:
                ((value,),) = await database.execute_fetchall(SELECT, (flag,))
                return _is_on(decode(value))

            yield select
    else:
        async with Redis.from_url(store) as redis:

            async def hget() -> bool:
                value: Any = await redis.hget(RECORDS, f"flag/{flag}")
                return _is_on(decode(value))

            yield hget


def _is_on(flag: Any) -> bool:
    return flag["enabled"] is True and flag["kill"] is None


def _decide(client: FlagClient, flag: str, times: int) -> dict[str, float]:
    is_enabled = client.is_enabled
    turns = -(-times // len(USERS))
    wall, cpu = time.perf_counter_ns(), time.process_time_ns()
    for _ in range(turns):
        for user in USERS:
            is_enabled(flag, user_id=user, plan="premium")
    return _per_evaluation(wall, cpu, turns * len(USERS))


async def _read(read: Read, times: int, latencies_ns: list[int]) -> dict[str, float]:
    wall, cpu = time.perf_counter_ns(), time.process_time_ns()
    before = wall
    for _ in range(times):
        await read()
        now = time.perf_counter_ns()
        latencies_ns.append(now - before)
        before = now
    return _per_evaluation(wall, cpu, times)


def _per_evaluation(wall: int, cpu: int, times: int) -> dict[str, float]:
    return {
        "ns": (time.perf_counter_ns() - wall) / times,
        "cpuNs": (time.process_time_ns() - cpu) / times,
    }


if __name__ == "__main__":
    run(reads)
