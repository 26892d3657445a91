"""What restoring needs of a store besides its interface: to know who follows it, to drop a log, to fill one."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, Self

import aiosqlite

from wigwag_proto.audit import Recorded
from wigwag_proto.errors import StoreUnavailable
from wigwag_server.backup.backup_file import names_in
from wigwag_server.store.from_url import open_store
from wigwag_server.store.redis import ENVIRONMENTS, log_key
from wigwag_server.store.redis_link import Link, connect, store_errors
from wigwag_server.store.sqlite import SqliteStore
from wigwag_server.store.store import Store


class Target(Protocol):
    """A store that a backup is put into. Every method raises StoreUnavailable."""

    store: Store

    async def followers(self, environment: str) -> int:
        """Return how many servers follow a log."""

    async def drop(self, environment: str) -> None:
        """Remove a log, its state and its audit log."""

    async def put_audit(self, environment: str, entries: Sequence[Recorded]) -> None:
        """Put entries into an audit log, as they are and after those that are there."""

    async def close(self) -> None:
        """Close the store."""


async def open_source(url: str) -> Store:
    """Open a store to read it, beside servers that run. Raises UnknownStore, StoreUnavailable."""
    if (path := _sqlite_path(url)) is not None:
        return await SqliteStore.look(path)
    return await open_store(url)


async def open_target(url: str) -> Target:
    """Open a store to put a backup into it. Raises UnknownStore, StoreInUse, StoreUnavailable."""
    # There is nobody to agree with on what the state is: whoever restores says what it is.
    store = await open_store(url, settle_s=0.0)
    try:
        if (path := _sqlite_path(url)) is not None:
            return await SqliteTarget.open(store, path)
        return RedisTarget(store, connect(url))
    except BaseException:
        await store.close()
        raise


def _sqlite_path(url: str) -> Path | None:
    scheme, _, rest = url.partition(":")
    return Path(rest.removeprefix("//")) if scheme == "sqlite" and rest.removeprefix("//") else None


class SqliteTarget:
    """The embedded store. The lock that `store` holds keeps servers out."""

    def __init__(self, store: Store, database: aiosqlite.Connection) -> None:
        self.store = store
        self._database = database

    @classmethod
    async def open(cls, store: Store, path: Path) -> Self:
        """Open the file once more. Raises StoreUnavailable."""
        try:
            return cls(store, await aiosqlite.connect(path))
        except sqlite3.Error as error:
            raise StoreUnavailable(f"cannot open {path}: {error}") from error

    async def followers(self, environment: str) -> int:  # noqa: ARG002 - as the protocol has it
        """Return 0: a server would hold the lock."""
        return 0

    async def drop(self, environment: str) -> None:
        """Remove what is about the environment from every table."""
        try:
            for table in ("log", "record", "entry", "audit", "touched", "chain"):
                await self._database.execute(f"DELETE FROM {table} WHERE environment = ?", (environment,))  # noqa: S608 - one of these names
            await self._database.commit()
        except sqlite3.Error as error:
            raise StoreUnavailable(f"SQLite: {error}") from error

    async def put_audit(self, environment: str, entries: Sequence[Recorded]) -> None:
        """Insert rows."""
        last, size = entries[-1], sum(len(each.data) for each in entries)
        try:
            await self._database.executemany(
                "INSERT INTO audit VALUES (?, ?, ?, ?)",
                [(environment, each.sequence, each.link, each.data) for each in entries],
            )
            await self._database.executemany(
                "INSERT OR REPLACE INTO touched VALUES (?, ?, ?)",
                [(environment, name, sequence) for sequence, name in names_in(entries)],
            )
            await self._database.execute(
                "INSERT INTO chain VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE "
                "SET sequence = excluded.sequence, link = excluded.link, bytes = bytes + excluded.bytes",
                (environment, last.sequence, last.link, size),
            )
            await self._database.commit()
        except sqlite3.Error as error:
            raise StoreUnavailable(f"SQLite: {error}") from error

    async def close(self) -> None:
        """Close the file, and let the next process have it."""
        await self._database.close()
        await self.store.close()


class RedisTarget:
    """Redis. Servers show by their subscriptions."""

    def __init__(self, store: Store, link: Link) -> None:
        self.store = store
        self._link = link

    async def followers(self, environment: str) -> int:
        """Return how many subscribe to the feed: in a Cluster also at a node that had the log before."""
        feed, found = log_key(environment, "feed"), 0
        with store_errors():
            await self._link.at(feed).ping()
            for redis in self._link.everywhere():
                ((_, count),) = await redis.pubsub_numsub(feed)
                found += int(count)
        return found

    async def drop(self, environment: str) -> None:
        """Delete the keys of the log; usage and the roster have their own, and stay."""
        redis = self._link.at(log_key(environment, "state"))
        with store_errors():
            names = ("state", "records", "log", "settling", "offer", "audit", "chain")
            own = [log_key(environment, each) for each in names]
            touched = [key async for key in redis.scan_iter(match=log_key(environment, "touched:*"), count=1000)]
            for first in range(0, len(touched), 1000):
                await redis.delete(*touched[first : first + 1000])
            await redis.delete(*own)
            await self._link.at(ENVIRONMENTS).srem(ENVIRONMENTS, environment)

    async def put_audit(self, environment: str, entries: Sequence[Recorded]) -> None:
        """Add them to the stream and to the index."""
        last, size = entries[-1], sum(len(each.data) for each in entries)
        with store_errors():
            async with self._link.at(log_key(environment, "audit")).pipeline(transaction=True) as pipeline:
                for each in entries:
                    fields = {"link": each.link, "data": each.data}
                    pipeline.xadd(log_key(environment, "audit"), fields, id=f"{each.sequence}-0")  # type: ignore[arg-type]  # its dict is invariant
                for sequence, name in names_in(entries):
                    pipeline.zadd(log_key(environment, f"touched:{name}"), {f"{sequence}-0": sequence})
                chain = log_key(environment, "chain")
                pipeline.hset(chain, mapping={"sequence": str(last.sequence), "link": last.link})
                pipeline.hincrby(chain, "bytes", size)
                await pipeline.execute()

    async def close(self) -> None:
        """Close every connection."""
        await self._link.close()
        await self.store.close()
