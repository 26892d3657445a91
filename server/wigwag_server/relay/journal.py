"""What a relay has taken in, on its disk before anybody else hears of it: one line each.

The copy of the whole state takes a moment to be written. A relay that crashes in that moment, and starts while its
upstream is away, would serve an older state than it has served before. A line is handed to the kernel, not flushed to
the disk: it outlives the process, and a power cut only as far as the copy does.
"""

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from wigwag_proto.codec import commit_from_plain, commit_to_plain, decode, encode
from wigwag_proto.commit import Commit, Cursor, Epoch
from wigwag_proto.errors import Malformed
from wigwag_proto.replica import Replica
from wigwag_proto.snapshot import Emergency, snapshot_from_plain, snapshot_to_plain

logger = logging.getLogger(__name__)

# Beyond this, and twice what the state itself takes, it begins anew with the state.
LONGEST_BYTES = 4 * 1024 * 1024


class Journal:
    """One file. A disk that refuses is reported, and costs the guarantee, never a flag."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self._bytes = 0
        self._limit = LONGEST_BYTES
        self._well = True

    def loaded(self, replica: Replica) -> None:
        """Begin anew with the whole state."""
        line = encode({"snapshot": snapshot_to_plain(replica.snapshot())}) + b"\n"
        try:
            self.close()
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            beside = self._path.with_name(f".{self._path.name}.new")
            self._file = os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb", buffering=0)
            self._file.write(line)
            beside.replace(self._path)
        except OSError as error:
            self.close()
            self._complain(error)
        else:
            self._well = True
        self._bytes, self._limit = len(line), max(LONGEST_BYTES, 2 * len(line))

    def committed(self, replica: Replica, epoch: Epoch, commit: Commit) -> None:
        """Add a commit that the replica has applied."""
        self._add(replica, {"epoch": str(epoch), "commit": commit_to_plain(commit)})

    def emergencies(self, replica: Replica, ended: tuple[str, ...]) -> None:
        """Add the emergencies in force, and the ids of those that have ended."""
        if replica.cursor is not None:
            self._add(replica, {"emergencies": msgspec.to_builtins(replica.emergencies), "ended": ended})

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _add(self, replica: Replica, plain: dict[str, Any]) -> None:
        if self._file is None or self._bytes > self._limit:
            self.loaded(replica)
            return
        line = encode(plain) + b"\n"
        try:
            self._file.write(line)
        except OSError as error:
            self.close()  # half a line may be there: the next one begins anew
            self._complain(error)
        self._bytes += len(line)

    def _complain(self, error: OSError) -> None:
        if self._well:
            logger.error("what is followed cannot be written to %s: %s", self._path, error)
        self._well = False


def restore(path: Path, replica: Replica) -> None:
    """Take in what the journal has beyond the replica, up to the first line that is damaged or does not fit."""
    for entry in _read(path):
        try:
            _restore_entry(entry, replica)
        except (Malformed, msgspec.ValidationError, KeyError, TypeError) as error:
            logger.warning("the rest of %s cannot be used: %s", path, error)
            return


def _restore_entry(entry: Any, replica: Replica) -> None:
    if "snapshot" in entry:
        snapshot = snapshot_from_plain(entry["snapshot"])
        replica.load(snapshot)
        replica.add_emergencies(snapshot.emergencies)
    elif "commit" in entry:
        commit = commit_from_plain(entry["commit"])
        replica.apply(Cursor.parse(f"{entry['epoch']}:{commit.revision}:{commit.head}").epoch, commit)
    else:
        replica.add_emergencies(msgspec.convert(entry["emergencies"], tuple[Emergency, ...]))
        replica.end_emergencies(msgspec.convert(entry["ended"], tuple[str, ...]))


def _read(path: Path) -> Iterator[Any]:
    try:
        lines = path.read_bytes().splitlines(keepends=True)
    except FileNotFoundError:
        return
    except OSError as error:
        logger.warning("ignoring %s: %s", path, error)
        return
    for line in lines:
        try:
            yield decode(line)
        except Malformed:
            return  # the last line of a process that was killed while it wrote
