"""The benchmarks of streams, for real, with small numbers: everything is measured, and nothing is left."""

import asyncio
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.registry import BENCHMARKS

ROOT = Path(__file__).resolve().parents[2]
SUMMARY = {"count", "min", "p50", "p90", "p99", "max", "mean"}

pytestmark = pytest.mark.skipif(not (shutil.which("cc") or shutil.which("gcc")), reason="there is no C compiler")


async def measured(tmp_path: Path, name: str, *words: str) -> Any:
    """Run a benchmark to its end, and return its result; its tables are made, too."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", f"bench.{name}", *words, "--json"),
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await asyncio.wait_for(process.communicate(), 80)
    assert (process.returncode, errors) == (0, b"")
    assert os.listdir(tmp_path) == []  # noqa: PTH208 - one look at a folder
    result = json.loads(output)
    assert result["bench"] == name
    assert result["versions"]["wigwag"]
    assert next(each for each in BENCHMARKS if each.name == name).tables(result)
    return result


async def test_the_fan_out_is_measured_beside_the_floors(tmp_path: Path) -> None:
    result = await measured(tmp_path, "fanout", "--without-peers", "--streams", "20", "--events", "3")
    assert result["eventBytes"] > 400
    assert [size["streams"] for size in result["sizes"]] == [20]
    for size in result["sizes"]:
        assert list(size["servers"]) == ["wigwag", "bare C", "raw uvloop"]
        for each in size["servers"].values():
            assert set(each["fromServerMs"]) == SUMMARY
            assert each["fromServerMs"]["count"] == 3
            assert 0 < each["percentMs"][0] <= each["percentMs"][100]
            assert each["fromServerMs"]["p50"] <= each["fromRequestMs"]["p50"]
        assert size["ratios"]["bare C"]["ofMedians"] > 0
        assert size["longestStep"]["longestMs"]["max"] > 0


async def test_a_storm_of_reconnects_encodes_one_snapshot_at_most(tmp_path: Path) -> None:
    result = await measured(tmp_path, "reconnect_storm", "--streams", "50", "--flags", "5", "--rounds", "1")
    assert result["resumed"]["encoded"]["max"] == 0
    assert result["anew"]["encoded"]["max"] == 1
    assert result["anew"]["lastMs"]["p50"] >= result["anew"]["medianMs"]["p50"] > 0


@pytest.mark.long
async def test_memory_and_idle_cost_are_measured(tmp_path: Path) -> None:
    words = ("--without-peers", "--streams", "50", "--changes", "4", "--settle", "0.1")
    memory = await measured(tmp_path, "memory_per_stream", *words)
    assert set(memory["servers"]) == {"wigwag", "bare C", "raw uvloop"}
    assert set(memory["growth"]) == {"before", "half", "after"}
    idle = await measured(tmp_path, "idle", "--streams", "20", "--seconds", "1", "--settle", "0.1")
    assert set(idle["servers"]) == {"wigwag", "raw uvloop, beating"}


async def test_a_patch_into_a_client_is_measured(tmp_path: Path) -> None:
    result = await measured(tmp_path, "client_patch", "--flags", "10,50", "--events", "5")
    assert set(result["takers"]) == {"10 flags", "50 flags", "bare protocol"}


async def test_without_a_c_compiler_it_says_so(tmp_path: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PATH": str(tmp_path)}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.fanout", "--streams", "1", "--events", "1", "--without-peers"),
        cwd=ROOT,
        env=environment,
        stderr=asyncio.subprocess.PIPE,
    )
    _, errors = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 1
    assert errors.decode().startswith("bench.fanout: there is no C compiler")
