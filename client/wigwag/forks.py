"""`fork()`: who has to get ready for one, and to begin anew in the child.

Python never forgets a function that was registered for forks, so there is one registry a process, with weak
references: a client that nobody holds any more is not kept alive by it.
"""

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from weakref import WeakSet


@dataclass(frozen=True, eq=False)
class Forkable:
    """What somebody does about a fork. None of it may raise, or wait for long.

    `before` brings what another thread may be changing into a state that a copy can live with, and holds it there;
    `in_parent` goes on; `in_child` begins anew, without the threads, sockets and event loops of the parent.
    """

    before: Callable[[], None]
    in_parent: Callable[[], None]
    in_child: Callable[[], None]


class Forks:
    """The forkables of this process."""

    def __init__(self) -> None:
        self._known: WeakSet[Forkable] = WeakSet()
        self._held: list[Forkable] = []
        self._guard = threading.Lock()

    def watch(self) -> None:
        """Have Python call; once a process is enough."""
        if hasattr(os, "register_at_fork"):  # not on Windows, where nothing forks
            os.register_at_fork(before=self._before, after_in_parent=self._parent, after_in_child=self._child)

    def tell(self, forkable: Forkable) -> None:
        """Tell it of all forks from now on, as long as somebody else holds it."""
        with self._guard:
            self._known.add(forkable)

    def _before(self) -> None:
        self._guard.acquire()
        self._held = list(self._known)
        for each in self._held:
            each.before()

    def _parent(self) -> None:
        held, self._held = self._held, []
        for each in held:
            each.in_parent()
        self._guard.release()

    def _child(self) -> None:
        self._guard = threading.Lock()
        held, self._held = self._held, []
        for each in held:
            each.in_child()


FORKS = Forks()
FORKS.watch()
