"""One run of a benchmark: a folder of its own, progress while it runs, and an end that leaves nothing behind."""

import asyncio
import resource
import signal
import sys
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, NoReturn

import uvloop
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from bench.propagation_load import BenchFailed

INTERRUPTED = 130
Result = dict[str, Any]
Advance = Callable[[str, int, int], None]  # what, how many are done, of how many
Work = Callable[[Path, Advance], Coroutine[Any, Any, Result]]


def run(name: str, work: Work) -> Result:
    """Run a benchmark to its end and return its result. A failure or Ctrl-C ends the process, with a plain message."""
    allow_open_files()
    try:
        with tempfile.TemporaryDirectory(prefix="wigwag-bench-") as folder, _progress() as progress:
            return uvloop.run(until_interrupted(work(Path(folder), _advance(progress))))
    except BenchFailed as error:
        _end(f"{name}: {error}", 1)
    except asyncio.CancelledError:
        _end(f"{name}: interrupted", INTERRUPTED)


def _advance(progress: Progress) -> Advance:
    bars: dict[str, TaskID] = {}

    def advance(what: str, done: int, total: int) -> None:
        if what not in bars:
            bars[what] = progress.add_task(what, total=total)
        progress.update(bars[what], completed=done)

    return advance


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty())


def allow_open_files() -> None:
    """Let this process and those it starts open as many files as they may: each stream is one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


async def until_interrupted(work: Coroutine[Any, Any, Result]) -> Result:
    task = asyncio.create_task(work)

    def interrupt() -> None:
        # A second Ctrl-C must not cut short the clearing up that the first one began; that takes seconds at most.
        if not task.cancelling():
            task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, interrupt)
    return await task


def _end(message: str, status: int) -> NoReturn:
    print(message, file=sys.stderr)
    sys.exit(status)
