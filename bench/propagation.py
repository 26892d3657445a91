"""How long a kill takes to reach everyone: pushed, polled for, or read from the store on each request.

    python -m bench.propagation --store redis --clients 100
    python -m bench.propagation --store redis --clients 100 --json

One run measures all three on one server process, one store and one machine; only figures of one run compare. The
clients are in a process of their own. Everything is on loopback, and all times are read from one clock:
CLOCK_MONOTONIC, which the processes of a Linux machine share.
"""

import argparse
import asyncio
import resource
import signal
import sys
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import uvloop
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from bench.harness import report, show
from bench.propagation_load import BenchFailed
from bench.propagation_phases import Plan, measure_polling, measure_push, measure_reads, prepared
from bench.propagation_server import running_server
from bench.propagation_store import is_store, opened
from bench.propagation_tables import ratios, tables

PACKAGES = ("wigwag", "aiohttp", "uvloop", "redis", "hiredis", "aiosqlite", "orjson", "msgspec")
INTERRUPTED = 130


def main() -> None:
    """Measure and show."""
    plan, as_json = _read_options()
    allow_open_files()
    try:
        with tempfile.TemporaryDirectory(prefix="wigwag-bench-") as folder, _progress() as progress:
            result = uvloop.run(_until_interrupted(measure(plan, Path(folder), progress)))
    except BenchFailed as error:
        sys.exit(f"bench.propagation: {error}")
    except asyncio.CancelledError:
        print("bench.propagation: interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)
    show(result, as_json=as_json, tables=[] if as_json else tables(result))


async def measure(plan: Plan, folder: Path, progress: Progress) -> dict[str, Any]:
    """Measure the three approaches one after the other. Raises BenchFailed."""
    bars: dict[str, TaskID] = {}

    def advance(what: str, done: int, total: int) -> None:
        bar = bars.setdefault(what, TaskID(-1))
        if bar == -1:
            bar = bars[what] = progress.add_task(what, total=total)
        progress.update(bar, completed=done)

    async with opened(plan.store, folder) as store, running_server(store.url, folder) as operator:
        site = await prepared(operator, store.url, folder)
        push = await measure_push(site, plan, advance)
        polling = await measure_polling(site, plan, advance)
        reads = await measure_reads(site, plan, advance)
    return report(
        "propagation",
        packages=PACKAGES,
        store={"kind": store.kind, "version": store.version},
        parameters={
            "clients": plan.clients,
            "events": plan.events,
            "pollIntervalS": plan.poll_interval_s,
            "pollFlips": plan.poll_flips,
            "reads": plan.reads,
        },
        push=push,
        polling=polling,
        reads=reads,
        ratios=ratios(push, polling, reads),
    )


def _read_options() -> tuple[Plan, bool]:
    parser = argparse.ArgumentParser(prog="python -m bench.propagation", description="Measure flips, three ways.")
    parser.add_argument("--store", default="redis", help="redis or sqlite (its own), or redis://… (an empty database)")
    parser.add_argument("--clients", type=_positive, default=100, help="how many client instances [%(default)s]")
    parser.add_argument("--events", type=_positive, default=50, help="how many kills are pushed [%(default)s]")
    parser.add_argument("--poll-interval", type=float, default=5.0, help="seconds between two polls [%(default)s]")
    parser.add_argument("--poll-flips", type=_positive, default=5, help="how many flips are polled for [%(default)s]")
    parser.add_argument("--reads", type=_positive, default=10_000, help="how many reads of the store [%(default)s]")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    given = parser.parse_args()
    if not is_store(given.store):
        parser.error(f"--store {given.store!r}: give redis, sqlite, or redis://host:port/db")
    if not 0.05 <= given.poll_interval <= 60:
        parser.error("--poll-interval is 0.05 to 60 seconds")
    plan = Plan(given.store, given.clients, given.events, given.poll_interval, given.poll_flips, given.reads)
    return plan, given.json


def _positive(text: str) -> int:
    if not text.isdecimal() or (number := int(text)) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return number


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty())


def allow_open_files() -> None:
    """Let this process and those it starts open as many files as they may: each stream is one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


async def _until_interrupted(work: Coroutine[Any, Any, dict[str, Any]]) -> dict[str, Any]:
    task = asyncio.create_task(work)

    def interrupt() -> None:
        # A second Ctrl-C must not cut short the clearing up that the first one began; that takes seconds at most.
        if not task.cancelling():
            task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, interrupt)
    return await task


if __name__ == "__main__":
    main()
