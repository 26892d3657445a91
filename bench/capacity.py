"""What a stream, a change and a report cost a server, as a model; and how far that is from what it was not made of.

    python -m bench.capacity [--json] [--seconds 10]

One wigwag-server on SQLite. Streams are opened in steps; at each step the processor time of its threads, its memory and
the bytes on one of the streams are measured, without changes and with some a second, and with reports as clients send
them. Some of the points make the model (`bench.capacity_model`), and it has to tell the others.
"""

import argparse
import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import aiohttp

from bench.capacity_model import PLANNED_SHARE, Model, Point, fitted
from bench.harness import report, show, table
from bench.options import positive
from bench.processes import memory_kib
from bench.propagation_load import BenchFailed
from bench.propagation_server import Operator, running_server
from bench.session import Advance, run
from bench.streams import running_streams
from wigwag_proto.telemetry import Instance, Telemetry, UsageRow, encode_telemetry

FLAG = "checkout"
HELLO = b"event: sync"
OPEN_S = 90.0
SETTLE_S = 3.0
REPORTERS = 20


@dataclass(frozen=True, slots=True)
class Step:
    """A load to measure under, and whether the model is made of it or has to tell it."""

    streams: int
    changes_per_s: float = 0.0
    reports_per_s: float = 0.0
    fits: str = ""


STEPS = (
    Step(2_000, fits="idle"),
    Step(2_000, 10, fits="changing"),
    Step(2_000, 0, 200, fits="reporting"),
    Step(2_000, 5, 100),
    Step(6_000),
    Step(6_000, 4),
    Step(10_000, fits="idle"),
    Step(10_000, 5, fits="changing"),
    Step(14_000),
    Step(14_000, 2, 100),
)


async def measure(seconds: int, folder: Path, advance: Advance) -> dict[str, Any]:
    """Measure step by step, fit, and predict. Raises BenchFailed."""
    points: list[tuple[Step, Point]] = []
    async with AsyncExitStack() as stack:
        operator = await stack.enter_async_context(running_server(f"sqlite:{folder / 'wigwag.db'}", folder))
        await operator.put(FLAG, enabled=True)
        key = await operator.new_key()
        listener = await stack.enter_async_context(_listening(operator.url, key))
        there = 0
        for number, step in enumerate(STEPS):
            advance("loads", number, len(STEPS))
            if step.streams > there:
                own = folder / str(step.streams)
                own.mkdir()
                port = int(operator.url.rpartition(":")[2])
                more = running_streams(own, port, step.streams - there, key=key)
                await (await stack.enter_async_context(more)).open(HELLO, OPEN_S)
                there = step.streams
                await asyncio.sleep(SETTLE_S)
            points.append((step, await _measured(operator, key, listener, step, seconds)))
        advance("loads", len(STEPS), len(STEPS))
    model = fitted(_of("idle", points), _of("changing", points), _of("reporting", points)[0])
    return report(
        "capacity",
        packages=("wigwag", "aiohttp", "uvloop"),
        parameters={"seconds": seconds, "plannedShare": PLANNED_SHARE},
        model=asdict(model),
        points=[_described(step, point, model) for step, point in points],
    )


def _of(name: str, points: list[tuple[Step, Point]]) -> list[Point]:
    return [point for step, point in points if step.fits == name]


async def _measured(operator: Operator, key: str, listener: "Listener", step: Step, seconds: int) -> Point:
    """Put the load on the server for so long, and return what it used."""
    before, heard, began = cpu_ns(operator.pid), listener.heard, time.monotonic()
    end = began + seconds
    sent, done = await asyncio.gather(
        _changes(operator, step.changes_per_s, end), _reports(operator.url, key, step.reports_per_s, end)
    )
    await asyncio.sleep(max(0.0, end - time.monotonic()))
    took = time.monotonic() - began
    return Point(
        streams=step.streams,
        changes_per_s=sent / took,
        reports_per_s=done / took,
        cpu_share=(cpu_ns(operator.pid) - before) / 1e9 / took,
        memory_kib=memory_kib(operator.pid),
        bytes_per_s=(listener.heard - heard) / took,
    )


async def _changes(operator: Operator, per_s: float, end: float) -> int:
    """Switch a flag off and on in turn, so often a second. (A kill would not wait for a disk that is busy.)"""
    made = 0
    while per_s and time.monotonic() < end:
        due = time.monotonic() + 1 / per_s
        await operator.put(FLAG, enabled=made % 2 == 1)
        made += 1
        await asyncio.sleep(max(0.0, due - time.monotonic()))
    return made


async def _reports(url: str, key: str, per_s: float, end: float) -> int:
    """Send reports as clients do: three ways in which a flag was decided, over connections that are kept."""
    if not per_s:
        return 0
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    async with aiohttp.ClientSession(url, headers=headers) as session:
        counts = await asyncio.gather(
            *(_reporter(session, f"bench-capacity-{number}", per_s / REPORTERS, end) for number in range(REPORTERS))
        )
    return sum(counts)


async def _reporter(session: aiohttp.ClientSession, name: str, per_s: float, end: float) -> int:
    rows = [UsageRow(flag=FLAG, enabled=enabled, reason=reason, count=7) for enabled, reason in OUTCOMES]
    batch = first = round(time.time() * 1000)  # later than the numbers of an earlier step
    while time.monotonic() < end:
        due = time.monotonic() + 1 / per_s
        batch += 1
        body = encode_telemetry(Telemetry(instance=Instance(id=name), batch=batch, usage=rows))
        async with session.post("/v1/telemetry", data=body) as response:
            if response.status != 204:
                raise BenchFailed(f"a report was answered {response.status}")
        await asyncio.sleep(max(0.0, due - time.monotonic()))
    return batch - first


OUTCOMES = ((True, "STATIC"), (False, "KILLED"), (False, "DISABLED"))


class Listener:
    """One stream, whose bytes are counted as they leave the server, chunks and all."""

    def __init__(self) -> None:
        self.heard = 0

    async def listen(self, reader: asyncio.StreamReader) -> None:
        """Count until the stream ends."""
        while data := await reader.read(65536):
            self.heard += len(data)


@asynccontextmanager
async def _listening(url: str, key: str) -> AsyncGenerator[Listener]:
    host, _, port = url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"GET /v1/stream HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\n\r\n".encode())
    listener = Listener()
    task = asyncio.create_task(listener.listen(reader))
    try:
        yield listener
    finally:
        task.cancel()
        writer.close()


def cpu_ns(pid: int) -> int:
    """Return the processor time of all threads so far. The scheduler counts it exactly, where /proc/…/stat samples."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((thread / "schedstat").read_text(encoding="ascii").split()[0]) for thread in threads)


def _described(step: Step, point: Point, model: Model) -> dict[str, Any]:
    told = {
        "cpuShare": model.cpu_share(point.streams, point.changes_per_s, point.reports_per_s),
        "memoryKib": model.memory_kib(point.streams),
        "bytesPerS": model.bytes_per_s(point.streams, point.changes_per_s),
    }
    measured = {
        "cpuShare": point.cpu_share,
        "memoryKib": point.memory_kib,
        "bytesPerS": point.bytes_per_s * point.streams,
    }
    load = {"streams": step.streams, "changesPerS": point.changes_per_s, "reportsPerS": point.reports_per_s}
    return {**load, "fits": step.fits, "measured": measured, "model": told}


def model_of(result: Any) -> Model:
    """Return the model of a result."""
    return Model(**result["model"])


def off(point: Any, name: str) -> float:
    """Return by what part of what was measured the model is off."""
    measured: float = point["measured"][name]
    return float((point["model"][name] - measured) / measured)


def tables(result: Any) -> list[Any]:
    """Return the result as tables."""
    rows = [
        (
            f"{each['streams']:,} streams, {each['changesPerS']:.1f} changes/s, {each['reportsPerS']:.0f} reports/s",
            each["fits"] or "no",
            *(f"{each[of]['cpuShare']:.1%}" for of in ("measured", "model")),
            *(f"{each[of]['memoryKib'] / 1024:.1f}" for of in ("measured", "model")),
            *(f"{each[of]['bytesPerS'] / 1e6:.3f}" for of in ("measured", "model")),
        )
        for each in result["points"]
    ]
    columns = ("load", "made of it", "CPU", "model", "MiB", "model", "MB/s", "model")
    costs = [(name, f"{value:.4g}") for name, value in result["model"].items()]
    return [
        table("What was measured, and what the model says", columns, rows),
        table("The model: CPU seconds, KiB, bytes", ("", "value"), costs),
    ]


def main() -> None:
    """Measure and show."""
    parser = argparse.ArgumentParser(prog="python -m bench.capacity", description="How much a server can carry.")
    parser.add_argument("--seconds", type=positive, default=10, help="how long each load is measured [%(default)s]")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    given = parser.parse_args()
    result = run("bench.capacity", lambda folder, advance: measure(given.seconds, folder, advance))
    show(result, as_json=given.json, tables=[] if given.json else tables(result))


if __name__ == "__main__":
    main()
