"""Which benchmarks there are, what `make bench` runs of them, and where each puts its result."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from rich.table import Table

from bench.harness import ROOT

RESULTS = ROOT / "bench" / "results"


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a benchmark in `make bench`: the options, and the name of the result."""

    result: str
    options: Sequence[str] = ()

    @property
    def path(self) -> Path:
        """Where the result is."""
        return RESULTS / f"{self.result}.json"


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A module that runs alone, and has `tables(result)` (in `shown_by`, where that is another one).

    `on_demand`: not in the ten minutes of `make bench`; `python -m bench.suite NAME` runs it and writes its result.
    """

    name: str
    what: str
    runs: Sequence[Run] = ()
    shown_by: str = ""
    on_demand: bool = False

    def tables(self, result: Any) -> list[Table]:
        """Return a result of it as tables."""
        tables: Callable[[Any], list[Table]] = import_module(f"bench.{self.shown_by or self.name}").tables
        return tables(result)


BENCHMARKS = (
    Benchmark(
        "propagation",
        "a kill to all Python clients: pushed, polled for, or read from the store on each request",
        [
            Run("propagation-100", ("--clients", "100", "--events", "20", "--poll-flips", "2")),
            Run("propagation-1000", ("--clients", "1000", "--events", "15", "--poll-flips", "2")),
        ],
        "propagation_tables",
    ),
    Benchmark(
        "fanout",
        "one event to 100 … 19,000 streams, beside a bare C loop, raw uvloop, and other servers",
        [
            Run("fanout"),
            Run("fanout-tried", ("--tried", "--streams", "10000", "--events", "15")),
        ],
        "fanout_tables",
    ),
    Benchmark("reconnect_storm", "10,000 clients come back in the same moment", [Run("reconnect_storm")]),
    Benchmark(
        "memory_per_stream",
        "memory of idle streams, and whether it grows",
        [Run("memory_per_stream", ("--changes", "700", "--settle", "1"))],
    ),
    Benchmark("idle", "processor share of 10,000 idle streams with heartbeats", [Run("idle")]),
    Benchmark("client_patch", "one patch into a Python client that holds 10 … 10,000 flags", [Run("client_patch")]),
    Benchmark(
        "evaluation",
        "one decision, beside a dict look-up, the bare hash, and other SDKs",
        [Run("evaluation", ("--rounds", "40"))],
    ),
    Benchmark("install", "what an installation brings along, and what an import costs", [Run("install")]),
    Benchmark(
        "first_minutes",
        "install, start, paste, flip, see, in a fresh environment",
        [Run("first_minutes")],
        on_demand=True,
    ),
    Benchmark(
        "capacity",
        "what a stream, a change and a report cost a server, as a model that is checked",
        [Run("capacity", ("--seconds", "10"))],
        on_demand=True,
    ),
    Benchmark("integrations", "what the middlewares add to a request, beside the bare app"),
    Benchmark("proof", "a kill to the proof that it is in force: 1,000 instances over two servers, some suspended"),
    Benchmark("soak", "servers, Redis and clients under faults for as long as you like; nothing may be lost"),
)
