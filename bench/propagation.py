"""How long a kill takes to reach everyone: pushed, polled for, or read from the store on each request.

    python -m bench.propagation --store redis --clients 100
    python -m bench.propagation --store redis --clients 100 --json

One run measures all three on one server process, one store and one machine; only figures of one run compare. The
clients are in a process of their own. Everything is on loopback, and all times are read from one clock:
CLOCK_MONOTONIC, which the processes of a Linux machine share.
"""

import argparse
from pathlib import Path
from typing import Any

from bench.harness import report, show
from bench.options import positive
from bench.propagation_phases import Plan, measure_polling, measure_push, measure_reads, prepared
from bench.propagation_server import running_server
from bench.propagation_store import is_store, opened
from bench.propagation_tables import ratios, tables
from bench.session import Advance, run

PACKAGES = ("wigwag", "aiohttp", "uvloop", "redis", "hiredis", "aiosqlite", "orjson", "msgspec")


def main() -> None:
    """Measure and show."""
    plan, as_json = _read_options()
    result = run("bench.propagation", lambda folder, advance: measure(plan, folder, advance))
    show(result, as_json=as_json, tables=[] if as_json else tables(result))


async def measure(plan: Plan, folder: Path, advance: Advance) -> dict[str, Any]:
    """Measure the three approaches one after the other. Raises BenchFailed."""
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
    parser.add_argument("--clients", type=positive, default=100, help="how many client instances [%(default)s]")
    parser.add_argument("--events", type=positive, default=50, help="how many kills are pushed [%(default)s]")
    parser.add_argument("--poll-interval", type=float, default=5.0, help="seconds between two polls [%(default)s]")
    parser.add_argument("--poll-flips", type=positive, default=5, help="how many flips are polled for [%(default)s]")
    parser.add_argument("--reads", type=positive, default=10_000, help="how many reads of the store [%(default)s]")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    given = parser.parse_args()
    if not is_store(given.store):
        parser.error(f"--store {given.store!r}: give redis, sqlite, or redis://host:port/db")
    if not 0.05 <= given.poll_interval <= 60:
        parser.error("--poll-interval is 0.05 to 60 seconds")
    plan = Plan(given.store, given.clients, given.events, given.poll_interval, given.poll_flips, given.reads)
    return plan, given.json


if __name__ == "__main__":
    main()
