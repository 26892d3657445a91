"""`python -m bench.propagation`, for real, with small numbers."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from bench.propagation_load import BenchFailed
from bench.propagation_store import opened
from bench.propagation_tables import tables
from tests.support.redis_server import RedisServer
from tests.support.waiting import until

ROOT = Path(__file__).resolve().parents[2]
CLIENTS, EVENTS, POLL_FLIPS = 5, 3, 2
SMALL = (
    *("--clients", str(CLIENTS), "--events", str(EVENTS)),
    *("--poll-interval", "0.3", "--poll-flips", str(POLL_FLIPS), "--reads", "100"),
)
SUMMARY = {"count", "min", "p50", "p90", "p99", "max", "mean"}


@asynccontextmanager
async def started(tmp_path: Path, *words: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run the benchmark in a session of its own, with its temporary files in `tmp_path`."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.propagation", *words),
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        for left in session_of(process.pid):
            with suppress(ProcessLookupError):
                os.kill(left, signal.SIGKILL)
        await process.wait()


async def finished(tmp_path: Path, *words: str) -> tuple[int | None, str, str]:
    """Run the benchmark to its end, see that it left nothing, and return exit status, output and errors."""
    async with started(tmp_path, *words) as process:
        output, errors = await asyncio.wait_for(process.communicate(), 60)
        assert session_of(process.pid) == []
    assert files_of(tmp_path) == []
    return process.returncode, output.decode(), errors.decode()


def session_of(leader: int) -> list[int]:
    """Return the processes of the session that `leader` began: itself, and whatever it started that still runs."""
    found = []
    for pid in (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()):
        with suppress(ProcessLookupError):
            if os.getsid(pid) == leader and not is_zombie(pid):
                found.append(pid)
    return found


def is_zombie(pid: int) -> bool:
    """Whether the process is over and only waits to be noticed."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def files_of(folder: Path) -> list[Path]:
    """Return what the benchmark left in the folder for temporary files."""
    return list(folder.glob("wigwag-bench-*"))


def check(result: Any, kind: str) -> None:
    """See that the document has everything, and that every flip reached every client."""
    assert result["bench"] == "propagation"
    assert result["machine"]["cores"] >= 1
    assert result["versions"]["wigwag"]
    assert result["store"]["kind"] == kind
    assert result["parameters"]["clients"] == CLIENTS
    assert result["push"]["clientsReached"] == [CLIENTS] * EVENTS
    assert result["polling"]["clientsReached"] == [CLIENTS] * POLL_FLIPS
    for approach, flips in (("push", EVENTS), ("polling", POLL_FLIPS)):
        for name in ("acknowledgedMs", "firstMs", "medianMs", "lastMs", "ackToLastMs"):
            assert set(result[approach][name]) == SUMMARY
            assert result[approach][name]["count"] == flips
        assert 0 < result[approach]["firstMs"]["min"] <= result[approach]["lastMs"]["max"]
    for name in ("confirmedMs", "provenMs"):
        assert result["push"][name]["count"] == EVENTS
        assert result["push"][name]["min"] >= 0
    assert result["polling"]["atRest"]["requests"] > 0
    assert result["reads"]["storeLatencyNs"]["count"] == 100
    assert result["reads"]["local"]["ns"]["min"] > 0
    assert set(result["ratios"]) == {
        "pollToPushLast",
        "pollToPushMedianClient",
        "storeReadToLocal",
        "storeReadToLocalCpu",
    }


@pytest.mark.parametrize("store", ["sqlite", "redis"])
async def test_every_flip_reaches_every_client_and_nothing_is_left_running(store: str, tmp_path: Path) -> None:
    status, output, errors = await finished(tmp_path, "--store", store, *SMALL, "--json")
    assert (status, errors) == (0, "")
    result = json.loads(output)
    check(result, store)
    assert [len(table.rows) for table in tables(result)] == [12, 2, 3]


async def test_a_given_redis_is_left_as_it_was(redis_server: RedisServer, tmp_path: Path) -> None:
    async with redis_server.connection() as redis:
        await redis.set("other", "kept")
        async with opened(redis_server.url, tmp_path) as store:
            await redis.set("wigwag:environments", "of the benchmark")
        assert (store.url, store.kind) == (redis_server.url, "redis")
        assert await redis.keys() == [b"other"]


async def test_a_redis_that_somebody_uses_is_refused_untouched(redis_server: RedisServer, tmp_path: Path) -> None:
    async with redis_server.connection() as redis:
        await redis.set("wigwag:environments", "production")
        with pytest.raises(BenchFailed, match="Give an empty database"):
            async with opened(redis_server.url, tmp_path):
                pass
        assert await redis.keys() == [b"wigwag:environments"]


async def test_a_store_that_is_away_is_a_plain_message(tmp_path: Path) -> None:
    status, output, errors = await finished(tmp_path, "--store", "redis://127.0.0.1:1/0")
    assert (status, output) == (1, "")
    assert errors.startswith("bench.propagation: the Redis at --store cannot be used: ")


@pytest.mark.parametrize("words", [("--store", "mysql"), ("--clients", "0")])
async def test_wrong_options_are_named_before_anything_starts(words: tuple[str, ...], tmp_path: Path) -> None:
    status, output, errors = await finished(tmp_path, *words)
    assert (status, output) == (2, "")
    assert words[0] in errors


@pytest.mark.parametrize(
    ("store", "third"), [("sqlite", "the clients"), ("redis", "the server")], ids=["under way", "while it starts"]
)
async def test_ctrl_c_ends_and_removes_everything(store: str, third: str, tmp_path: Path) -> None:
    async with started(tmp_path, *SMALL, "--store", store, "--events", "1000") as process:
        # The benchmark, then the server or Redis.
        await until(lambda: len(session_of(process.pid)) == 3, third)
        os.killpg(process.pid, signal.SIGINT)
        output, errors = await asyncio.wait_for(process.communicate(), 20)
        assert session_of(process.pid) == []
    assert (process.returncode, output, errors) == (130, b"", b"bench.propagation: interrupted\n")
    assert files_of(tmp_path) == []
