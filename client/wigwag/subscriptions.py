"""Who is told of changes: callbacks, and iterators that never fall behind by more than one entry a flag."""

import asyncio
import logging
import threading
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import suppress
from typing import TypeVar
from weakref import WeakSet

from wigwag.status import Status
from wigwag_proto.ruleset import FlagChange

logger = logging.getLogger(__name__)

Callback = Callable[[FlagChange], None]
StatusCallback = Callable[[Status], None]
T = TypeVar("T")


class Subscriptions:
    """Passes changes on."""

    def __init__(self) -> None:
        self._callbacks: list[Callback] = []
        self._status_callbacks: list[StatusCallback] = []
        self._undelivered: deque[FlagChange | Status] = deque()
        self._readers: WeakSet[_Reader] = WeakSet()  # an iterator that was dropped takes its reader with it
        self._guard = threading.Lock()  # of the readers: the feed may run in another thread than they are made in

    def on_change(self, callback: Callback) -> Callable[[], None]:
        """Call `callback` for every change from now on; returns what ends that."""
        return _subscribed(self._callbacks, callback)

    def on_status(self, callback: StatusCallback) -> Callable[[], None]:
        """Call `callback` whenever the client goes by another source; returns what ends that."""
        return _subscribed(self._status_callbacks, callback)

    def changes(self) -> AsyncGenerator[FlagChange]:
        """Yield every change from now on, also those before the first is asked for. See `_Reader` for slow readers."""
        reader = _Reader()
        with self._guard:
            self._readers.add(reader)
        return _read(reader)

    def publish(self, changes: Iterable[FlagChange]) -> None:
        """Tell everyone: the iterators at once, the callbacks in the next step of the running event loop.

        What is being changed is then finished, so whatever a callback does, it does it to the outside of the feed.
        """
        changes = list(changes)
        for reader in self._all_readers():
            for change in changes:
                reader.put(change)
        if self._callbacks and changes:
            self._undelivered.extend(changes)
            self._deliver_soon()

    def publish_status(self, status: Status) -> None:
        """Tell the callbacks of the status, as those of changes are told."""
        if self._status_callbacks:
            self._undelivered.append(status)
            self._deliver_soon()

    def close(self) -> None:
        """End all iterators."""
        for reader in self._all_readers():
            reader.close()

    def forget(self) -> None:
        """Forget iterators and what is not delivered yet: after a fork, both are the business of the parent."""
        self._guard = threading.Lock()
        self._readers = WeakSet()
        self._undelivered.clear()

    def _all_readers(self) -> "list[_Reader]":
        with self._guard:
            return list(self._readers)

    def _deliver_soon(self) -> None:
        """Deliver in the next step of the event loop; at once where a program without one has changed its own flags."""
        try:
            asyncio.get_running_loop().call_soon(self._deliver)
        except RuntimeError:
            self._deliver()

    def _deliver(self) -> None:
        waiting, self._undelivered = self._undelivered, deque()
        for each in waiting:
            if isinstance(each, Status):
                _call(self._status_callbacks, each, f"that the flags now go by {each.source}")
            else:
                _call(self._callbacks, each, f"the change of flag {each.key}")


def _subscribed(callbacks: list[Callable[[T], None]], callback: Callable[[T], None]) -> Callable[[], None]:
    callbacks.append(callback)

    def end() -> None:
        if callback in callbacks:
            callbacks.remove(callback)

    return end


def _call(callbacks: list[Callable[[T], None]], told: T, what: str) -> None:
    """Call the callbacks. What one raises is logged: it must not stop the others."""
    for callback in list(callbacks):
        try:
            callback(told)
        except (Exception, asyncio.CancelledError):
            logger.exception("a callback failed on %s", what)


class _Reader:
    """Changes not read yet, one a flag: bounded by the number of flags however slow the reader is.

    A flag that came and went unread is left out. The feed may run on the event loop of another thread.
    """

    def __init__(self) -> None:
        self._waiting: dict[str, tuple[bool, FlagChange]] = {}  # with: is the flag new to the reader?
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ready = asyncio.Event()
        self._closed = False
        self._guard = threading.Lock()

    def put(self, change: FlagChange) -> None:
        with self._guard:
            new, _ = self._waiting.pop(change.key, (change.before is None, None))
            if not (new and change.after is None):
                self._waiting[change.key] = new, change
        self._wake()

    def close(self) -> None:
        self._closed = True
        self._wake()

    async def next(self) -> FlagChange | None:
        self._loop = asyncio.get_running_loop()
        while True:
            self._ready.clear()
            with self._guard:
                if self._waiting:
                    return self._waiting.pop(next(iter(self._waiting)))[1]
            if self._closed:
                return None
            await self._ready.wait()

    def _wake(self) -> None:
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop of the reader is closed: nobody waits any more
                self._loop.call_soon_threadsafe(self._ready.set)


async def _read(reader: _Reader) -> AsyncGenerator[FlagChange]:
    while (change := await reader.next()) is not None:
        yield change
