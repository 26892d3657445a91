"""What `bench.evaluation` measures besides decisions: a store asked each time, whole snapshots, single patches."""

import gc
import sqlite3
import statistics
import tempfile
import time
import timeit
import tracemalloc
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from bench.contest import COUNTRIES, OTHERS
from tests.support.redis_server import RedisServer
from wigwag_proto.commit import Change
from wigwag_proto.ruleset import Ruleset

KILL = {"by": "bench", "at": 1}
PLAN = {"attribute": "plan", "operator": "equals", "value": "premium"}
AGE = {"attribute": "age", "operator": "greaterThanOrEqual", "value": 18}
COUNTRY = {"attribute": "country", "operator": "in", "value": COUNTRIES}
FLAGS: dict[str, dict[str, Any]] = {
    "off": {"enabled": True, "kill": KILL},
    "static": {"enabled": True},
    "rollout": {"enabled": True, "rolloutPercentage": 10},
    "rule": {"enabled": True, "rules": [PLAN]},
    "hard": {"enabled": True, "rules": [PLAN, AGE, COUNTRY], "rolloutPercentage": 50},
}


def other_flags(count: int) -> dict[str, dict[str, Any]]:
    """Return flags of all the shapes measured, so that what stands beside them is no desert."""
    shapes = list(FLAGS.values())
    return {f"other-{n}": {**shapes[n % len(shapes)], "description": f"flag number {n}"} for n in range(count)}


async def redis_get(count: int = 3000) -> dict[str, float | None]:
    """Return the ns of a GET per decision: redis-py's asyncio client with hiredis, over loopback."""
    with tempfile.TemporaryDirectory(prefix="wigwag-bench-") as folder:
        server = RedisServer(Path(folder))
        try:
            await server.start()
        except (OSError, RuntimeError):
            return {"Redis GET": None}

        client = Redis.from_url(server.url)
        await client.set("flag", "1")
        samples = []
        for _ in range(5):
            started = time.perf_counter()
            for _ in range(count // 5):
                await client.get("flag")
            samples.append((time.perf_counter() - started) / (count // 5) * 1e9)
        await client.aclose()
        await server.stop()
    return {"Redis GET": round(statistics.median(samples), 1)}


def sqlite_select() -> dict[str, float | None]:
    """Return the ns of a SELECT per decision: an indexed look-up in a file, in this thread."""
    with tempfile.TemporaryDirectory(prefix="wigwag-bench-") as folder:
        connection = sqlite3.connect(Path(folder) / "flags.db")
        connection.execute("CREATE TABLE flag (key TEXT PRIMARY KEY, enabled INTEGER) WITHOUT ROWID")
        connection.executemany("INSERT INTO flag VALUES (?, 1)", [(f"other-{n}",) for n in range(OTHERS)])
        connection.commit()
        select = "SELECT enabled FROM flag WHERE key = ?"
        timer = timeit.Timer(lambda: connection.execute(select, ("other-7",)).fetchone())
        samples = [timer.timeit(1000) * 1e6 for _ in range(7)]
        connection.close()
    return {"SQLite SELECT": round(statistics.median(samples), 1)}


def snapshot(size: int) -> dict[str, Any]:
    """Return what a whole snapshot costs to take in, what it weighs, and what one patch in it costs."""
    records = {"flag": other_flags(size), "segment": {}}
    took = []
    for _ in range(3):
        ruleset = Ruleset()
        took.append(timed(partial(ruleset.load, records, 1)))
    patches = [{**FLAGS["hard"], "description": f"patch {n}"} for n in range(400)]
    one_patch = [
        timed(partial(ruleset.apply, [Change("flag", "other-4", value)], n)) for n, value in enumerate(patches, 2)
    ]
    gc.collect()
    tracemalloc.start()
    weighed = Ruleset()
    weighed.load(records, 1)
    gc.collect()
    bytes_used = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return {
        "flags": size,
        "loadMs": round(statistics.median(took) * 1e3, 1),
        "kib": round(bytes_used / 1024),
        "bytesPerFlag": round(bytes_used / size),
        "patchUs": round(calmest(one_patch) * 1e6, 1),
    }


def calmest(samples: list[float], stretch: int = 25) -> float:
    """Return the lowest median of a stretch: 400 patches are over in less than one disturbance of the machine."""
    return min(statistics.median(samples[at : at + stretch]) for at in range(0, len(samples), stretch))


def timed(work: Callable[[], object]) -> float:
    """Return how long something takes, in seconds."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
