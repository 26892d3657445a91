"""Background tasks with an owner: none fails unseen, and none outlives whoever started it."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

logger = logging.getLogger(__name__)

T = TypeVar("T")

# A cancellation can get lost: `asyncio.wait_for` (until Python 3.12) and what is built on it drop one that comes in
# the moment in which what they wait for is done. A task that goes on in spite of it is cancelled again.
CANCEL_AGAIN_S = 1.0


class Tasks:
    """Owns tasks. A failure is logged and reported to `on_failure`, so that the owner can restart or give up."""

    def __init__(self, on_failure: Callable[[str, BaseException], None] | None = None) -> None:
        self.failures = 0
        self._on_failure = on_failure
        self._running: set[asyncio.Task[Any]] = set()
        self._groups: set[Tasks] = set()

    def group(self) -> "Tasks":
        """Return tasks that can be ended by themselves; they end with these at the latest, and fail as these do."""
        group = Tasks(self._failed)
        self._groups.add(group)
        return group

    def start(self, name: str, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run `work` in a task of its own."""
        task = asyncio.create_task(work, name=name)
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    async def close(self, timeout_s: float | None = None) -> None:
        """Cancel everything and wait until it has ended, but no longer than `timeout_s` (None: as long as it takes)."""
        loop = asyncio.get_running_loop()
        end = None if timeout_s is None else loop.time() + timeout_s
        own = asyncio.current_task()
        while self._groups:
            await self._groups.pop().close(None if end is None else max(0.0, end - loop.time()))
        while running := [task for task in self._running if task is not own]:
            for task in running:
                task.cancel()
            left_s = CANCEL_AGAIN_S if end is None else max(0.0, min(CANCEL_AGAIN_S, end - loop.time()))
            await asyncio.wait(running, timeout=left_s)
            if end is not None and loop.time() >= end:
                break

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if task.cancelled() or (error := task.exception()) is None:
            return
        logger.error("task %s failed", task.get_name(), exc_info=error)
        self._failed(task.get_name(), error)

    def _failed(self, name: str, error: BaseException) -> None:
        self.failures += 1
        if self._on_failure is not None:
            self._on_failure(name, error)


async def finish(task: asyncio.Task[T], on_cancel: Callable[[], None]) -> T:
    """Wait for a task that must run to its end: a cancellation only tells it to hurry, and goes up once it is over.

    The task has to be bounded in time; whoever cancels waits for it.
    """
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            cancelled = error
            on_cancel()
    if cancelled is not None:
        raise cancelled
    return task.result()
