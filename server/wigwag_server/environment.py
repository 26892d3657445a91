"""One environment in a server: its replica, who looks at it, its copy on disk, and how a commit is made."""

import asyncio
import logging
import secrets
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

from wigwag_proto.audit import WIGWAG, AuditQuery, Author, Recorded, Touched, entry_data, make_entry
from wigwag_proto.commit import Change, Commit, Cursor, Epoch
from wigwag_proto.disk_io import DiskCopy, load_snapshot
from wigwag_proto.errors import StoreRefused, StoreUnavailable
from wigwag_proto.follower import ClientClaims, CommitMade, HeadRead, Standing, Start
from wigwag_proto.replica import ABSORPTION, REVIVAL, Ancestry, Replica
from wigwag_proto.snapshot import Tables
from wigwag_proto.tasks_io import Tasks
from wigwag_server.following import Following, Leg, Standpoint
from wigwag_server.latency import Latency
from wigwag_server.store.store import Accepted, Answer, Conflict, Recovering, Store
from wigwag_server.tracing import Tracing, no_tracing

logger = logging.getLogger(__name__)

COMMIT_TIMEOUT_S = 5.0
FLUSH_TIMEOUT_S = 2.0
RESEND_PAUSE_S = 0.1
CLOCK_TOLERANCE_S = 86_400
# When a key was last used (see `auth.last_use`).
USE = "use"
# How far the webhooks are (see `webhooks.progress`).
OUTBOX = "outbox"
# Where code asks for flags (see `references.uploads`): with every push of every repository.
REFERENCES = "references"
# Records that nobody wrote: the audit log is silent about them.
BOOKKEEPING = frozenset({ABSORPTION, REVIVAL, USE, OUTBOX, REFERENCES})
# What of a record is not for the audit log: the hash of a token, and what signs the deliveries of a webhook.
SECRETS = frozenset({"hash", "secret", "previousSecret"})


class Listener(Protocol):
    """Whoever looks at an environment's replica is told when it has moved."""

    def loaded(self) -> None:
        """Take note that the replica was replaced as a whole."""

    def committed(self, epoch: Epoch, commit: Commit) -> None:
        """Take note of a commit that the replica has applied."""


class Command(Protocol):
    """What somebody wants done, as a function of the state it is done to. Run again when the state has moved."""

    @property
    def action(self) -> str:
        """What the audit log calls it, such as `flag.kill`."""

    def __call__(self, records: Tables, revision: int, at: int) -> Sequence[Change]:
        """Return the changes that make up commit `revision` at `at` (Unix ms); none when there is nothing to do."""


MakeLeg = Callable[["Environment"], Leg]


class Environment:
    """Keeps a replica at the head of the store and makes commits on it."""

    def __init__(
        self, name: str, store: Store, tasks: Tasks, folder: Path | None = None, *, make_leg: MakeLeg | None = None
    ) -> None:
        """`folder` is where the server keeps its own copy of the state; None where the store is on this disk anyway.

        `make_leg` is for a relay, whose replicas do not come from a store.
        """
        self.name = name
        self.replica = Replica(name)
        self.listeners: list[Listener] = []
        # Told when the store's history goes on without (some of) these records; the new state is loaded next.
        self.on_overruled: list[Callable[[Tables], None]] = []
        self.tracing: Tracing = no_tracing
        self.commit_times = Latency()
        self.commits_failed = 0  # those of which the store did not say in time whether it took them
        # Told when emergencies of elsewhere have begun or (by their ids) ended.
        self.on_emergencies: list[Callable[[tuple[str, ...]], object]] = []
        self._store = store
        self._tasks = tasks
        self._following: Leg = make_leg(self) if make_leg else Following(self.replica, store, tasks, self)
        self._disk = DiskCopy(folder / f"{name}.snapshot", self.replica.snapshot) if folder else None
        self._turn = asyncio.Lock()

    @property
    def follower(self) -> Standpoint:
        """What is known of the store, or of the upstream of a relay."""
        return self._following.follower

    async def open(self, *, patience_s: float) -> None:
        """Take what is on this server's disk, begin to follow the store, and wait a while for its state."""
        if self._disk is not None:
            snapshot = await asyncio.to_thread(load_snapshot, self._disk.path)
            if snapshot is not None:
                self.replica.load(snapshot)
            await self._following.restore(snapshot)
            if self.replica.cursor is not None:
                self.loaded()
            self._tasks.start(f"disk copy of {self.name}", self._disk.run())
        self._following.handle(Start())
        await self._following.first_answer(patience_s)

    async def close(self) -> None:
        """Stop following; what was acknowledged is on disk."""
        self._following.close()
        await self._following.closed()
        if self._disk is not None:
            await self._disk.flush()

    async def commit(self, command: Command, author: Author = WIGWAG, *, timeout_s: float = COMMIT_TIMEOUT_S) -> Cursor:
        """Do what `command` says to the newest state on behalf of `author`, and return the state it led to.

        Once this returns, the commit is in the store and, if the disk is well, in this server's own copy. Raises
        StoreUnavailable when the store did not say within `timeout_s` whether it took it, and what `command` raises.
        """
        begun_at = time.monotonic()
        try:
            with self.tracing(self.name, command.action) as note:
                cursor = await self._commit(command, author, begun_at + timeout_s)
                note(cursor.revision)
        except StoreUnavailable:
            self.commits_failed += 1
            raise
        self.commit_times.observe(time.monotonic() - begun_at)
        return cursor

    async def _commit(self, command: Command, author: Author, deadline: float) -> Cursor:
        async with self._my_turn(deadline - time.monotonic()):
            while True:
                cursor = self.replica.cursor
                if cursor is None:
                    raise StoreUnavailable(f"nothing is known of {self.name} yet")
                if time.monotonic() > deadline:
                    raise StoreUnavailable(f"{self.name} in the store moves on faster than this server can follow")
                commit = self._propose(cursor, command)
                if commit is None:
                    await self._store.replicated(self.name)  # somebody may have been told that it is not certain
                    break
                asked_at = time.monotonic()
                entry = self._entry(command.action, author, commit)
                answer, in_doubt = await self._offer(cursor, commit, entry, deadline)
                if isinstance(answer, Accepted):
                    break
                if isinstance(answer, Recovering):
                    await self._settled(deadline)
                else:
                    await self._catch_up(answer.cursor, asked_at, deadline)
                if in_doubt and self._came_true(cursor, Cursor(cursor.epoch, commit.revision, commit.head)):
                    await self._store.replicated(self.name)
                    break
        if commit is not None:
            self._following.handle(CommitMade(cursor.epoch, commit))
            cursor = Cursor(cursor.epoch, commit.revision, commit.head)
        await self._flush()
        return cursor

    async def wait_until(self, condition: Callable[[], bool], timeout_s: float | None = None) -> bool:
        """Wait until something about the replica or its follower is so; say whether it came to be in time."""
        return await self._following.wait_until(condition, timeout_s)

    def client_claims(self, cursor: Cursor) -> None:
        """Look into what a client says to hold: the store has it, or lost it.

        A generation from the future is no history that was ever made: such a claim is forged, or garbage.
        """
        if cursor.epoch.generation > (time.time() + CLOCK_TOLERANCE_S) * 1000:
            return
        self._following.handle(ClientClaims(cursor))

    async def audit(self, query: AuditQuery, of: str | None = None) -> tuple[Recorded, ...]:
        """Return a part of the audit log. Raises StoreUnavailable.

        `of` names another log in the same store, such as that of an environment that was deleted.
        """
        return await self._store.audit(of or self.name, query)

    @property
    def degraded(self) -> bool:
        """Whether the replica was not lately proven to be the store's head."""
        return self.follower.degraded(time.monotonic())

    @property
    def lost(self) -> bool:
        """Whether the store is known to be away, or not settled: without that, a server was only held up itself."""
        follower = self.follower
        return self.degraded and (follower.last_error is not None or follower.standing is not Standing.FOLLOWED)

    # What the following reports.

    def loaded(self) -> None:
        """Pass it on."""
        for listener in self.listeners:
            listener.loaded()
        if self._disk is not None:
            self._disk.changed()

    def committed(self, epoch: Epoch, commit: Commit) -> None:
        """Pass it on."""
        for listener in self.listeners:
            listener.committed(epoch, commit)
        if self._disk is not None:
            self._disk.changed()

    def emergencies_changed(self, ended: tuple[str, ...]) -> None:
        """Pass it on."""
        for hook in self.on_emergencies:
            hook(ended)
        if self._disk is not None and self.replica.cursor is not None:
            self._disk.changed()

    def overruled(self, records: Tables) -> None:
        """Pass it on."""
        for hook in self.on_overruled:
            hook(records)

    # Making a commit.

    def _propose(self, cursor: Cursor, command: Command) -> Commit | None:
        at = max(round(time.time() * 1000), self.replica.at)
        revision = cursor.revision + 1
        changes = tuple(command(self.replica.records, revision, at))
        if not changes:
            return None
        absorbs = tuple(change.key for change in changes if change.kind == ABSORPTION and change.value is not None)
        return Commit(revision, cursor.head, secrets.token_hex(8), at, changes, absorbs)

    def _came_true(self, before: Cursor, made: Cursor) -> bool:
        """Say whether a commit whose answer was lost is in the state that the replica has reached by now.

        Raises StoreUnavailable when that cannot be told any more: to make it again would be to make it twice.
        """
        mine = self.replica.cursor
        # A new history keeps the head of the state that it begins with, and takes no offer that was made for the old.
        if mine is not None and (mine.revision, mine.head) in (
            (before.revision, before.head),
            (made.revision, made.head),
        ):
            return mine.head == made.head
        ancestry = self.replica.ancestry(made)
        if ancestry is Ancestry.UNKNOWN or mine is None or mine.epoch != made.epoch:
            raise StoreUnavailable("the store did not say whether it took the commit, and it cannot be told any more")
        return ancestry in (Ancestry.SAME, Ancestry.PAST)

    def _entry(self, action: str, author: Author, commit: Commit) -> bytes | None:
        """Return what the audit log keeps of a commit; None for one that is only the server's own bookkeeping."""
        records = self.replica.records
        touched = [
            Touched(
                each.kind,
                each.key,
                without_secrets(records.get(each.kind, {}).get(each.key)),
                without_secrets(each.value),
            )
            for each in commit.changes
            if each.kind not in BOOKKEEPING
        ]
        return entry_data(make_entry(action, author, commit, touched)) if touched else None

    async def _offer(self, cursor: Cursor, commit: Commit, entry: bytes | None, deadline: float) -> tuple[Answer, bool]:
        """Offer the commit until the store gives an answer; say also whether an earlier answer was lost.

        An answer may be lost on the way. Offering the very same commit again is safe: if it was made, the store is
        at its head or beyond, and if an offer is still under way somewhere, at most one of them can be made.
        """
        in_doubt = False
        while True:
            try:
                answer = await self._store.commit(self.name, cursor.epoch, commit, entry)
                made = isinstance(answer, Conflict) and await self._made(cursor, commit, answer)
            except StoreRefused as error:
                if in_doubt:  # this offer was refused, and an earlier one may have been taken
                    raise StoreUnavailable(str(error)) from error
                raise  # it will not be otherwise in a moment
            except StoreUnavailable:
                in_doubt = True
                if time.monotonic() + RESEND_PAUSE_S >= deadline:
                    raise
                await asyncio.sleep(RESEND_PAUSE_S)
            else:
                return (Accepted() if made else answer), in_doubt

    async def _made(self, cursor: Cursor, commit: Commit, conflict: Conflict) -> bool:
        now = conflict.cursor
        if now is None or now.epoch != cursor.epoch or now.revision < commit.revision:
            return False
        if now.revision == commit.revision:
            return now.head == commit.head
        later = await self._store.commits_since(self.name, cursor)
        return isinstance(later, tuple) and later[:1] != () and later[0].head == commit.head

    async def _flush(self) -> None:
        """Have the commit on this server's disk, if the disk takes it: it is in the store in any case."""
        if self._disk is None:
            return
        try:
            async with asyncio.timeout(FLUSH_TIMEOUT_S):
                await self._disk.flush()
        except TimeoutError:
            logger.warning("the disk with the copy of %s is slow: a commit was acknowledged without it", self.name)

    @asynccontextmanager
    async def _my_turn(self, timeout_s: float) -> AsyncGenerator[None]:
        """One commit at a time: those of one server never conflict with each other. Nobody queues for ever."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._turn.acquire()
        except TimeoutError:
            raise StoreUnavailable(f"other writes to {self.name} are still waiting for the store") from None
        try:
            yield
        finally:
            self._turn.release()

    async def _settled(self, deadline: float) -> None:
        """Wait until the servers of a store that came back have agreed on its state."""
        self._following.handle(HeadRead(None, time.monotonic(), settled=False))
        if not await self.wait_until(lambda: not self.degraded, deadline - time.monotonic()):
            raise StoreUnavailable(f"{self.name} in the store came back, and its state is not settled yet")

    async def _catch_up(self, ahead: Cursor | None, asked_at: float, deadline: float) -> None:
        """Wait until the replica holds what was in the way."""
        parent = None
        if ahead is not None and self.replica.cursor is not None and ahead.epoch != self.replica.cursor.epoch:
            # A conflict does not say what the other history was begun with: without that, all would seem overruled.
            asked_at = time.monotonic()
            head = await self._store.head(self.name)
            ahead, parent = head.cursor if head.settled else None, head.parent
        self._following.handle(HeadRead(ahead, asked_at, settled=ahead is not None, parent=parent))
        if ahead is None:
            raise StoreUnavailable(f"the store has lost the log of {self.name}")
        caught_up = await self.wait_until(
            lambda: self.replica.ancestry(ahead) is not Ancestry.AHEAD, deadline - time.monotonic()
        )
        if not caught_up:
            raise StoreUnavailable(f"{self.name} in the store is at {ahead}, which this server cannot follow")


def without_secrets(record: Any) -> Any:
    """Return a record as the audit log may show it."""
    if isinstance(record, Mapping) and not SECRETS.isdisjoint(record):
        return {name: value for name, value in record.items() if name not in SECRETS}
    return record
