"""The last known snapshot on disk: written atomically and off the event loop, one write at a time."""

import asyncio
import contextlib
import logging
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from wigwag_proto.errors import MalformedFile
from wigwag_proto.snapshot import Snapshot
from wigwag_proto.snapshot_file import decode_file, encode_file

logger = logging.getLogger(__name__)


def write_atomically(path: Path, data: bytes, *, wanted: Callable[[], bool] = lambda: True) -> bool:
    """Replace the file as a whole, flushed to the disk, readable by its owner only. Raises OSError.

    Whoever reads meanwhile, or after a power cut, finds the old file or the new one. `wanted` is asked at the last
    moment, when the data is on the disk already; says whether the file was replaced.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        replaced = wanted()
        if replaced:
            Path(name).replace(path)
        else:
            Path(name).unlink()
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return replaced


def load_snapshot(path: Path) -> Snapshot | None:
    """Read the last known snapshot; None when there is none. A damaged file is reported and ignored."""
    try:
        return decode_file(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, MalformedFile) as error:
        logger.warning("ignoring the last known snapshot in %s: %s", path, error)
        return None


class DiskCopy:
    """Keeps a file up to date with a snapshot that changes. Changes that come during a write share the next one.

    With `shared`, other processes keep their copies in the same file, and the later state wins: one that lags behind
    does not replace what another has written. Two that replace it in the same instant can still leave the earlier
    of two states there, until either writes again; never half of one.
    """

    def __init__(
        self,
        path: Path,
        snapshot: Callable[[], Snapshot],
        *,
        spacing_s: float = 0.0,
        retry_s: float = 5.0,
        shared: bool = False,
    ) -> None:
        self.path = path
        self.last_error: Exception | None = None
        self._snapshot = snapshot
        self._spacing_s = spacing_s  # the least time between two writes that nobody waits for
        self._retry_s = retry_s  # the same, after one that failed
        self._shared = shared
        self._wanted = 0
        self._written = 0
        self._replaced = 0  # what the latest file of ours holds; set by the thread that writes
        self._left: tuple[int, ...] = ()  # how the file was when we had replaced it
        self._dirty = asyncio.Event()
        self._writing = asyncio.Lock()

    def changed(self) -> None:
        """Note that there is something new to write."""
        self._wanted += 1
        self._dirty.set()

    async def run(self) -> None:
        """Write whenever something has changed, and again after a failure. Runs until cancelled."""
        while True:
            await self._dirty.wait()
            well = await self.flush()
            await asyncio.sleep(self._spacing_s if well else max(self._spacing_s, self._retry_s))
            if self.last_error is not None:
                self.changed()  # the disk may be well again, and nothing else may change for days

    async def flush(self) -> bool:
        """Wait until all that has changed by now is on the disk. Returns False where the disk refused it."""
        goal = self._wanted
        async with self._writing:
            if self._written < goal:
                await self._write()
        return self.last_error is None

    async def _write(self) -> None:
        goal = self._wanted
        self._dirty.clear()
        try:
            await asyncio.to_thread(self._store, self._snapshot(), goal)
        except asyncio.CancelledError:
            self._dirty.set()  # the thread goes on, but nobody will hear whether it succeeded
            raise
        except Exception as error:  # noqa: BLE001  # a copy on disk is never worth the flags themselves
            if self.last_error is None and not _is_shutdown(error):
                logger.warning("cannot keep the last known snapshot in %s: %s", self.path, error)
            self.last_error = error
        else:
            if self.last_error is not None:
                logger.info("the last known snapshot is kept in %s again", self.path)
            self.last_error = None
        self._written = goal

    def _store(self, snapshot: Snapshot, goal: int) -> None:
        """Write, in a thread. One that was held up by its disk must not replace what was written after it."""

        def wanted() -> bool:
            return goal >= self._replaced and not (self._shared and self._is_outdated(snapshot))

        if write_atomically(self.path, encode_file(snapshot), wanted=wanted):
            self._replaced = goal
            self._left = _identity(self.path)

    def _is_outdated(self, snapshot: Snapshot) -> bool:
        """Say whether somebody else has left a later state in the file."""
        try:
            if _identity(self.path) == self._left:
                return False
            return decode_file(self.path.read_bytes()).cursor.rank > snapshot.cursor.rank
        except (OSError, MalformedFile):
            return False


def _is_shutdown(error: Exception) -> bool:
    """Say whether no thread writes because the process is ending: that is no fault of the disk, and nobody's concern.

    Python tells it by these words alone; that no thread can be had ("can't start new thread") is something else.
    """
    return isinstance(error, RuntimeError) and "shutdown" in str(error)


def _identity(path: Path) -> tuple[int, ...]:
    try:
        stat = path.stat()
    except OSError:
        return ()
    return stat.st_ino, stat.st_mtime_ns, stat.st_size
