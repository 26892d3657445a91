"""The real `wigwag-server`, with a stopwatch where its hub receives a commit.

It takes the options of wigwag-server. The file named by WIGWAG_BENCH_STAMPS gets a line for each commit: its revision,
and when the hub received it. After SIGUSR1 it also gets one with the longest step of the event loop in the half
second after each commit, by the clock and by the processor time of the loop's thread: on a machine that is shared, the
clock also counts what others do. The loop never sleeps in that time, so these commits are not timed.
"""

import asyncio
import os
import signal
import time

from wigwag_proto.codec import encode
from wigwag_proto.commit import Commit, Epoch
from wigwag_server.entry import main
from wigwag_server.hub.hub import Hub

PROBE_S = 0.5
Times = tuple[float, float]


class Stopwatch:
    """Writes down what it sees."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._probing = False

    def received(self, revision: int) -> None:
        """Take note that the hub has a commit."""
        self._say(revision=revision, atNs=time.monotonic_ns())
        if self._probing:
            self._step(revision, time.monotonic() + PROBE_S, (time.perf_counter(), time.thread_time()), (0.0, 0.0))

    def probe(self, *_: object) -> None:
        """Watch the loop from now on."""
        self._probing = True

    def _step(self, revision: int, end: float, before: Times, longest: Times) -> None:
        now = time.perf_counter(), time.thread_time()
        longest = max(longest[0], now[0] - before[0]), max(longest[1], now[1] - before[1])
        if time.monotonic() < end:
            asyncio.get_running_loop().call_soon(self._step, revision, end, now, longest)
        else:
            self._say(probed=revision, longestMs=longest[0] * 1000, longestCpuMs=longest[1] * 1000)

    def _say(self, **message: object) -> None:
        os.write(self._file, encode(message) + b"\n")


def watch(stopwatch: Stopwatch) -> None:
    """Have the hubs of this process tell the stopwatch."""
    committed = Hub.committed

    def watched(hub: Hub, epoch: Epoch, commit: Commit) -> None:
        stopwatch.received(commit.revision)
        committed(hub, epoch, commit)

    Hub.committed = watched  # type: ignore[method-assign,assignment]  # the one place that every commit passes


if __name__ == "__main__":
    made = Stopwatch(os.environ["WIGWAG_BENCH_STAMPS"])
    signal.signal(signal.SIGUSR1, made.probe)
    watch(made)
    main()
