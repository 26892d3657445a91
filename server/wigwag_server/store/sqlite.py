"""The embedded store: one SQLite file, one process.

WAL and full sync: a commit that was acknowledged survives a power cut. A lock file beside the database keeps a
second server out, because commits made by another process would never reach this one's feeds.
"""

import asyncio
import fcntl
import os
import sqlite3
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Self
from urllib.parse import quote

import aiosqlite

from wigwag_proto.audit import AuditQuery, Recorded
from wigwag_proto.codec import commit_from_plain, commit_to_plain, decode, encode
from wigwag_proto.commit import Commit, Cursor, Epoch
from wigwag_proto.errors import StoreUnavailable, WigwagError
from wigwag_proto.snapshot import Snapshot, Tables
from wigwag_server.store.sqlite_audit import SqliteAudit
from wigwag_server.store.store import (
    AUDIT_BYTES,
    LOG_BYTES,
    Accepted,
    Answer,
    Begin,
    Conflict,
    Head,
    NotInLog,
    Told,
    following,
    read_record,
)

FEED_SIZE = 1000

SCHEMA = """
CREATE TABLE IF NOT EXISTS log (
    environment TEXT PRIMARY KEY, epoch TEXT NOT NULL, revision INTEGER NOT NULL, head TEXT NOT NULL,
    at INTEGER NOT NULL, bytes INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS record (
    environment TEXT NOT NULL, kind TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL,
    PRIMARY KEY (environment, kind, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS entry (
    environment TEXT NOT NULL, revision INTEGER NOT NULL, head TEXT NOT NULL, data BLOB NOT NULL,
    PRIMARY KEY (environment, revision)
);
CREATE TABLE IF NOT EXISTS audit (
    environment TEXT NOT NULL, sequence INTEGER NOT NULL, link TEXT NOT NULL, data BLOB NOT NULL,
    PRIMARY KEY (environment, sequence)
);
CREATE TABLE IF NOT EXISTS touched (
    environment TEXT NOT NULL, name TEXT NOT NULL, sequence INTEGER NOT NULL,
    PRIMARY KEY (environment, name, sequence)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS touched_by_sequence ON touched (environment, sequence);
CREATE TABLE IF NOT EXISTS chain (
    environment TEXT PRIMARY KEY, sequence INTEGER NOT NULL, link TEXT NOT NULL, bytes INTEGER NOT NULL
) WITHOUT ROWID;
"""
# 1: the schema above. A later release reads this number and converts; an older one refuses the file.
FORMAT = 1


class StoreInUse(WigwagError):
    """Another process holds the database."""


class SqliteStore:
    """Keeps the logs in one file. Made by `open`."""

    def __init__(
        self,
        database: aiosqlite.Connection,
        lock: int | None,
        log_bytes: int = LOG_BYTES,
        audit_bytes: int = AUDIT_BYTES,
    ) -> None:
        self._database = database
        self._lock = lock  # None: for a look only
        self._log_bytes = log_bytes
        self._audit = SqliteAudit(database, audit_bytes)
        self._turn = asyncio.Lock()  # one transaction at a time on the one connection
        self._listeners: dict[str, set[asyncio.Queue[Told | None]]] = {}

    @classmethod
    async def open(cls, path: Path, *, log_bytes: int = LOG_BYTES, audit_bytes: int = AUDIT_BYTES) -> Self:
        """Open or create the file. Raises StoreInUse when another process has it, StoreUnavailable when it fails."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            lock = _lock(path.with_name(path.name + ".lock"))
        except OSError as error:
            raise StoreUnavailable(f"cannot open {path}: {error}") from error
        try:
            database = await aiosqlite.connect(path, isolation_level=None)
        except (sqlite3.Error, OSError) as error:
            os.close(lock)
            raise StoreUnavailable(f"cannot open {path}: {error}") from error
        try:
            await _prepare(database, path)
        except BaseException as error:
            await database.close()
            os.close(lock)
            if isinstance(error, sqlite3.Error):
                raise StoreUnavailable(f"cannot open {path}: {error}") from error
            raise
        return cls(database, lock, log_bytes, audit_bytes)

    @classmethod
    async def look(cls, path: Path) -> Self:
        """Open the file to read it, also beside the server that has it. Raises StoreUnavailable."""
        try:
            database = await aiosqlite.connect(f"file:{quote(str(path))}?mode=ro", uri=True, isolation_level=None)
        except (sqlite3.Error, OSError) as error:
            raise StoreUnavailable(f"cannot open {path}: {error}") from error
        try:
            await _check_format(database, path)
        except BaseException as error:
            await database.close()
            if isinstance(error, sqlite3.Error):
                raise StoreUnavailable(f"cannot read {path}: {error}") from error
            raise
        return cls(database, None)

    async def environments(self) -> tuple[str, ...]:
        """Name the environments that have a log."""
        async with self._transaction():
            rows = await self._database.execute_fetchall("SELECT environment FROM log ORDER BY environment")
        return tuple(name for (name,) in rows)

    async def head(self, environment: str) -> Head:
        """Return where the log is. What one file says is always settled, once there is a log in it."""
        async with self._transaction():
            cursor = await self._cursor(environment)
        return Head(cursor, settled=cursor is not None)

    async def settle(self, environment: str, offer: Snapshot | None, begin: Begin) -> Head:
        """Begin the log unless there is one. A file has one server, so there is nobody to agree with."""
        async with self._transaction():
            if await self._cursor(environment) is None:
                cursor = offer.cursor if offer else Cursor(begin.epoch, 0, begin.head)
                at = offer.at if offer else begin.at
                await self._begin(environment, cursor, at, offer.records if offer else {})
            return Head(await self._cursor(environment))

    async def renew(self, environment: str, cursor: Cursor, epoch: Epoch) -> Head:
        """Begin a new history with the state at `cursor`."""
        async with self._transaction():
            if await self._cursor(environment) != cursor:
                return Head(await self._cursor(environment))
            await self._database.execute("DELETE FROM entry WHERE environment = ?", (environment,))
            await self._database.execute(
                "UPDATE log SET epoch = ?, bytes = 0 WHERE environment = ?", (str(epoch), environment)
            )
        return Head(Cursor(epoch, cursor.revision, cursor.head), parent=cursor)

    async def load(self, environment: str) -> Snapshot | None:
        """Return the whole state."""
        async with self._transaction():
            cursor = await self._cursor(environment)
            if cursor is None:
                return None
            ((at,),) = await self._database.execute_fetchall("SELECT at FROM log WHERE environment = ?", (environment,))
            rows = await self._database.execute_fetchall(
                "SELECT kind, key, value FROM record WHERE environment = ?", (environment,)
            )
        records: dict[str, dict[str, object]] = {}
        for kind, key, value in rows:
            records.setdefault(kind, {})[key] = read_record(value)
        return Snapshot(environment, cursor, at, records)

    async def commit(self, environment: str, epoch: Epoch, commit: Commit, entry: bytes | None = None) -> Answer:
        """Append, if the log of this epoch is still at `commit.prev`."""
        async with self._transaction():
            cursor = await self._cursor(environment)
            if cursor is None or (cursor.epoch, cursor.head) != (epoch, commit.prev):
                return Conflict(cursor)
            await self._append(environment, commit)
            if entry is not None:
                await self._audit.append(environment, commit, entry)
        # From here on it is acknowledged whatever happens to the caller, so the listeners hear of it.
        self._tell(environment, Told(epoch, commit))
        return Accepted()

    async def commits_since(self, environment: str, cursor: Cursor) -> tuple[Commit, ...] | NotInLog:
        """Return what came after `cursor`."""
        async with self._transaction():
            now = await self._cursor(environment)
            if now is None or now.epoch != cursor.epoch or cursor.revision > now.revision:
                return NotInLog.UNKNOWN
            if cursor == now:
                return ()
            rows = list(
                await self._database.execute_fetchall(
                    "SELECT data FROM entry WHERE environment = ? AND revision >= ? ORDER BY revision",
                    (environment, cursor.revision),
                )
            )
        return following(cursor, tuple(commit_from_plain(decode(data)) for (data,) in rows))

    async def audit(self, environment: str, query: AuditQuery) -> tuple[Recorded, ...]:
        """Return a part of the audit log."""
        async with self._transaction():
            return await self._audit.read(environment, query)

    @asynccontextmanager
    async def feed(self, environment: str) -> AsyncGenerator[AsyncIterator[Told]]:
        """Tell of every commit. A listener that falls behind by `FEED_SIZE` commits is let go."""
        queue: asyncio.Queue[Told | None] = asyncio.Queue(FEED_SIZE)
        listeners = self._listeners.setdefault(environment, set())
        listeners.add(queue)
        try:
            yield _until_let_go(queue)
        finally:
            listeners.discard(queue)

    async def close(self) -> None:
        """Close the file and let the next process have it."""
        async with self._turn:
            await self._database.close()
            if self._lock is not None:
                os.close(self._lock)

    @asynccontextmanager
    async def _transaction(self) -> AsyncGenerator[None]:
        async with self._turn:
            try:
                try:
                    await self._database.execute("BEGIN")
                    yield
                    await self._database.execute("COMMIT")
                except BaseException:
                    # Also where whoever asked hung up while it began: a transaction left open would be in the way of
                    # every one to come. There may be none, if it was the beginning that failed.
                    with suppress(sqlite3.Error):
                        await self._database.execute("ROLLBACK")
                    raise
            except (sqlite3.Error, ValueError) as error:
                raise StoreUnavailable(f"SQLite: {error}") from error

    async def _cursor(self, environment: str) -> Cursor | None:
        rows = list(
            await self._database.execute_fetchall(
                "SELECT epoch, revision, head FROM log WHERE environment = ?", (environment,)
            )
        )
        return Cursor.parse(f"{rows[0][0]}:{rows[0][1]}:{rows[0][2]}") if rows else None

    async def _begin(self, environment: str, cursor: Cursor, at: int, records: Tables) -> None:
        await self._database.execute(
            "INSERT INTO log (environment, epoch, revision, head, at) VALUES (?, ?, ?, ?, ?)",
            (environment, str(cursor.epoch), cursor.revision, cursor.head, at),
        )
        await self._database.executemany(
            "INSERT OR REPLACE INTO record VALUES (?, ?, ?, ?)",
            [
                (environment, kind, key, encode(value))
                for kind, table in records.items()
                for key, value in table.items()
            ],
        )

    async def _append(self, environment: str, commit: Commit) -> None:
        for change in commit.changes:
            if change.value is None:
                await self._database.execute(
                    "DELETE FROM record WHERE environment = ? AND kind = ? AND key = ?",
                    (environment, change.kind, change.key),
                )
            else:
                await self._database.execute(
                    "INSERT OR REPLACE INTO record VALUES (?, ?, ?, ?)",
                    (environment, change.kind, change.key, encode(change.value)),
                )
        data = encode(commit_to_plain(commit))
        await self._database.execute(
            "INSERT INTO entry VALUES (?, ?, ?, ?)", (environment, commit.revision, commit.head, data)
        )
        await self._database.execute(
            "UPDATE log SET revision = ?, head = ?, at = ?, bytes = bytes + ? WHERE environment = ?",
            (commit.revision, commit.head, commit.at, len(data), environment),
        )
        await self._trim(environment)

    async def _trim(self, environment: str) -> None:
        """Forget the oldest entries beyond the log's size; whoever is that far behind gets a snapshot."""
        while True:
            ((size, revision),) = await self._database.execute_fetchall(
                "SELECT bytes, revision FROM log WHERE environment = ?", (environment,)
            )
            if size <= self._log_bytes:
                return
            ((oldest, length),) = await self._database.execute_fetchall(
                "SELECT revision, length(data) FROM entry WHERE environment = ? ORDER BY revision LIMIT 1",
                (environment,),
            )
            if oldest == revision:
                return
            await self._database.execute(
                "DELETE FROM entry WHERE environment = ? AND revision = ?", (environment, oldest)
            )
            await self._database.execute(
                "UPDATE log SET bytes = bytes - ? WHERE environment = ?", (length, environment)
            )

    def _tell(self, environment: str, told: Told) -> None:
        for queue in list(self._listeners.get(environment, ())):
            try:
                queue.put_nowait(told)
            except asyncio.QueueFull:
                self._listeners[environment].discard(queue)
                with suppress(asyncio.QueueEmpty):
                    queue.get_nowait()
                queue.put_nowait(None)


async def _until_let_go(queue: asyncio.Queue[Told | None]) -> AsyncIterator[Told]:
    while (told := await queue.get()) is not None:
        yield told


def _lock(path: Path) -> int:
    """Take the lock that a process holds for as long as it lives. Raises StoreInUse."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = os.pread(handle, 32, 0).decode(errors="replace").strip()
        os.close(handle)
        raise StoreInUse(
            f"{path.with_suffix('')} is in use by process {owner or '?'}. The embedded store serves one server: "
            "stop that one, choose another file, or use --store redis://… for several servers."
        ) from None
    os.ftruncate(handle, 0)
    os.pwrite(handle, str(os.getpid()).encode(), 0)
    return handle


async def _check_format(database: aiosqlite.Connection, path: Path) -> None:
    ((found,),) = await database.execute_fetchall("PRAGMA user_version")
    if found > FORMAT:
        raise StoreUnavailable(
            f"{path} was written by a newer wigwag (format {found}, this one reads up to {FORMAT}): "
            "run that release, or restore a backup of before"
        )


async def _prepare(database: aiosqlite.Connection, path: Path) -> None:
    await _check_format(database, path)
    await database.execute("PRAGMA journal_mode = WAL")
    await database.execute("PRAGMA synchronous = FULL")
    await database.executescript(SCHEMA)
    await database.execute(f"PRAGMA user_version = {FORMAT}")
