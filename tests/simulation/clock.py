"""Virtual time: a heap of what is to happen, and processes that can be killed or frozen.

Coroutines run here without asyncio: a task is driven by the futures of this module alone, so that the order of
everything follows from the seed.
"""

import heapq
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Generic, TypeVar

T = TypeVar("T")
Run = Callable[[], None]

UNIX_TIME_S = 1_800_000_000  # the Unix time at which a simulation begins


class Timer:
    """Something that is to happen, unless it is cancelled."""

    __slots__ = ("run",)

    def __init__(self, run: Run) -> None:
        self.run: Run | None = run

    def cancel(self) -> None:
        """Keep it from happening."""
        self.run = None


class Clock:
    """The one clock, in seconds. What is due at the same moment happens in the order it was asked for."""

    def __init__(self) -> None:
        self.now = 0.0
        self.steps = 0
        self._heap: list[tuple[float, int, Timer]] = []
        self._number = 0

    def at(self, time: float, run: Run) -> Timer:
        """Have something happen at `time`."""
        timer = Timer(run)
        self._number += 1
        heapq.heappush(self._heap, (max(time, self.now), self._number, timer))
        return timer

    def run_until(self, end: float) -> None:
        """Let time pass."""
        heap = self._heap
        while heap and heap[0][0] <= end:
            time, _, timer = heapq.heappop(heap)
            if timer.run is not None:
                self.now = time
                self.steps += 1
                timer.run()
        self.now = end


class Future(Generic[T]):
    """A value that comes later. The first outcome counts: an answer that comes after its timeout is nobody's."""

    __slots__ = ("_error", "_value", "_waiting", "done")

    def __init__(self) -> None:
        self.done = False
        self._value: T | None = None
        self._error: Exception | None = None
        self._waiting: list[Run] = []

    def set(self, value: T) -> None:
        """Deliver the value."""
        self._value = value
        self._finish()

    def fail(self, error: Exception) -> None:
        """Raise `error` where the value is awaited."""
        if not self.done:
            self._error = error
        self._finish()

    def then(self, run: Run) -> None:
        """Call `run` when this is done."""
        if self.done:
            run()
        else:
            self._waiting.append(run)

    def __await__(self) -> Generator["Future[Any]", None, T]:
        """Wait for the outcome."""
        if not self.done:
            yield self
        if self._error is not None:
            raise self._error
        return self._value  # type: ignore[return-value]  # set before `done`

    def _finish(self) -> None:
        if self.done:
            return
        self.done = True
        waiting, self._waiting = self._waiting, []
        for run in waiting:
            run()


class Process:
    """One incarnation of a program. What is to happen in it waits while it is frozen, and never does once it is dead.

    It has a monotonic clock of its own, whose zero is nobody else's.
    """

    def __init__(self, clock: Clock, name: str, monotonic_offset: float = 0.0) -> None:
        self.name = name
        self.alive = True
        self.monotonic_offset = monotonic_offset
        self.frozen_until = 0.0  # or was frozen until then, the last time
        self._clock = clock
        self._deferred: list[Run] = []
        self._tasks: dict[Coroutine[Any, Any, None], None] = {}  # in the order of their start

    @property
    def now(self) -> float:
        """Monotonic seconds."""
        return self._clock.now + self.monotonic_offset

    def later(self, delay_s: float, run: Run) -> Timer:
        """Have something happen in this process after `delay_s`."""
        return self._clock.at(self._clock.now + delay_s, lambda: self.take(run))

    def take(self, run: Run) -> None:
        """Have something happen in this process now, or as soon as it thaws."""
        if not self.alive:
            return
        if self._clock.now < self.frozen_until:
            self._deferred.append(run)
        else:
            run()

    def freeze(self, until: float) -> None:
        """Suspend the process; what comes in waits for it."""
        self.frozen_until = max(self.frozen_until, until)
        self._clock.at(self.frozen_until, self.thaw)

    def thaw(self) -> None:
        """Go on, with what has come in meanwhile first, unless the process is frozen for longer by now."""
        if self._clock.now >= self.frozen_until:
            deferred, self._deferred = self._deferred, []
            for run in deferred:
                self.take(run)

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` beside everything else; it begins at once."""
        self._tasks[work] = None
        self._resume(work)

    def sleep(self, delay_s: float) -> Future[None]:
        """Return what is done after `delay_s`."""
        future: Future[None] = Future()
        self.later(delay_s, lambda: future.set(None))
        return future

    def kill(self) -> None:
        """End the process at once, without any clean-up."""
        self.alive = False
        tasks, self._tasks = list(self._tasks), {}
        for task in tasks:
            task.close()

    def _resume(self, work: Coroutine[Any, Any, None]) -> None:
        if work not in self._tasks:
            return
        try:
            future: Future[Any] = work.send(None)
        except StopIteration:
            self._tasks.pop(work, None)
            return

        def go_on() -> None:
            self.later(0.0, lambda: self._resume(work))

        future.then(go_on)
