"""The copy of a state on a process's own disk, as `wigwag_proto.disk_io.DiskCopy` keeps it."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from tests.simulation.clock import Future, Process
from wigwag_proto.snapshot import Snapshot

WRITE_S = (0.001, 0.02)


@dataclass
class Disk:
    """What a restart of the process finds."""

    snapshot: Snapshot | None = None


class DiskCopy:
    """Keeps a disk up to date. Changes that come during a write share the next one; a crash leaves the last file."""

    def __init__(
        self, process: Process, disk: Disk, snapshot: Callable[[], Snapshot], rng: Random, *, spacing_s: float = 0.0
    ) -> None:
        self._process = process
        self._disk = disk
        self._snapshot = snapshot
        self._rng = rng
        self._spacing_s = spacing_s
        self._wanted = 0
        self._written = 0
        self._writing = False
        self._due = False
        self._waiting: list[tuple[int, Future[None]]] = []

    def changed(self) -> None:
        """Note that there is something new to write."""
        self._wanted += 1
        if not self._due:
            self._due = True
            self._process.later(self._spacing_s, self._write)

    def flush(self) -> Future[None]:
        """Return what is done once all that has changed by now is on the disk."""
        done: Future[None] = Future()
        if self._written >= self._wanted:
            done.set(None)
        else:
            self._waiting.append((self._wanted, done))
            self._write()
        return done

    def _write(self) -> None:
        if self._writing or self._written >= self._wanted:
            return
        self._writing = True
        self._due = False
        goal, snapshot = self._wanted, self._snapshot()
        self._process.later(self._rng.uniform(*WRITE_S), lambda: self._wrote(goal, snapshot))

    def _wrote(self, goal: int, snapshot: Snapshot) -> None:
        self._writing = False
        self._disk.snapshot = snapshot
        self._written = goal
        done = [future for wanted, future in self._waiting if wanted <= goal]
        self._waiting = [(wanted, future) for wanted, future in self._waiting if wanted > goal]
        for future in done:
            future.set(None)
        if self._waiting:
            self._write()
        elif self._written < self._wanted and not self._due:
            self._due = True
            self._process.later(self._spacing_s, self._write)
