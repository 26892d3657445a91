"""The roster in Redis. All keys of an environment share the hash tag of its log.

    wigwag:{production}:servers             hash: server to "µs note"
    wigwag:{production}:seats               hash: instance to "server via µs"
    wigwag:{production}:details             hash: instance to who it is, as JSON
    wigwag:{production}:applied             hash: instance to "µs cursor"
    wigwag:{production}:tripped             hash: instance to {flag: µs}, as JSON
    wigwag:{production}:tracked             sorted set: "epoch:revision" by the µs of the commit
    wigwag:{production}:frozen:<tracked>    hash: the seats at that commit
    wigwag:{production}:confirmed:<tracked> hash: instance to µs

It needs COPY, so Redis 6.2 or later.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

import msgspec
from redis.asyncio import Redis

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
from wigwag_server.store.redis_link import KeyScript, Link, connect, script, store_errors

T = TypeVar("T")

PACKAGE = "wigwag_server.instances"
# So many instances in one call of a script: other clients of Redis, commits above all, get their turn in between. Who
# was away for many kills confirms them all at once, which takes Redis up to a quarter of a millisecond for each.
AT_ONCE = 1000
CONFIRMED_AT_ONCE = 200


class RedisRoster:
    """Keeps the roster in one Redis."""

    def __init__(self, link: Link, *, limit: int) -> None:
        self._link = link
        self._limit = limit
        scripts = {
            name: KeyScript(link, script(PACKAGE, "redis_clock.lua", f"redis_{name}.lua"))
            for name in ("update", "freeze", "confirm", "reap")
        }
        self._update, self._freeze = scripts["update"], scripts["freeze"]
        self._confirm, self._reap = scripts["confirm"], scripts["reap"]

    @classmethod
    def from_url(cls, url: str, *, limit: int) -> "RedisRoster":
        """Make a roster of at most `limit` instances an environment. Raises ValueError for a URL that is none."""
        return cls(connect(url), limit=limit)

    async def update(self, environment: str, note: ServerNote, changes: Changes) -> bool:
        """Take a sign of life and changes."""
        keys = [_key(environment, name) for name in ("servers", "seats", "details")]
        head: list[Any] = [note.id, msgspec.json.encode(note), self._limit]
        seated, lost, left = iter(changes.seated), iter(changes.lost), iter(changes.left)
        known = None
        while True:
            a, b, c = _some(seated), _some(lost), _some(left)
            if known is not None and not (a or b or c):
                return known
            args: list[Any] = [*head, len(a)]
            for instance, via in a:
                args += [instance.id, via.value, msgspec.json.encode(instance)]
            args += [len(b), *b, len(c), *c]
            with store_errors():
                answer = bool(await self._update(keys=keys, args=args))
            known = answer if known is None else known

    async def farewell(self, environment: str, server: str) -> None:
        """Forget a server."""
        with store_errors():
            await self._redis(environment).hdel(_key(environment, "servers"), server)

    async def freeze(
        self, environment: str, epoch: str, revision: int, heard_ago_us: int, own: Sequence[str] = ()
    ) -> None:
        """Keep the roster as it is."""
        keys = [_key(environment, name) for name in ("seats", "tracked")]
        args: list[Any] = [_key(environment, "frozen:"), _key(environment, "confirmed:"), epoch, revision, heard_ago_us]
        with store_errors():
            await self._freeze(keys=keys, args=[*args, TRACKED, TRACKED_US // 1_000_000, *own])

    async def confirm(self, environment: str, confirmations: Sequence[Confirmation]) -> None:
        """Note who has what in force."""
        keys = [_key(environment, name) for name in ("applied", "tracked")]
        head: list[Any] = [
            _key(environment, "frozen:"),
            _key(environment, "confirmed:"),
            self._limit,
            TRACKED_US // 1_000_000,
        ]
        remaining = iter(confirmations)
        while some := _some(remaining, CONFIRMED_AT_ONCE):
            args: list[Any] = [*head]
            for each in some:
                args += [each.instance, each.cursor, each.ago_us]
            with store_errors():
                await self._confirm(keys=keys, args=args)

    async def trip(self, environment: str, tripped: Sequence[Tripped]) -> None:
        """Note which circuits are tripped."""
        seats, key = _key(environment, "seats"), _key(environment, "tripped")
        with store_errors():
            redis = self._redis(environment)
            time: Any = await redis.time()
            now_us = time[0] * 1_000_000 + time[1]
            seated: list[Any] = await redis.hmget(seats, [each.instance for each in tripped])
            async with redis.pipeline(transaction=True) as pipeline:
                for each, seat in zip(tripped, seated, strict=True):
                    if seat is None or not each.ago_us:
                        pipeline.hdel(key, each.instance)
                    else:
                        since = {flag: now_us - ago_us for flag, ago_us in each.ago_us.items()}
                        pipeline.hset(key, each.instance, msgspec.json.encode(since))
                await pipeline.execute()

    async def look(self, environment: str, revision: int | None = None) -> Look:
        """Return the roster now."""
        with store_errors():
            tracked = None if revision is None else await self._tracked(environment, revision)
            async with self._redis(environment).pipeline(transaction=True) as pipeline:
                pipeline.time()
                pipeline.hgetall(_key(environment, "servers"))
                pipeline.hgetall(_key(environment, "seats"))
                if tracked is not None:
                    pipeline.zscore(_key(environment, "tracked"), tracked)
                    pipeline.hgetall(_key(environment, f"frozen:{tracked}"))
                    pipeline.hgetall(_key(environment, f"confirmed:{tracked}"))
                else:
                    pipeline.hgetall(_key(environment, "applied"))
                    pipeline.hgetall(_key(environment, "tripped"))
                time, servers, seats, *rest = await pipeline.execute()
            now_us = time[0] * 1_000_000 + time[1]
            seen = {name.decode(): _server(value) for name, value in servers.items()}
            seated = _seats(seats)
            if tracked is None:
                applied = {name.decode(): _applied(value) for name, value in rest[0].items()}
                return Look(now_us, seen, seated, applied, tripped=_tripped(rest[1]))
            epoch, _, number = tracked.rpartition(":")
            confirmed = {name.decode(): int(value) for name, value in rest[2].items()}
            frozen = Frozen(epoch, int(number), int(rest[0] or now_us), _seats(rest[1]), confirmed)
            missing = [name for name in frozen.seats if name not in confirmed]
            redis, key = self._redis(environment), _key(environment, "applied")
            values: list[Any] = await redis.hmget(key, missing) if missing else []
            applied = {n: _applied(value) for n, value in zip(missing, values, strict=True) if value}
            return Look(now_us, seen, seated, applied, frozen)

    async def names(self, environment: str, ids: Sequence[str]) -> dict[str, Instance]:
        """Return who these are."""
        if not ids:
            return {}
        with store_errors():
            values = await self._redis(environment).hmget(_key(environment, "details"), list(ids))
            found = zip(ids, values, strict=True)
            return {name: msgspec.json.decode(value, type=Instance) for name, value in found if value}

    async def reap(self, environment: str) -> None:
        """Forget what is over."""
        keys = [_key(environment, name) for name in ("servers", "seats", "details", "applied", "tracked", "tripped")]
        with store_errors():
            await self._reap(keys=keys, args=[FORGET_DEAD_US, FORGET_LOST_US, FORGET_LEFT_US, TRACKED_US])

    async def close(self) -> None:
        """Close every connection."""
        await self._link.close()

    def _redis(self, environment: str) -> Redis:
        return self._link.at(_key(environment, ""))

    async def _tracked(self, environment: str, revision: int) -> str | None:
        """Return the name of a revision that is tracked: that of the newest history, where several have it."""
        names: list[Any] = await self._redis(environment).zrevrange(_key(environment, "tracked"), 0, -1)
        for name in names:
            text: str = name.decode()
            if text.endswith(f":{revision}"):
                return text
        return None


def _key(environment: str, name: str) -> str:
    return f"wigwag:{{{environment}}}:{name}"


def _some(items: Iterator[T], at_once: int | None = None) -> list[T]:
    return list(islice(items, at_once or AT_ONCE))


def _seats(rows: dict[bytes, bytes]) -> dict[str, Seat]:
    return {name.decode(): _seat(value.decode().split(" ")) for name, value in rows.items()}


def _seat(parts: Sequence[str]) -> Seat:
    return Seat(parts[0], Via(parts[1]), int(parts[2]))


def _server(value: bytes) -> ServerSeen:
    at, _, note = value.partition(b" ")
    return ServerSeen(msgspec.json.decode(note, type=ServerNote), int(at))


def _tripped(rows: dict[bytes, bytes]) -> dict[str, dict[str, int]]:
    return {name.decode(): msgspec.json.decode(value, type=dict[str, int]) for name, value in rows.items()}


def _applied(value: bytes) -> Applied:
    at, _, cursor = value.decode().partition(" ")
    return Applied(cursor, int(at))
