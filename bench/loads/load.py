"""What every load program is made of: it takes its orders from standard input and reports lines of JSON.

The end of its standard input ends it, so it never outlives the benchmark that started it, however that one ends.
"""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import msgspec
import uvloop

from wigwag_proto.codec import encode


class Orders(msgspec.Struct, frozen=True, kw_only=True):
    """What a load program is told, as one line of JSON. `store` is the URL of the store that the server uses."""

    url: str
    key: str
    flag: str
    clients: int = 1
    interval_s: float = 5.0
    store: str = ""
    reads: int = 0
    rounds: int = 1
    confirm: bool = False


class Arrivals:
    """Collects when each client had each revision in force, and reports a revision once all of them have it."""

    def __init__(self, clients: int) -> None:
        self._clients = clients
        self._at_ns: dict[int, list[int]] = {}
        self._enabled: dict[int, int] = {}

    def record(self, revision: int, *, enabled: bool) -> None:
        """Take note that one more client answers by this revision now, and what it answers."""
        at_ns = self._at_ns.setdefault(revision, [])
        at_ns.append(time.monotonic_ns())
        self._enabled[revision] = self._enabled.get(revision, 0) + enabled
        if len(at_ns) == self._clients:
            say(revision=revision, atNs=self._at_ns.pop(revision), enabled=self._enabled.pop(revision))


def say(**message: Any) -> None:
    """Report one line to the benchmark."""
    sys.stdout.buffer.write(encode(message) + b"\n")
    sys.stdout.buffer.flush()


def run(load: Callable[[Orders], Coroutine[Any, Any, None]]) -> None:
    """Run a load program until it is through or its standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the benchmark, which then ends this
    orders = msgspec.json.decode(sys.stdin.buffer.readline(), type=Orders)
    uvloop.run(_until_told(load(orders)))


async def forever() -> None:
    """Wait until cancelled."""
    await asyncio.get_running_loop().create_future()


async def _until_told(work: Coroutine[Any, Any, None]) -> None:
    loop = asyncio.get_running_loop()
    task = asyncio.create_task(work)

    def end() -> None:
        if os.read(0, 65536) == b"":
            loop.remove_reader(0)
            task.cancel()

    loop.add_reader(0, end)
    with suppress(asyncio.CancelledError):
        await task
