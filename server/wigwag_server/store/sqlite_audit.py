"""The audit log in SQLite: entries, their chain, and an index by record. Runs inside the store's transactions."""

import aiosqlite

from wigwag_proto.audit import FIRST_LINK, AuditQuery, Recorded, next_link
from wigwag_proto.commit import Commit


class SqliteAudit:
    """Appends to and reads from the audit logs of all environments in one file."""

    def __init__(self, database: aiosqlite.Connection, audit_bytes: int) -> None:
        self._database = database
        self._audit_bytes = audit_bytes

    async def append(self, environment: str, commit: Commit, entry: bytes) -> None:
        """Add an entry about a commit, and forget the oldest ones beyond the size of the log."""
        sequence, link, size = await self._chain(environment)
        sequence, link, size = sequence + 1, next_link(link, entry), size + len(entry)
        await self._database.execute("INSERT INTO audit VALUES (?, ?, ?, ?)", (environment, sequence, link, entry))
        await self._database.executemany(
            "INSERT OR REPLACE INTO touched VALUES (?, ?, ?)",
            [(environment, f"{change.kind}/{change.key}", sequence) for change in commit.changes],
        )
        size = await self._trim(environment, sequence, size)
        await self._database.execute(
            "INSERT OR REPLACE INTO chain VALUES (?, ?, ?, ?)", (environment, sequence, link, size)
        )

    async def read(self, environment: str, query: AuditQuery) -> tuple[Recorded, ...]:
        """Return a part of the log."""
        sql = "SELECT sequence, link, data FROM audit WHERE environment = ?"
        args: list[str | int] = [environment]
        if query.name is not None:
            sql += " AND sequence IN (SELECT sequence FROM touched WHERE environment = ? AND name = ?)"
            args += [environment, query.name]
        if query.before is not None:
            sql += " AND sequence < ?"
            args.append(query.before)
        if query.after is not None:
            sql += " AND sequence > ?"
            args.append(query.after)
        sql += f" ORDER BY sequence {'DESC' if query.after is None else 'ASC'} LIMIT ?"
        rows = await self._database.execute_fetchall(sql, (*args, query.limit))
        # Whoever tampers with the file may leave anything there; that it was tampered with is for the chain to show.
        return tuple(
            Recorded(sequence, str(link), data if isinstance(data, bytes) else str(data).encode())
            for sequence, link, data in rows
        )

    async def _chain(self, environment: str) -> tuple[int, str, int]:
        rows = await self._database.execute_fetchall(
            "SELECT sequence, link, bytes FROM chain WHERE environment = ?", (environment,)
        )
        return next(((sequence, link, size) for sequence, link, size in rows), (0, FIRST_LINK, 0))

    async def _trim(self, environment: str, last: int, size: int) -> int:
        while size > self._audit_bytes:
            ((oldest, length),) = await self._database.execute_fetchall(
                "SELECT sequence, length(data) FROM audit WHERE environment = ? ORDER BY sequence LIMIT 1",
                (environment,),
            )
            if oldest == last:
                break
            for table in ("audit", "touched"):
                await self._database.execute(
                    f"DELETE FROM {table} WHERE environment = ? AND sequence = ?",  # noqa: S608 - one of two names
                    (environment, oldest),
                )
            size -= length
        return size
