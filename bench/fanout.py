"""One event, N open streams: how long until the last client has it.

    python -m bench.fanout [--json] [--streams 100,1000,5000,10000,19000] [--events 50]

All servers run at the same time, each with its own N streams, and take turns event by event; so whatever the machine
does meanwhile meets them all alike. The event is what wigwag-server writes for a kill, and the others write
the same bytes (nginx and the SSE libraries: the same data, in their own frame). The clients are a C program. Two times
are told apart: from the request (a kill by the admin API, committed to SQLite) and from when the server has the event.
"""

import argparse
import asyncio
import os
import random
import signal
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from bench.broadcast import FLOORS, PEERS, TRIED, running, why_not
from bench.broadcast_wigwag import Wigwag, first_event, running_wigwag
from bench.events import Broadcaster
from bench.fanout_tables import tables
from bench.harness import report, show, summary
from bench.options import counts, positive
from bench.processes import Cpu, cpu
from bench.propagation_load import BenchFailed
from bench.session import Advance, run
from bench.streams import Arrival, Streams, running_streams

PACKAGES = ("wigwag", "aiohttp", "uvloop", "aiohttp-sse", "sse-starlette", "starlette", "uvicorn", "httptools")
SIZES = (100, 1_000, 5_000, 10_000, 19_000)
SLOW = {"starlette, uvicorn": 5, "aiohttp-sse": 5, "sse-starlette, uvicorn": 5}  # takes every fifth turn
SLOW_UP_TO = 10_000
OPEN_S, ARRIVAL_S = 90.0, 30.0
WARM_UP = 2
PROBES = 5


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured."""

    sizes: Sequence[int]
    events: int
    peers: Sequence[str]


@dataclass(slots=True)
class Contestant:
    """A server with its streams, and when each event of it arrived."""

    name: str
    server: Broadcaster
    streams: Streams
    every: int = 1
    from_request_ms: list[float] = field(default_factory=list)
    from_server_ms: list[float] = field(default_factory=list)
    curves: list[list[float]] = field(default_factory=list)
    turns: list[int] = field(default_factory=list)
    used: Cpu = field(default_factory=Cpu)

    async def take_turn(self, number: int) -> None:
        """Have one event written to all streams, and take the times."""
        before = cpu(self.server.pid)
        self.streams.expect(self.server.marker())
        published = await self.server.publish()
        arrival = await self._arrived()
        self.used += cpu(self.server.pid) - before
        self.from_request_ms.append((arrival.last_ns - published.sent_ns) / 1e6)
        self.from_server_ms.append((arrival.last_ns - published.at_ns) / 1e6)
        self.curves.append([(at - published.at_ns) / 1e6 for at in arrival.percent_ns])
        self.turns.append(number)
        await self.server.settle(self.streams.expect, self._arrived)
        # So that no event falls into the tail of the one before, nor into step with a timer.
        await asyncio.sleep(random.uniform(0.01, 0.03))

    async def _arrived(self) -> Arrival:
        try:
            return await self.streams.arrived(ARRIVAL_S)
        except BenchFailed as error:
            raise BenchFailed(f"{self.name}: {error}") from None

    def forget(self) -> None:
        """Begin to count, after the warm-up."""
        self.used = Cpu()
        for each in (self.from_request_ms, self.from_server_ms, self.curves, self.turns):
            each.clear()


async def measure(plan: Plan, folder: Path, advance: Advance) -> dict[str, Any]:
    """Measure each number of streams in turn. Raises BenchFailed."""
    left_out = {name: why for name in plan.peers if (why := why_not(name))}
    sizes = []
    for size in plan.sizes:
        own = folder / str(size)
        own.mkdir()
        sizes.append(await _at_size(size, plan, [each for each in plan.peers if each not in left_out], own, advance))
    return report(
        "fanout",
        packages=PACKAGES,
        unit="ms",
        parameters={"streams": list(plan.sizes), "events": plan.events},
        eventBytes=sizes[0].pop("eventBytes"),
        sizes=sizes,
        leftOut=left_out,
    )


async def _at_size(size: int, plan: Plan, peers: Sequence[str], folder: Path, advance: Advance) -> dict[str, Any]:
    what = f"{size:,} streams"
    advance(what, 0, plan.events)
    async with AsyncExitStack() as stack:
        wigwag = await stack.enter_async_context(running_wigwag(folder))
        event = await first_event(wigwag)
        contestants = [await _contestant(stack, "wigwag", wigwag, size, folder)]
        for name in (*FLOORS, *peers):
            if name in SLOW and size > SLOW_UP_TO:
                continue
            server = await stack.enter_async_context(running(name, folder, event))
            contestants.append(await _contestant(stack, name, server, size, folder))
        for turn in range(-WARM_UP, plan.events):
            if turn == 0:
                for each in contestants:
                    each.forget()
            for each in contestants:
                if turn < 0 or turn % each.every == 0:
                    await each.take_turn(turn)
            advance(what, turn + 1, plan.events)
        longest = await _longest_step(wigwag, contestants[0])
    return {
        "streams": size,
        "eventBytes": len(event),
        "servers": {each.name: _described(each) for each in contestants},
        "ratios": _ratios(contestants),
        "longestStep": {name: summary(values) for name, values in longest.items()},
    }


async def _contestant(stack: AsyncExitStack, name: str, server: Broadcaster, size: int, folder: Path) -> Contestant:
    streams = await stack.enter_async_context(running_streams(folder, server.port, size, key=server.key))
    try:
        await streams.open(server.hello, OPEN_S)
    except BenchFailed as error:
        raise BenchFailed(f"{name}: {error}") from None
    return Contestant(name, server, streams, SLOW.get(name, 1))


async def _longest_step(wigwag: Wigwag, contestant: Contestant) -> dict[str, list[float]]:
    """Return the longest step of wigwag's event loop during each of a few more fan-outs."""
    os.kill(wigwag.pid, signal.SIGUSR1)
    streams = contestant.streams
    steps: dict[str, list[float]] = {"longestMs": [], "longestCpuMs": []}
    for _ in range(PROBES):
        streams.expect(wigwag.marker())
        revision = (await wigwag.publish()).revision
        await streams.arrived(ARRIVAL_S)
        async with asyncio.timeout(ARRIVAL_S):
            while not (found := [each for each in wigwag.stamps() if each.get("probed") == revision]):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        for name, values in steps.items():
            values.append(found[0][name])
        await wigwag.settle(streams.expect, lambda: streams.arrived(ARRIVAL_S))
    return steps


def _described(contestant: Contestant) -> dict[str, Any]:
    return {
        "fromServerMs": summary(contestant.from_server_ms),
        "fromRequestMs": summary(contestant.from_request_ms),
        "ownCpuMs": contestant.used.own_s * 1000 / len(contestant.turns),
        "kernelCpuMs": contestant.used.kernel_s * 1000 / len(contestant.turns),
        "percentMs": [round(median(at), 3) for at in zip(*contestant.curves, strict=True)],
    }


def _ratios(contestants: Sequence[Contestant]) -> dict[str, dict[str, float]]:
    """Return how many times as long wigwag took as each of the others: by turns, which were seconds apart at most."""
    mine = contestants[0]
    own = dict(zip(mine.turns, mine.from_server_ms, strict=True))
    ratios = {}
    for other in contestants[1:]:
        paired = [own[turn] / theirs for turn, theirs in zip(other.turns, other.from_server_ms, strict=True)]
        ratios[other.name] = {
            "ofMedians": median(mine.from_server_ms) / median(other.from_server_ms),
            **{name: value for name, value in summary(paired).items() if name in ("count", "min", "p50", "p90")},
        }
    return ratios


def main() -> None:
    """Measure and show."""
    plan, as_json = _read_options()
    result = run("bench.fanout", lambda folder, advance: measure(plan, folder, advance))
    show(result, as_json=as_json, tables=[] if as_json else tables(result))


def _read_options() -> tuple[Plan, bool]:
    parser = argparse.ArgumentParser(prog="python -m bench.fanout", description="One event to all streams.")
    sizes = ",".join(map(str, SIZES))
    parser.add_argument("--streams", type=counts, default=sizes, help="numbers of streams [%(default)s]")
    parser.add_argument("--events", type=positive, default=50, help="how many events a server [%(default)s]")
    parser.add_argument("--without-peers", action="store_true", help="wigwag and the floors alone")
    parser.add_argument("--tried", action="store_true", help="wigwag, the floors, and what was tried beside them")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    given = parser.parse_args()
    others = TRIED if given.tried else () if given.without_peers else PEERS
    return Plan(given.streams, given.events, others), given.json


if __name__ == "__main__":
    main()
