"""All clients come back at once: how long until all are current, and what it costs the server.

    python -m bench.reconnect_storm [--json] [--streams 10000] [--flags 100] [--rounds 3]

*Resumed*: all connections broke, and a change was made meanwhile; the server has what they missed. *Anew*: the server
itself was killed, and started again on its store; it does not know what they missed, so each gets everything. All of
them connect in the same moment, with no backoff, which real clients have. The time counts from then; how long the
server took to start comes apart.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from bench.broadcast_wigwag import FLAG
from bench.events import marker
from bench.fanout import OPEN_S, PACKAGES
from bench.harness import report, show, summary, table
from bench.options import positive
from bench.processes import cpu_s, memory_kib
from bench.propagation_server import Operator, running_server
from bench.session import Advance, run
from bench.streams import Arrival, Streams, running_streams
from wigwag_proto.commit import Cursor

STORM_S = 120.0
ENCODED = 'wigwag_snapshots_encoded_total{environment="production"}'


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured."""

    streams: int
    flags: int
    rounds: int


async def measure(plan: Plan, folder: Path, advance: Advance) -> dict[str, Any]:
    """Measure storms of both kinds. Raises BenchFailed."""
    resumed: list[dict[str, float]] = []
    anew: list[dict[str, float]] = []
    starts: list[float] = []
    store, token = f"sqlite:{folder / 'wigwag.db'}", "ww_admin_of-the-benchmark-of-storms"
    async with running_server(store, folder, token=token) as operator:
        for number in range(plan.flags):
            await operator.put(f"flag-{number:05}", enabled=True, description="x" * 200)
        await operator.put(FLAG, enabled=True)
        key = await operator.new_key()
        port = int(operator.url.rpartition(":")[2])
        async with running_streams(folder, port, plan.streams, key=key) as streams:
            await streams.open(b"event: sync", OPEN_S)
            for number in range(plan.rounds):
                cursor = await _cursor(operator)
                await streams.close()
                revision = await operator.put(FLAG, enabled=number % 2 == 0)
                resumed.append(await _storm(operator, streams, plan, marker(revision), cursor))
                advance("resumed", number + 1, plan.rounds)
    for number in range(plan.rounds):
        # The last change is in the store, and not among the recent ones that the new server keeps in memory.
        began = time.monotonic()
        async with running_server(store, folder, token=token) as operator:
            starts.append((time.monotonic() - began) * 1000)
            port = int(operator.url.rpartition(":")[2])
            async with running_streams(folder, port, plan.streams, key=key) as streams:
                # The same encoding that goes to the streams; it counts as the one that they need.
                end_of_all = (await _snapshot(operator, key))[-48:]
                anew.append(await _storm(operator, streams, plan, end_of_all, cursor))
            anew[-1]["encoded"] = await _encoded(operator)
            cursor = await _cursor(operator)
            await operator.put(FLAG, enabled=number % 2 == 0)
        advance("anew", number + 1, plan.rounds)
    return report(
        "reconnect_storm",
        packages=PACKAGES,
        parameters={"streams": plan.streams, "flags": plan.flags, "rounds": plan.rounds},
        serverStartMs=summary(starts),
        resumed=_described(resumed),
        anew=_described(anew),
    )


async def _storm(operator: Operator, streams: Streams, plan: Plan, mark: bytes, cursor: Cursor) -> dict[str, float]:
    encoded, used = await _encoded(operator), cpu_s(operator.pid)
    arrival: Arrival = await streams.open(mark, STORM_S, at_once=plan.streams, cursor=str(cursor))
    return {
        "medianMs": (arrival.percent_ns[50] - arrival.began_ns) / 1e6,
        "lastMs": (arrival.last_ns - arrival.began_ns) / 1e6,
        "cpuS": cpu_s(operator.pid) - used,
        "encoded": await _encoded(operator) - encoded,
        "memoryMib": memory_kib(operator.pid) / 1024,
    }


async def _cursor(operator: Operator) -> Cursor:
    return Cursor.parse(await operator.cursor())


async def _snapshot(operator: Operator, key: str) -> bytes:
    headers = {"Authorization": f"Bearer {key}", "Accept-Encoding": "identity"}
    async with aiohttp.ClientSession(headers=headers) as session, session.get(f"{operator.url}/v1/snapshot") as answer:
        return await answer.read()


async def _encoded(operator: Operator) -> int:
    async with aiohttp.ClientSession() as session, session.get(f"{operator.url}/metrics") as answer:
        lines = (await answer.text()).splitlines()
    return int(float(next(line.rpartition(" ")[2] for line in lines if line.startswith(ENCODED))))


def _described(storms: Sequence[dict[str, float]]) -> dict[str, Any]:
    return {name: summary([each[name] for each in storms]) for name in storms[0]}


def tables(result: Any) -> list[Any]:
    """Return the result as a table."""
    parameters = result["parameters"]
    shown: Callable[[Any], list[Any]] = lambda kind: [  # noqa: E731
        *(kind[name]["p50"] for name in ("medianMs", "lastMs", "cpuS")),
        kind["encoded"]["max"],
        kind["memoryMib"]["max"],
    ]
    rows = [("resumed", *shown(result["resumed"])), ("anew", *shown(result["anew"]))]
    title = f"{parameters['streams']:,} clients connect in the same moment, {parameters['flags']:,} flags"
    columns = ("", "median client, ms", "last client, ms", "CPU s", "snapshots encoded", "memory after, MiB")
    return [table(title, columns, rows)]


def main() -> None:
    """Measure and show."""
    parser = argparse.ArgumentParser(prog="python -m bench.reconnect_storm", description="All clients at once.")
    parser.add_argument("--streams", type=positive, default=10_000, help="how many streams [%(default)s]")
    parser.add_argument("--flags", type=positive, default=100, help="how many flags there are [%(default)s]")
    parser.add_argument("--rounds", type=positive, default=3, help="how often [%(default)s]")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    given = parser.parse_args()
    plan = Plan(given.streams, given.flags, given.rounds)
    result = run("bench.reconnect_storm", lambda folder, advance: measure(plan, folder, advance))
    show(result, as_json=given.json, tables=[] if given.json else tables(result))


if __name__ == "__main__":
    main()
