"""Flags without a server: from a dict, or from a file that is watched."""

import asyncio
import copy
import logging
import math
import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from wigwag.flag_document import Document, MalformedFlags, read_document
from wigwag.flag_file import read_flag_file
from wigwag_proto.commit import Cursor, Epoch
from wigwag_proto.errors import WigwagError
from wigwag_proto.flag import Kill
from wigwag_proto.snapshot import Snapshot
from wigwag_proto.supervisor import Failure, Supervisor
from wigwag_proto.tasks_io import Tasks

logger = logging.getLogger(__name__)

ALWAYS_CURRENT = math.inf  # as `proven_at`: there is nobody who could know more
EPOCH = Epoch(1, "local")
SETTLED_S = 2.0  # a file changed less than this ago is read again: its time may not tell two writes apart


class LocalFlags:
    """What a client without a server goes by. All clients' runs, one after another, share it."""

    def __init__(self, document: Document, path: Path | None = None, look_every_s: float = 0.5) -> None:
        self.path = path
        self.look_every_s = look_every_s
        self.revision = 1
        self._document = document
        self._at = _now_ms()
        self._seen = _stamp(path)
        self._problem: str | None = None
        self._guard = threading.Lock()  # of a look, which `refresh` and the watch may take at once

    @classmethod
    def from_dict(cls, flags: Mapping[str, Any], segments: Mapping[str, Any]) -> "LocalFlags":
        """Take flags as they are in a program. Raises MalformedFlags."""
        plain = {"flags": copy.deepcopy(dict(flags)), "segments": copy.deepcopy(dict(segments))}
        return cls(_checked(read_document(plain, _by_code(), {}), "the flags"))

    @classmethod
    def from_file(cls, path: Path, look_every_s: float) -> "LocalFlags":
        """Read a file. Raises WigwagError where it cannot be used as it is: a start is watched by somebody."""
        local = cls(Document(), path.absolute(), look_every_s)
        local._document = _checked(local._read(), str(path))
        return local

    @property
    def flags(self) -> Mapping[str, Any]:
        """The flags, as plain objects."""
        return self._document.flags

    @property
    def segments(self) -> Mapping[str, Any]:
        """The segments, as plain objects."""
        return self._document.segments

    def snapshot(self) -> Snapshot:
        """Return the state as it is now."""
        records = {"flag": self._document.flags, "segment": self._document.segments}
        return Snapshot("local", Cursor(EPOCH, self.revision, f"r{self.revision}"), self._at, records)

    def replace(self, flags: Mapping[str, Any], segments: Mapping[str, Any]) -> None:
        """Take other flags in place of all. Raises MalformedFlags, and then nothing has changed."""
        plain = {"flags": copy.deepcopy(dict(flags)), "segments": copy.deepcopy(dict(segments))}
        self._take(_checked(read_document(plain, _by_code(), self.flags), "the flags"))

    def look(self, *, always: bool = False) -> str | None:
        """Read the file if it has changed, or `always`. Returns what is wrong with it; never raises.

        A flag that is not right keeps its last good version; where the file as a whole cannot be read, all do.
        """
        if self.path is None:
            return None
        with self._guard:
            stamp = _stamp(self.path)
            if not always and stamp == self._seen and time.time() - stamp[0] / 1e9 > SETTLED_S:
                return self._problem
            self._seen = stamp
            try:
                found = self._read()
            except WigwagError as error:
                return self._complain(str(error))
            before = self._document
            found.flags.update(_last_good("flags", found, before.flags))
            found.segments.update(_last_good("segments", found, before.segments))
            if (found.flags, found.segments) != (before.flags, before.segments):
                self._take(found)
                logger.info("the flags in %s have changed", self.path)
            return self._complain(f"{self.path}:\n{found.problem}" if found.violations else None)

    def _complain(self, problem: str | None) -> str | None:
        """Log a problem once."""
        if problem and problem != self._problem:
            logger.warning("the last good version stays in force of what is wrong in the flags: %s", problem)
        self._problem = problem
        return problem

    def _read(self) -> Document:
        assert self.path is not None
        kill = Kill(by=self.path.name, at=_now_ms())
        return read_document(read_flag_file(self.path), kill, self.flags)

    def _take(self, document: Document) -> None:
        self._document, self._at = document, _now_ms()
        self.revision += 1


class LocalFeed:
    """Stands where `HttpFeed` stands: brings local flags into a run of a client, and looks at the file."""

    def __init__(self, local: LocalFlags, supervisor: Supervisor, take: Callable[[Snapshot], None]) -> None:
        self._local = local
        self._supervisor = supervisor
        self._take = take
        self._tasks = Tasks()
        self._request = 0
        self._closed = False

    async def start(self) -> None:
        """Take the flags in, and begin to watch."""
        self._take(self._local.snapshot())
        if self._local.path is not None:
            self._tasks.start("wigwag flag file", self._watch())

    async def settled(self, timeout_s: float) -> bool:  # noqa: ARG002  # there is nothing to wait for
        """Say that the first attempt is over."""
        return True

    def refresh(self) -> int:
        """Read the file now. Returns the number of the request."""
        self._request += 1
        self._tasks.start("wigwag refresh", self._look(self._request))
        return self._request

    async def close(self, timeout_s: float | None = None) -> None:
        """Stop watching."""
        self._closed = True
        await self._tasks.close(timeout_s)

    def abandon(self) -> None:
        """Leave it as it is: it belongs to another process, or to an event loop that runs no more."""
        self._closed = True

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._local.look_every_s)
            await self._look(None)

    async def _look(self, request: int | None) -> None:
        problem = await asyncio.to_thread(self._local.look, always=request is not None)
        if self._closed:
            return
        failure = Failure(problem) if problem else None
        self._supervisor.last_failure = failure
        if request is not None:
            self._supervisor.answered, self._supervisor.answer_failure = request, failure
        self._take(self._local.snapshot())


def _checked(document: Document, what: str) -> Document:
    if document.violations:
        raise MalformedFlags(f"{what} cannot be used as they are:\n{document.problem}")
    return document


def _last_good(table: str, found: Document, known: Mapping[str, Any]) -> dict[str, Any]:
    """Return, of what is there but not right, the version from before."""
    names = (each.pointer.split("/") for each in found.violations)
    broken = {name[2].replace("~1", "/").replace("~0", "~") for name in names if len(name) > 2 and name[1] == table}
    return {key: known[key] for key in broken & known.keys() if key not in getattr(found, table)}


def _stamp(path: Path | None) -> tuple[int, int, int]:
    """Return what tells that a file has changed: its time in ns first. A link is followed."""
    try:
        found = path.stat() if path is not None else os.stat_result((0,) * 10)
    except OSError:
        return 0, 0, 0
    return found.st_mtime_ns, found.st_size, found.st_ino


def _by_code() -> Kill:
    return Kill(by="the code", at=_now_ms())


def _now_ms() -> int:
    return round(time.time() * 1000)
