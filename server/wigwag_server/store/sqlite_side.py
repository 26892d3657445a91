"""A SQLite file for what is kept beside the logs: its own, so that writing it never stands in front of a commit.

It is not flushed with every write. What is in it may lose its last moments in a power cut, and is never damaged.
"""

import asyncio
import sqlite3
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Self

import aiosqlite

from wigwag_proto.errors import StoreUnavailable


class SqliteSide:
    """One file, one connection, one transaction at a time. Made by `open`."""

    def __init__(self, database: aiosqlite.Connection) -> None:
        self.database = database
        self._turn = asyncio.Lock()
        # The clock of this store: that of the wall at the start, and from then on one that nobody can set.
        self._started_us = round(time.time() * 1e6) - time.monotonic_ns() // 1000

    @classmethod
    async def open(cls, path: Path, schema: str) -> Self:
        """Open or create the file. Raises StoreUnavailable."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            database = await aiosqlite.connect(path, isolation_level=None)
        except (sqlite3.Error, OSError) as error:
            raise StoreUnavailable(f"cannot open {path}: {error}") from error
        try:
            await database.execute("PRAGMA journal_mode = WAL")
            await database.execute("PRAGMA synchronous = NORMAL")
            await database.executescript(schema)
        except sqlite3.Error as error:
            await database.close()
            raise StoreUnavailable(f"cannot open {path}: {error}") from error
        return cls(database)

    def now_us(self) -> int:
        """Return the time on the clock of this store."""
        return self._started_us + time.monotonic_ns() // 1000

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[aiosqlite.Connection]:
        """Do all of it or nothing. Raises StoreUnavailable."""
        async with self._turn:
            try:
                try:
                    await self.database.execute("BEGIN")
                    yield self.database
                    await self.database.execute("COMMIT")
                except BaseException:
                    # Also where whoever asked hung up while it began: a transaction left open would be in the way of
                    # every one to come. There may be none, if it was the beginning that failed.
                    with suppress(sqlite3.Error):
                        await self.database.execute("ROLLBACK")
                    raise
            except (sqlite3.Error, ValueError) as error:
                raise StoreUnavailable(f"SQLite: {error}") from error

    async def close(self) -> None:
        """Close the file."""
        async with self._turn:
            await self.database.close()
