"""What streams cost a server while nothing happens: heartbeats.

    python -m bench.idle [--json] [--streams 10000] [--seconds 20]

wigwag-server and a raw uvloop protocol that writes as many bytes as often (every 5 s to each stream) run side by side.
The figure is the processor time that each used, as a share of one core.
"""

import argparse
import asyncio
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from bench.broadcast_piped import running_piped
from bench.broadcast_wigwag import first_event, running_wigwag
from bench.events import Broadcaster
from bench.fanout import OPEN_S, PACKAGES
from bench.harness import report, show, table
from bench.options import positive
from bench.processes import cpu_s
from bench.session import Advance, run
from bench.streams import running_streams

WINDOWS = 5


async def measure(streams: int, seconds: int, settle_s: float, folder: Path, advance: Advance) -> dict[str, Any]:
    """Measure both at once, in several windows. Raises BenchFailed."""
    async with AsyncExitStack() as stack:
        wigwag = await stack.enter_async_context(running_wigwag(folder))
        raw = await stack.enter_async_context(running_piped("raw uvloop, beating", folder, await first_event(wigwag)))
        servers: dict[str, Broadcaster] = {"wigwag": wigwag, "raw uvloop, beating": raw}
        empty = {name: await _shares({name: server}, 2.0) for name, server in servers.items()}
        for server in servers.values():
            load = await stack.enter_async_context(running_streams(folder, server.port, streams, key=server.key))
            await load.open(server.hello, OPEN_S)
        await asyncio.sleep(settle_s)
        windows = []
        for window in range(WINDOWS):
            advance("windows", window, WINDOWS)
            windows.append(await _shares(servers, seconds / WINDOWS))
        advance("windows", WINDOWS, WINDOWS)
    return report(
        "idle",
        packages=PACKAGES,
        unit="share of one core",
        parameters={"streams": streams, "seconds": seconds, "heartbeatS": 5},
        servers={
            name: {
                "empty": empty[name][name],
                "share": sum(each[name] for each in windows) / WINDOWS,
                "least": min(each[name] for each in windows),
                "most": max(each[name] for each in windows),
            }
            for name in servers
        },
    )


async def _shares(servers: dict[str, Broadcaster], seconds: float) -> dict[str, float]:
    used = {name: cpu_s(server.pid) for name, server in servers.items()}
    began = time.monotonic()
    await asyncio.sleep(seconds)
    took = time.monotonic() - began
    return {name: (cpu_s(server.pid) - used[name]) / took for name, server in servers.items()}


def tables(result: Any) -> list[Any]:
    """Return the result as a table."""
    parameters = result["parameters"]
    rows = [
        (name, *(f"{each[key]:.1%}" for key in ("share", "least", "most", "empty")))
        for name, each in result["servers"].items()
    ]
    title = f"Processor share (of one core), {parameters['streams']:,} idle streams, a heartbeat every 5 s"
    return [table(title, ("", "mean", "least", "most", "without streams"), rows)]


def main() -> None:
    """Measure and show."""
    parser = argparse.ArgumentParser(prog="python -m bench.idle", description="What idle streams cost.")
    parser.add_argument("--streams", type=positive, default=10_000, help="how many streams [%(default)s]")
    parser.add_argument("--seconds", type=positive, default=20, help="how long they are looked at [%(default)s]")
    parser.add_argument("--settle", type=float, default=5.0, help="seconds before the first look [%(default)s]")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    given = parser.parse_args()
    plan = given.streams, given.seconds, given.settle
    result = run("bench.idle", lambda folder, advance: measure(*plan, folder, advance))
    show(result, as_json=given.json, tables=[] if given.json else tables(result))


if __name__ == "__main__":
    main()
