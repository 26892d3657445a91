"""Writing a backup of a store, and putting one into a store."""

import contextlib
import os
import secrets
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import IO

from wigwag_proto.audit import AuditQuery, Recorded
from wigwag_proto.commit import Epoch
from wigwag_proto.errors import Malformed, StoreUnavailable, WigwagError
from wigwag_proto.snapshot import Snapshot
from wigwag_server.backup.backup_file import Begun, Record, Writer, check, read
from wigwag_server.backup.target import Target
from wigwag_server.store.store import Begin, Store

PAGE = 500


class NotRestored(WigwagError):
    """The store was left as it was: it is in use, or there is something in it."""


@dataclass(slots=True)
class Tally:
    """What went into a backup, or came out of one."""

    environments: int = 0
    records: int = 0
    entries: int = 0


async def back_up(store: Store, path: Path) -> Tally:
    """Write all logs of a store to a file, which is replaced as a whole. Raises StoreUnavailable, OSError.

    Each environment is as it was at one moment. What is counted beside the logs (usage, instances) is not in it.
    """
    tally = Tally()
    with _replacing(path) as file:
        writer = Writer(file, version=version("wigwag"), at=round(time.time() * 1000))
        for name in await store.environments():
            snapshot = await store.load(name)
            if snapshot is None:
                continue
            tally.environments += 1
            writer.write(Begun(name, snapshot.cursor, snapshot.at))
            for kind, table in snapshot.records.items():
                for key, value in table.items():
                    writer.write(Record(kind, key, value))
                    tally.records += 1
            async for entry in _audit_up_to(store, snapshot):
                writer.write(entry)
                tally.entries += 1
        writer.end()
    return tally


async def restore(target: Target, path: Path, *, set_aside: Path | None = None) -> Tally:
    """Put a backup into a store, each environment as the beginning of a new history.

    Apps that know a later state of the old history then believe this one, and servers' own copies are outranked.
    With `set_aside`, what is in the store goes to that file first, and then out of the store. Raises BadBackup,
    NotRestored, StoreUnavailable, OSError.
    """
    check(path)
    store = target.store
    present = await store.environments()
    if followers := sum([await target.followers(name) for name in present]):
        raise NotRestored(f"servers are running on this store ({followers} subscriptions to it): stop them first")
    if present:
        if set_aside is None:
            raise NotRestored(
                f"there are flags in this store ({', '.join(present)}). Restore into an empty one, or give --replace, "
                "which writes a backup of what is there and takes it out"
            )
        await back_up(store, set_aside)
    replaced = {name: cursor.epoch.generation for name in present if (cursor := (await store.head(name)).cursor)}
    tally = Tally()
    written: list[str] = []
    try:
        for name in present:
            await target.drop(name)
        filling: _Filling | None = None
        for line in read(path):
            if isinstance(line, Begun):
                if filling is not None:
                    await filling.finish()
                filling = _Filling(target, line, tally, replaced.get(line.environment, 0))
                written.append(line.environment)
            elif filling is not None:
                await filling.take(line)
        if filling is not None:
            await filling.finish()
    except BaseException:
        # Half a backup is worse than none: servers would take it for the whole.
        with contextlib.suppress(StoreUnavailable):
            for name in written:
                await target.drop(name)
        raise
    return tally


class _Filling:
    """One environment that a backup is put into."""

    def __init__(self, target: Target, begun: Begun, tally: Tally, replaced: int) -> None:
        """`replaced` is the generation of the history that was there before; 0 where there was none."""
        self._target = target
        self._replaced = replaced
        self._begun = begun
        self._tally = tally
        self._records: dict[str, dict[str, object]] = {}
        self._entries: list[Recorded] = []

    async def take(self, line: Record | Recorded) -> None:
        """Take a line in."""
        match line:
            case Record(kind, key, value):
                self._records.setdefault(kind, {})[key] = value
                self._tally.records += 1
            case Recorded():
                self._entries.append(line)
                self._tally.entries += 1
                if len(self._entries) == PAGE:
                    await self._put_entries()

    async def finish(self) -> None:
        """Put the state there, last: a log that is there is there as a whole."""
        if self._entries:
            await self._put_entries()
        begun = self._begun
        snapshot = Snapshot(begun.environment, begun.cursor, begun.at, self._records)
        await _begin(self._target.store, snapshot, self._replaced)
        self._tally.environments += 1

    async def _put_entries(self) -> None:
        await self._target.put_audit(self._begun.environment, self._entries)
        self._entries = []


async def _begin(store: Store, snapshot: Snapshot, replaced: int) -> None:
    """Begin a history that outranks that of the backup, and the one in whose place it comes."""
    now_ms = round(time.time() * 1000)
    # Either of them may have been begun by a clock that was ahead of this one.
    least = max(snapshot.cursor.epoch.generation, replaced)
    epoch = Epoch(max(now_ms, least + 1), secrets.token_hex(4))
    head = await store.settle(snapshot.environment, snapshot, Begin(epoch, secrets.token_hex(8), now_ms))
    if head.cursor is not None and head.cursor.epoch.generation <= least:
        head = await store.renew(snapshot.environment, head.cursor, epoch)
    if not head.settled or head.cursor is None or head.cursor.epoch.generation <= least:
        raise StoreUnavailable(f"{snapshot.environment} did not begin a new history: the store is at {head.cursor}")


async def _audit_up_to(store: Store, snapshot: Snapshot) -> AsyncIterator[Recorded]:
    """Yield the audit log of a state: not what was added to it since, where the state's own entry can be found."""
    after = 0
    while page := await store.audit(snapshot.environment, AuditQuery(limit=PAGE, after=after)):
        for recorded in page:
            yield recorded
            with contextlib.suppress(Malformed):
                if recorded.entry().head == snapshot.cursor.head:
                    return
        after = page[-1].sequence


@contextmanager
def _replacing(path: Path) -> Iterator[IO[bytes]]:
    """Write a file that its owner alone may read (it has the hashes of keys, and secrets of webhooks), or none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
