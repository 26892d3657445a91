"""The store for several servers: Redis or Valkey. One Lua script commits and publishes atomically.

All keys of an environment share one hash tag:

    wigwag:{production}:state     hash: epoch, revision, head, at, bytes, run, parent, format, count (of the records),
                                  waits (counted up to be waited for)
    wigwag:{production}:records   hash: "flag/checkout" to its JSON
    wigwag:{production}:log       stream of recent commits; the ids are the revisions
    wigwag:{production}:settling  hash, and
    wigwag:{production}:offer     hash like records: the best offer while it is being settled what the state is
    wigwag:{production}:audit     stream of audit entries; the ids are their sequence
    wigwag:{production}:chain     hash: sequence, link, bytes of the audit log
    wigwag:{production}:touched:flag/checkout   sorted set: the audit entries about this record
    wigwag:{production}:feed      pub/sub channel: "<epoch> <commit as JSON>"
    wigwag:environments           set of names
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Self

from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import ResponseError

from wigwag_proto.audit import AuditQuery, Recorded, digest
from wigwag_proto.codec import commit_from_plain, commit_to_plain, decode, encode
from wigwag_proto.commit import Commit, Cursor, Epoch
from wigwag_proto.errors import StoreUnavailable
from wigwag_proto.snapshot import Snapshot
from wigwag_server.store.redis_link import KeyScript, Link, connect, script, store_errors
from wigwag_server.store.store import (
    AUDIT_BYTES,
    LOG_BYTES,
    Accepted,
    Answer,
    Begin,
    Conflict,
    Head,
    NotInLog,
    Recovering,
    Told,
    following,
    read_record,
)

ENVIRONMENTS = "wigwag:environments"
# A subscription that says nothing is asked for a sign of life this often, and given up after three times as long.
PROBE_S = 1.0
# For so long the servers offer what they hold when Redis has come back.
SETTLE_S = 3.0
# So long a commit waits for replicas; less than the time-out of the connection.
REPLICATED_MS = 500


class RedisStore:
    """Keeps the logs in one Redis. Connecting is lazy: a Redis that is away raises StoreUnavailable when asked."""

    def __init__(
        self,
        link: Link,
        *,
        log_bytes: int = LOG_BYTES,
        audit_bytes: int = AUDIT_BYTES,
        settle_s: float = SETTLE_S,
        wait_replicas: int = 0,
    ) -> None:
        """A commit is accepted only once so many replicas have it as well (`wait_replicas`)."""
        self._link = link
        self._wait_replicas = wait_replicas
        self._log_bytes = log_bytes
        self._audit_bytes = audit_bytes
        self._settle_ms = round(settle_s * 1000)
        self._commit = KeyScript(link, _script("redis_commit.lua"))
        self._head = KeyScript(link, _script("redis_head.lua"))
        self._settle = KeyScript(link, _script("redis_settle.lua"))
        self._renew = KeyScript(link, _script("redis_renew.lua"))

    @classmethod
    def from_url(
        cls,
        url: str,
        *,
        timeout_s: float = 1.0,
        log_bytes: int = LOG_BYTES,
        audit_bytes: int = AUDIT_BYTES,
        settle_s: float = SETTLE_S,
        wait_replicas: int = 0,
    ) -> Self:
        """Make a store of a URL that `redis_link.connect` takes. Raises ValueError for another."""
        return cls(
            connect(url, timeout_s),
            log_bytes=log_bytes,
            audit_bytes=audit_bytes,
            settle_s=settle_s,
            wait_replicas=wait_replicas,
        )

    async def environments(self) -> tuple[str, ...]:
        """Name the environments that have a log."""
        with store_errors():
            names = await self._link.at(ENVIRONMENTS).smembers(ENVIRONMENTS)
        return tuple(sorted(_text(name) for name in names))

    async def head(self, environment: str) -> Head:
        """Return where the log is, and whether this run of Redis was settled."""
        with store_errors():
            return _head(await self._head(keys=[log_key(environment, name) for name in ("state", "records")], args=[]))

    async def settle(self, environment: str, offer: Snapshot | None, begin: Begin) -> Head:
        """Offer a state, and end the settling when its time is over."""
        args: list[Any] = [self._settle_ms, str(begin.epoch), begin.head, begin.at]
        if offer is not None:
            args += [str(offer.cursor.epoch), offer.cursor.revision, offer.cursor.head, offer.at]
            for kind, table in offer.records.items():
                for key, value in table.items():
                    args += [f"{kind}/{key}", encode(value)]
        keys = [log_key(environment, name) for name in ("state", "log", "records", "settling", "offer")]
        with store_errors():
            # First, since a log that is not named here is in no backup.
            await self._link.at(ENVIRONMENTS).sadd(ENVIRONMENTS, environment)
            return _head(await self._settle(keys=keys, args=args))

    async def renew(self, environment: str, cursor: Cursor, epoch: Epoch) -> Head:
        """Begin a new history with the state at `cursor`."""
        keys = [log_key(environment, name) for name in ("state", "log", "records")]
        with store_errors():
            return _head(await self._renew(keys=keys, args=[str(cursor.epoch), cursor.head, str(epoch), str(cursor)]))

    async def load(self, environment: str) -> Snapshot | None:
        """Return the whole state."""
        with store_errors():
            async with self._redis(environment).pipeline(transaction=True) as pipeline:
                pipeline.hmget(log_key(environment, "state"), ["epoch", "revision", "head", "at"])
                pipeline.hgetall(log_key(environment, "records"))
                state, rows = await pipeline.execute()
            cursor = _cursor(state[:3])
            if cursor is None:
                return None
            records: dict[str, dict[str, Any]] = {}
            for name, value in rows.items():
                kind, _, key = name.decode().partition("/")
                records.setdefault(kind, {})[key] = read_record(value)
            return Snapshot(environment, cursor, int(state[3] or 0), records)

    async def commit(self, environment: str, epoch: Epoch, commit: Commit, entry: bytes | None = None) -> Answer:
        """Append, if the log of this epoch is still at `commit.prev`."""
        data = encode(commit_to_plain(commit))
        args: list[Any] = [str(epoch), commit.prev, commit.revision, commit.head, commit.at, data]
        args += [self._log_bytes, log_key(environment, "feed")]
        args += [entry or b"", digest(entry) if entry else "", self._audit_bytes]
        keys = [log_key(environment, name) for name in ("state", "log", "records", "audit", "chain")]
        for change in commit.changes:
            name = f"{change.kind}/{change.key}"
            args += [name, b"" if change.value is None else encode(change.value)]
            keys.append(_touched(environment, name))
        with store_errors():
            if not self._wait_replicas:
                return _answer(await self._commit(keys=keys, args=args))
            # WAIT is about what was written before on its own connection.
            async with self._redis(environment).client() as one:
                answer = _answer(await self._commit(keys=keys, args=args, client=one))
                if isinstance(answer, Accepted):
                    await self._wait(one)
                elif _may_be_made(answer, commit):
                    await self._wait_for_all(one, environment)
                return answer

    async def replicated(self, environment: str) -> None:
        """Wait until enough replicas have what anybody has written."""
        if self._wait_replicas:
            with store_errors():
                async with self._redis(environment).client() as one:
                    await self._wait_for_all(one, environment)

    async def _wait_for_all(self, one: Redis, environment: str) -> None:
        """Wait for what was written before, over whichever connection: it is before what is written here."""
        with _no_refusal():
            await one.hincrby(log_key(environment, "state"), "waits", 1)
        await self._wait(one)

    async def _wait(self, one: Redis) -> None:
        """Wait until enough replicas have what is written. Else the commit is made, but must not count as safe."""
        with _no_refusal():
            reached = await one.wait(self._wait_replicas, REPLICATED_MS)
        if reached < self._wait_replicas:
            raise StoreUnavailable(f"only {reached} of {self._wait_replicas} replicas of Redis have taken the commit")

    async def commits_since(self, environment: str, cursor: Cursor) -> tuple[Commit, ...] | NotInLog:
        """Return what came after `cursor`."""
        with store_errors():
            async with self._redis(environment).pipeline(transaction=True) as pipeline:
                pipeline.hmget(log_key(environment, "state"), ["epoch", "revision", "head"])
                pipeline.xrange(log_key(environment, "log"), min=f"{max(1, cursor.revision)}-0")
                state, entries = await pipeline.execute()
            now = _cursor(state)
            if now is None or now.epoch != cursor.epoch or cursor.revision > now.revision:
                return NotInLog.UNKNOWN
            if cursor == now:
                return ()
            commits = tuple(commit_from_plain(decode(fields[b"commit"])) for _, fields in entries)
            return following(cursor, commits)

    async def audit(self, environment: str, query: AuditQuery) -> tuple[Recorded, ...]:
        """Return a part of the audit log."""
        with store_errors():
            if query.name is not None:
                return await self._audit_of(environment, query, query.name)
            key = log_key(environment, "audit")
            until = "+" if query.before is None else f"({query.before}-0"
            redis = self._redis(environment)
            rows: Any
            if query.after is not None:
                rows = await redis.xrange(key, min=f"({query.after}-0", max=until, count=query.limit)
            else:
                rows = await redis.xrevrange(key, max=until, count=query.limit)
            return tuple(_recorded(row) for row in rows)

    async def _audit_of(self, environment: str, query: AuditQuery, name: str) -> tuple[Recorded, ...]:
        """Find by the index first. An entry that the log has forgotten meanwhile is passed over."""
        low = "-inf" if query.after is None else f"({query.after}"
        high = "+inf" if query.before is None else f"({query.before}"
        index, redis = _touched(environment, name), self._redis(environment)
        ids: Any
        if query.after is None:
            ids = await redis.zrevrangebyscore(index, high, low, start=0, num=query.limit)
        else:
            ids = await redis.zrangebyscore(index, low, high, start=0, num=query.limit)
        async with redis.pipeline(transaction=False) as pipeline:
            for each in ids:
                pipeline.xrange(log_key(environment, "audit"), min=each, max=each)
            found = await pipeline.execute()
        return tuple(_recorded(rows[0]) for rows in found if rows)

    @asynccontextmanager
    async def feed(self, environment: str) -> AsyncGenerator[AsyncIterator[Told]]:
        """Tell of every commit that is published. Ends when the subscription shows no sign of life."""
        subscription = self._redis(environment).pubsub()
        try:
            with store_errors():
                await subscription.subscribe(log_key(environment, "feed"))
                confirmed = await subscription.get_message(timeout=PROBE_S)
            if confirmed is None or confirmed["type"] != "subscribe":
                raise StoreUnavailable("Redis did not confirm the subscription")
            yield _listen(subscription)
        finally:
            with store_errors():
                await subscription.aclose()  # type: ignore[no-untyped-call]  # redis-py leaves it untyped

    async def close(self) -> None:
        """Close every connection."""
        await self._link.close()

    def _redis(self, environment: str) -> Redis:
        return self._link.at(log_key(environment, "state"))


async def _listen(subscription: PubSub) -> AsyncGenerator[Told]:
    loop = asyncio.get_running_loop()
    heard_at = loop.time()
    while True:
        with store_errors():
            message = await subscription.get_message(timeout=PROBE_S)
            if message is None:
                if loop.time() - heard_at > 3 * PROBE_S:
                    raise StoreUnavailable("the subscription has gone quiet")
                await subscription.ping()
                continue
        heard_at = loop.time()
        if message["type"] == "message":
            epoch, _, commit = message["data"].partition(b" ")
            yield Told(_epoch(epoch), commit_from_plain(decode(commit)))


def log_key(environment: str, name: str) -> str:
    """Return the key of one part of an environment, see above."""
    return f"wigwag:{{{environment}}}:{name}"


def _touched(environment: str, name: str) -> str:
    return log_key(environment, f"touched:{name}")


def _recorded(row: Any) -> Recorded:
    sequence, fields = row
    return Recorded(int(sequence.partition(b"-")[0]), fields[b"link"].decode(), fields[b"data"])


def _script(name: str) -> str:
    return script("wigwag_server.store", "redis_run.lua", name)


def _text(value: bytes | str) -> str:
    return value if isinstance(value, str) else value.decode()


def _epoch(text: bytes) -> Epoch:
    generation, _, nonce = text.decode().partition(".")
    return Epoch(int(generation), nonce)


def _answer(answer: Any) -> Answer:
    if answer[0] == 1:
        return Accepted()
    return Recovering() if answer[0] == -1 else Conflict(_cursor(answer[1:]))


def _may_be_made(answer: Answer, commit: Commit) -> bool:
    """Say whether a commit is made by this offer, or may have been by an earlier one whose answer was lost."""
    if isinstance(answer, Conflict) and answer.cursor is not None:
        return answer.cursor.revision > commit.revision or answer.cursor.head == commit.head
    return isinstance(answer, Accepted)


def _head(answer: Any) -> Head:
    settled, epoch, revision, head, parent = answer
    cursor = _cursor((epoch, revision, head)) if epoch else None
    return Head(cursor, settled=settled == 1, parent=Cursor.parse(parent.decode()) if parent else None)


def _cursor(answer: Any) -> Cursor | None:
    if not answer or answer[0] is None:
        return None
    epoch, revision, head = answer
    return Cursor(_epoch(epoch), int(revision), head.decode())


@contextmanager
def _no_refusal() -> Iterator[None]:
    """Raise StoreUnavailable for an error of Redis: what is waited for is made, or may be, whatever it says."""
    try:
        yield
    except ResponseError as error:
        raise StoreUnavailable(f"Redis: {error}") from error
