"""The roster in a SQLite file, for one server; it outlives a restart of that."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
from aiosqlite import Connection

from wigwag_proto.commit import Cursor
from wigwag_proto.telemetry import Instance
from wigwag_server.instances.roster import (
    FORGET_DEAD_US,
    FORGET_LEFT_US,
    FORGET_LOST_US,
    TRACKED,
    TRACKED_US,
    Applied,
    Changes,
    Confirmation,
    Frozen,
    Look,
    Seat,
    ServerNote,
    ServerSeen,
    Tripped,
    Via,
)
from wigwag_server.store.sqlite_side import SqliteSide

SCHEMA = """
CREATE TABLE IF NOT EXISTS server (
    environment TEXT, id TEXT, at_us INTEGER, note BLOB, PRIMARY KEY (environment, id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS seat (
    environment TEXT, id TEXT, server TEXT, via TEXT, since_us INTEGER, details BLOB,
    cursor TEXT, applied_us INTEGER, generation INTEGER, revision INTEGER, PRIMARY KEY (environment, id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tripped (
    environment TEXT, id TEXT, since_us BLOB, PRIMARY KEY (environment, id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tracked (
    environment TEXT, epoch TEXT, revision INTEGER, committed_us INTEGER, PRIMARY KEY (environment, epoch, revision)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS frozen (
    environment TEXT, epoch TEXT, revision INTEGER, id TEXT, server TEXT, via TEXT, since_us INTEGER,
    confirmed_us INTEGER, PRIMARY KEY (environment, id, epoch, revision)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS frozen_at ON frozen (environment, epoch, revision);
"""


class SqliteRoster:
    """Keeps the roster in one file."""

    def __init__(self, side: SqliteSide, *, limit: int) -> None:
        self._side = side
        self._limit = limit

    @classmethod
    async def open(cls, path: Path, *, limit: int) -> "SqliteRoster":
        """Open or create the file. Raises StoreUnavailable."""
        return cls(await SqliteSide.open(path, SCHEMA), limit=limit)

    async def update(self, environment: str, note: ServerNote, changes: Changes) -> bool:
        """Take a sign of life and changes."""
        now_us = self._side.now_us()
        async with self._side.transaction() as database:
            known = await database.execute_fetchall(
                "SELECT 1 FROM server WHERE environment = ? AND id = ?", (environment, note.id)
            )
            await database.execute(
                "INSERT OR REPLACE INTO server VALUES (?, ?, ?, ?)",
                (environment, note.id, now_us, msgspec.json.encode(note)),
            )
            await self._seat(database, environment, note.id, changes, now_us)
            await database.executemany(
                "UPDATE seat SET via = 'lost', since_us = ? "
                "WHERE environment = ? AND id = ? AND server = ? AND via <> 'left'",
                [(now_us, environment, id_, note.id) for id_ in changes.lost],
            )
            await database.executemany(
                "UPDATE seat SET server = ?, via = 'left', since_us = ? WHERE environment = ? AND id = ?",
                [(note.id, now_us, environment, id_) for id_ in changes.left],
            )
        return bool(known)

    async def farewell(self, environment: str, server: str) -> None:
        """Forget a server."""
        async with self._side.transaction() as database:
            await database.execute("DELETE FROM server WHERE environment = ? AND id = ?", (environment, server))

    async def freeze(
        self, environment: str, epoch: str, revision: int, heard_ago_us: int, own: Sequence[str] = ()
    ) -> None:
        """Keep the roster as it is."""
        committed_us = self._side.now_us() - heard_ago_us
        async with self._side.transaction() as database:
            done = await database.execute(
                "INSERT OR IGNORE INTO tracked VALUES (?, ?, ?, ?)", (environment, epoch, revision, committed_us)
            )
            # One server: what it asks for twice, or has of its own, is in the table already.
            copied = "SELECT environment, ?, ?, id, server, via, since_us, NULL FROM seat WHERE environment = ?"
            if done.rowcount:
                await database.execute(
                    f"INSERT OR IGNORE INTO frozen {copied}",
                    (epoch, revision, environment),
                )
            await database.executemany(
                f"INSERT OR IGNORE INTO frozen {copied} AND id = ?",
                [(epoch, revision, environment, id_) for id_ in own],
            )
            await database.execute(
                "UPDATE tracked SET committed_us = min(committed_us, ?) "
                "WHERE environment = ? AND epoch = ? AND revision = ?",
                (committed_us, environment, epoch, revision),
            )
            await database.execute(
                "DELETE FROM tracked WHERE environment = ? AND (epoch, revision) NOT IN (SELECT epoch, revision "
                "FROM tracked WHERE environment = ? ORDER BY committed_us DESC LIMIT ?)",
                (environment, environment, TRACKED),
            )
            await _drop_untracked(database)

    async def confirm(self, environment: str, confirmations: Sequence[Confirmation]) -> None:
        """Note who has what in force."""
        now_us = self._side.now_us()
        rows = [(each.instance, Cursor.parse(each.cursor), now_us - each.ago_us) for each in confirmations]
        async with self._side.transaction() as database:
            await database.executemany(
                "UPDATE seat SET cursor = ?, applied_us = ?, generation = ?, revision = ? WHERE environment = ? "
                "AND id = ? AND (cursor IS NULL OR (generation, revision) < (?, ?))",
                [(str(cursor), at, *cursor.rank, environment, id_, *cursor.rank) for id_, cursor, at in rows],
            )
            await database.executemany(
                "UPDATE frozen SET confirmed_us = ? WHERE environment = ? AND id = ? AND epoch = ? AND revision <= ? "
                "AND confirmed_us IS NULL",
                [(at, environment, id_, str(cursor.epoch), cursor.revision) for id_, cursor, at in rows],
            )

    async def trip(self, environment: str, tripped: Sequence[Tripped]) -> None:
        """Note which circuits are tripped."""
        now_us = self._side.now_us()
        async with self._side.transaction() as database:
            await database.executemany(
                "DELETE FROM tripped WHERE environment = ? AND id = ?",
                [(environment, each.instance) for each in tripped],
            )
            await database.executemany(
                "INSERT INTO tripped SELECT environment, id, ? FROM seat WHERE environment = ? AND id = ?",
                [(_since(now_us, each.ago_us), environment, each.instance) for each in tripped if each.ago_us],
            )

    async def look(self, environment: str, revision: int | None = None) -> Look:
        """Return the roster now."""
        async with self._side.transaction() as database:
            servers = await database.execute_fetchall(
                "SELECT id, note, at_us FROM server WHERE environment = ?", (environment,)
            )
            rows = await database.execute_fetchall(
                "SELECT id, server, via, since_us, cursor, applied_us FROM seat WHERE environment = ?", (environment,)
            )
            tripped = await database.execute_fetchall(
                "SELECT id, since_us FROM tripped WHERE environment = ?", (environment,)
            )
            frozen = None if revision is None else await _frozen(database, environment, revision)
        done = {} if frozen is None else frozen.confirmed
        return Look(
            self._side.now_us(),
            {name: ServerSeen(msgspec.json.decode(note, type=ServerNote), at_us) for name, note, at_us in servers},
            {id_: Seat(server, Via(via), since_us) for id_, server, via, since_us, _, _ in rows},
            {id_: Applied(cursor, at) for id_, _, _, _, cursor, at in rows if cursor and id_ not in done},
            frozen,
            {id_: msgspec.json.decode(since, type=dict[str, int]) for id_, since in tripped},
        )

    async def names(self, environment: str, ids: Sequence[str]) -> dict[str, Instance]:
        """Return who these are."""
        found = {}
        async with self._side.transaction() as database:
            for id_ in ids:
                for (details,) in await database.execute_fetchall(
                    "SELECT details FROM seat WHERE environment = ? AND id = ?", (environment, id_)
                ):
                    found[id_] = msgspec.json.decode(details, type=Instance)
        return found

    async def reap(self, environment: str) -> None:
        """Forget what is over."""
        now_us = self._side.now_us()
        async with self._side.transaction() as database:
            await database.execute(
                "DELETE FROM server WHERE environment = ? AND at_us < ?", (environment, now_us - FORGET_DEAD_US)
            )
            await database.execute(
                "DELETE FROM seat WHERE environment = ? AND CASE via "
                "WHEN 'lost' THEN since_us < ? WHEN 'left' THEN since_us < ? "
                "ELSE server NOT IN (SELECT id FROM server WHERE environment = ?) END",
                (environment, now_us - FORGET_LOST_US, now_us - FORGET_LEFT_US, environment),
            )
            await database.execute(
                "DELETE FROM tripped WHERE environment = ? AND id NOT IN (SELECT id FROM seat WHERE environment = ?)",
                (environment, environment),
            )
            await database.execute(
                "DELETE FROM tracked WHERE environment = ? AND committed_us < ?", (environment, now_us - TRACKED_US)
            )
            await _drop_untracked(database)

    async def close(self) -> None:
        """Close the file."""
        await self._side.close()

    async def _seat(self, database: Connection, environment: str, server: str, changes: Changes, now_us: int) -> None:
        ((count,),) = await database.execute_fetchall("SELECT count(*) FROM seat WHERE environment = ?", (environment,))
        for instance, via in changes.seated:
            done = await database.execute(
                "UPDATE seat SET server = ?, via = ?, since_us = ?, details = ? WHERE environment = ? AND id = ?",
                (server, via.value, now_us, msgspec.json.encode(instance), environment, instance.id),
            )
            if done.rowcount == 0 and count < self._limit:
                count += 1
                await database.execute(
                    "INSERT INTO seat VALUES (?, ?, ?, ?, ?, ?, NULL, NULL, NULL, NULL)",
                    (environment, instance.id, server, via.value, now_us, msgspec.json.encode(instance)),
                )


def _since(now_us: int, ago_us: Mapping[str, int]) -> bytes:
    return msgspec.json.encode({flag: now_us - ago for flag, ago in ago_us.items()})


async def _frozen(database: Connection, environment: str, revision: int) -> Frozen | None:
    found = list(
        await database.execute_fetchall(
            "SELECT epoch, committed_us FROM tracked WHERE environment = ? AND revision = ? "
            "ORDER BY committed_us DESC LIMIT 1",
            (environment, revision),
        )
    )
    if not found:
        return None
    ((epoch, committed_us),) = found
    rows = list(
        await database.execute_fetchall(
            "SELECT id, server, via, since_us, confirmed_us FROM frozen "
            "WHERE environment = ? AND epoch = ? AND revision = ?",
            (environment, epoch, revision),
        )
    )
    seats = {id_: Seat(server, Via(via), since_us) for id_, server, via, since_us, _ in rows}
    return Frozen(epoch, revision, committed_us, seats, {row[0]: row[4] for row in rows if row[4] is not None})


async def _drop_untracked(database: Connection) -> None:
    await database.execute(
        "DELETE FROM frozen WHERE NOT EXISTS (SELECT 1 FROM tracked WHERE tracked.environment = frozen.environment "
        "AND tracked.epoch = frozen.epoch AND tracked.revision = frozen.revision)"
    )
