"""Usage in a SQLite file."""

from collections.abc import Sequence
from pathlib import Path

from aiosqlite import Connection

from wigwag_server.store.sqlite_side import SqliteSide
from wigwag_server.usage.usage_store import (
    ASKED_KEPT_S,
    BATCH_KEPT_S,
    BATCHES_LIMIT,
    OTHERS,
    SERIES_LIMIT,
    UNKNOWN_KEPT_S,
    UNKNOWN_LIMIT,
    Batch,
    Buckets,
    Size,
    Unknown,
)

SCHEMA = """
CREATE TABLE IF NOT EXISTS cell (
    environment TEXT, flag TEXT, size INTEGER, series TEXT, at INTEGER, count INTEGER,
    PRIMARY KEY (environment, flag, size, series, at)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS cell_at ON cell (size, at);
CREATE TABLE IF NOT EXISTS batch (
    environment TEXT, instance TEXT, number INTEGER, at INTEGER, PRIMARY KEY (environment, instance)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS asked (
    environment TEXT, flag TEXT, at INTEGER, PRIMARY KEY (environment, flag)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS unknown (
    environment TEXT, name TEXT, count INTEGER, first INTEGER, last INTEGER, PRIMARY KEY (environment, name)
) WITHOUT ROWID;
"""
ONE_MORE_BATCH = (
    "INSERT INTO batch SELECT ?1, ?2, ?3, ?4 WHERE EXISTS (SELECT 1 FROM batch WHERE environment = ?1 AND "
    "instance = ?2) OR (SELECT count(*) FROM batch WHERE environment = ?1) < ?5 "
    "ON CONFLICT DO UPDATE SET number = excluded.number, at = excluded.at WHERE number < excluded.number"
)
ONE_MORE_COUNT = "INSERT INTO cell VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET count = count + excluded.count"


class SqliteUsage:
    """Keeps the counts in one file."""

    def __init__(self, side: SqliteSide) -> None:
        self._side = side
        self._swept_s = 0

    @classmethod
    async def open(cls, path: Path) -> "SqliteUsage":
        """Open or create the file. Raises StoreUnavailable."""
        return cls(await SqliteSide.open(path, SCHEMA))

    async def add(self, environment: str, batches: Sequence[Batch]) -> None:
        """Add each batch once."""
        now_s = self._now_s()
        async with self._side.transaction() as database:
            counts: dict[tuple[str, str], int] = {}
            unknown: dict[str, int] = {}
            for batch in batches:
                row = (environment, batch.instance, batch.number, now_s, BATCHES_LIMIT)
                if (await database.execute(ONE_MORE_BATCH, row)).rowcount < 1:
                    continue
                for each in batch.counts:
                    counts[each.flag, each.series] = counts.get((each.flag, each.series), 0) + each.amount
                for name, amount in batch.unknown.items():
                    unknown[name] = unknown.get(name, 0) + amount
            await self._count(database, environment, counts, now_s)
            for name, amount in unknown.items():
                await self._count_unknown(database, environment, name, amount, now_s)
            if now_s - self._swept_s >= Size.MINUTE:
                self._swept_s = now_s
                await _sweep(database, now_s)

    async def read(self, environment: str, flag: str, size: Size, back_s: int) -> Buckets:
        """Return the buckets."""
        now_s = self._now_s()
        first = max(0, now_s - back_s) // size + 1
        async with self._side.transaction() as database:
            rows = await database.execute_fetchall(
                "SELECT series, at, count FROM cell WHERE environment = ? AND flag = ? AND size = ? AND at >= ?",
                (environment, flag, size.value, first * size),
            )
        found: dict[str, dict[int, int]] = {}
        for series, at, count in rows:
            found.setdefault(series, {})[at] = count
        return Buckets(now_s, found)

    async def asked(self, environment: str) -> dict[str, int]:
        """Return when each flag was last asked for."""
        async with self._side.transaction() as database:
            rows = await database.execute_fetchall("SELECT flag, at FROM asked WHERE environment = ?", (environment,))
        return dict(tuple(row) for row in rows)

    async def unknown(self, environment: str) -> list[Unknown]:
        """Return the names that no flag has."""
        async with self._side.transaction() as database:
            rows = await database.execute_fetchall(
                "SELECT name, count, first, last FROM unknown WHERE environment = ? ORDER BY last DESC, name DESC",
                (environment,),
            )
        return [Unknown(*row) for row in rows]

    async def close(self) -> None:
        """Close the file."""
        await self._side.close()

    def _now_s(self) -> int:
        return self._side.now_us() // 1_000_000

    async def _count(
        self, database: Connection, environment: str, counts: dict[tuple[str, str], int], now_s: int
    ) -> None:
        refused: set[tuple[str, str]] = set()
        for flag in {flag for flag, _ in counts}:
            rows = await database.execute_fetchall(
                "SELECT DISTINCT series FROM cell WHERE environment = ? AND flag = ? AND size = 3600",
                (environment, flag),
            )
            known = {series for (series,) in rows}
            new = [series for each, series in counts if each == flag and series not in known]
            refused |= {(flag, series) for series in new[max(0, SERIES_LIMIT - len(known)) :]}
        await database.executemany(
            ONE_MORE_COUNT,
            [
                (environment, flag, size.value, series, now_s // size * size, amount)
                for (flag, series), amount in counts.items()
                if (flag, series) not in refused
                for size in Size
            ],
        )
        await database.executemany(
            "INSERT OR REPLACE INTO asked VALUES (?, ?, ?)", [(environment, flag, now_s) for flag, _ in counts]
        )

    async def _count_unknown(self, database: Connection, environment: str, name: str, amount: int, now_s: int) -> None:
        rows = list(
            await database.execute_fetchall(
                "SELECT name, last FROM unknown WHERE environment = ? ORDER BY last, name", (environment,)
            )
        )
        if len(rows) >= UNKNOWN_LIMIT and name not in {row[0] for row in rows}:
            oldest, last = rows[0]
            if now_s - last > UNKNOWN_KEPT_S:
                await database.execute("DELETE FROM unknown WHERE environment = ? AND name = ?", (environment, oldest))
            else:
                name = OTHERS
        await database.execute(
            "INSERT INTO unknown VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE "
            "SET count = count + excluded.count, last = excluded.last",
            (environment, name, amount, now_s, now_s),
        )


async def _sweep(database: Connection, now_s: int) -> None:
    """Forget what is too old."""
    for size in Size:
        await database.execute("DELETE FROM cell WHERE size = ? AND at < ?", (size.value, now_s - size.kept_s - size))
    await database.execute("DELETE FROM batch WHERE at < ?", (now_s - 2 * BATCH_KEPT_S,))
    await database.execute("DELETE FROM asked WHERE at < ?", (now_s - ASKED_KEPT_S,))
