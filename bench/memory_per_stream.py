"""What one idle stream costs a server in memory, and whether that grows with what has been sent on it.

    python -m bench.memory_per_stream [--json] [--streams 10000] [--changes 1000]

Each server first gets a tenth of the streams, which fills what is there only once, and then the rest: what it takes
more for these, divided by their number, is the figure. It is the process's own memory (Pss), with that of its workers,
and without the kernel's socket buffers. Then wigwag-server makes changes that all its streams get, and is measured
again.
"""

import argparse
import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.broadcast import FLOORS, PEERS, running, why_not
from bench.broadcast_wigwag import Wigwag, first_event, running_wigwag
from bench.events import Broadcaster
from bench.fanout import OPEN_S, PACKAGES
from bench.harness import report, show, table
from bench.options import positive
from bench.processes import memory_kib
from bench.session import Advance, run
from bench.streams import Streams, running_streams

CHANGES_S = 300.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured; `settle_s` is how long streams are idle before."""

    streams: int
    changes: int
    peers: Sequence[str]
    settle_s: float


async def measure(plan: Plan, folder: Path, advance: Advance) -> dict[str, Any]:
    """Measure one server after the other. Raises BenchFailed."""
    left_out = {name: why for name in plan.peers if (why := why_not(name))}
    names = [*FLOORS, *(name for name in plan.peers if name not in left_out)]
    advance("servers", 0, len(names) + 1)
    async with running_wigwag(folder) as wigwag:
        event = await first_event(wigwag)
        async with AsyncExitStack() as stack:
            rows, loads = await _opened(stack, wigwag, plan, folder)
            found = {"wigwag": rows}
            grown = await _grown(wigwag, loads, plan)
    for number, name in enumerate(names, start=1):
        advance("servers", number, len(names) + 1)
        async with running(name, folder, event) as server, AsyncExitStack() as stack:
            found[name], _ = await _opened(stack, server, plan, folder)
    advance("servers", len(names) + 1, len(names) + 1)
    return report(
        "memory_per_stream",
        packages=PACKAGES,
        unit="KiB",
        parameters={"streams": plan.streams, "changes": plan.changes},
        servers=found,
        growth=grown,
        leftOut=left_out,
    )


async def _opened(
    stack: AsyncExitStack, server: Broadcaster, plan: Plan, folder: Path
) -> tuple[dict[str, float], list[Streams]]:
    """Open the streams in two goes, and return what each go cost."""
    first, rest = plan.streams // 10, plan.streams - plan.streams // 10
    before = memory_kib(server.pid)
    loads = [await _load(stack, server, first, plan.settle_s, folder)]
    between = memory_kib(server.pid)
    loads.append(await _load(stack, server, rest, plan.settle_s, folder))
    after = memory_kib(server.pid)
    return {
        "empty": before,
        "full": after,
        "perStream": (after - between) / rest,
        "perStreamOfFirst": (between - before) / first,
    }, loads


async def _load(stack: AsyncExitStack, server: Broadcaster, count: int, settle_s: float, folder: Path) -> Streams:
    load = await stack.enter_async_context(running_streams(folder, server.port, count, key=server.key))
    await load.open(server.hello, OPEN_S)
    await asyncio.sleep(settle_s)
    return load


async def _grown(wigwag: Wigwag, loads: Sequence[Streams], plan: Plan) -> dict[str, float]:
    """Have so many changes reach all streams, and return the memory before, after half of them, and after all."""
    found: dict[str, float] = {"before": memory_kib(wigwag.pid)}
    for name in ("half", "after"):
        await wigwag.change(plan.changes // 2 - 1)
        for load in loads:
            load.expect(wigwag.marker())
        await wigwag.change(1)
        for load in loads:
            await load.arrived(CHANGES_S)
        await asyncio.sleep(plan.settle_s)
        found[name] = memory_kib(wigwag.pid)
    return found


def tables(result: Any) -> list[Any]:
    """Return the result as tables."""
    streams, changes, grown = result["parameters"]["streams"], result["parameters"]["changes"], result["growth"]
    rows = [
        (name, each["perStream"], each["perStreamOfFirst"], each["empty"] / 1024, each["full"] / 1024)
        for name, each in result["servers"].items()
    ]
    columns = ("", "KiB a stream", "of the first tenth", "empty, MiB", "full, MiB")
    left_out = "\n".join(f"{name} was left out: {why}" for name, why in result["leftOut"].items())
    growth = [("wigwag", *(grown[name] / 1024 for name in ("before", "half", "after")))]
    return [
        table(f"Memory of a server with {streams:,} idle streams", columns, rows, caption=left_out or None),
        table(f"While {changes:,} changes reach all of them", ("", "before, MiB", "half-way", "after"), growth),
    ]


def main() -> None:
    """Measure and show."""
    parser = argparse.ArgumentParser(prog="python -m bench.memory_per_stream", description="Memory of idle streams.")
    parser.add_argument("--streams", type=positive, default=10_000, help="how many streams [%(default)s]")
    parser.add_argument("--changes", type=positive, default=1_000, help="how many changes they get [%(default)s]")
    parser.add_argument("--without-peers", action="store_true", help="wigwag and the floors alone")
    parser.add_argument("--settle", type=float, default=2.0, help="seconds before each reading [%(default)s]")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    given = parser.parse_args()
    plan = Plan(given.streams, given.changes, () if given.without_peers else PEERS, given.settle)
    result = run("bench.memory_per_stream", lambda folder, advance: measure(plan, folder, advance))
    show(result, as_json=given.json, tables=[] if given.json else tables(result))


if __name__ == "__main__":
    main()
