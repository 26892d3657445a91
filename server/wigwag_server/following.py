"""The thin shell around `Follower`: it reads the store, listens to its feed, and turns a timer."""

import asyncio
import logging
import random
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Protocol

from wigwag_proto.commit import Commit, Cursor, Epoch
from wigwag_proto.errors import StoreUnavailable
from wigwag_proto.follower import (
    Action,
    CloseFeed,
    CommitHeard,
    CommitsRead,
    Committed,
    Event,
    FeedLost,
    FeedOpened,
    Follower,
    HeadRead,
    Loaded,
    OpenFeed,
    Overruled,
    ReadCommits,
    ReadFailed,
    ReadHead,
    ReadSnapshot,
    Renew,
    Settle,
    SettleAnswered,
    SnapshotRead,
    Standing,
    Tick,
)
from wigwag_proto.replica import Replica
from wigwag_proto.snapshot import Snapshot, Tables
from wigwag_proto.tasks_io import Tasks
from wigwag_server.store.store import Begin, NotInLog, Store, Told

logger = logging.getLogger(__name__)


class Owner(Protocol):
    """Whoever owns what is followed is told when the replica has moved."""

    def loaded(self) -> None:
        """Take note that the replica was replaced as a whole."""

    def committed(self, epoch: Epoch, commit: Commit) -> None:
        """Take note of a commit that the replica has applied."""

    def overruled(self, records: Tables) -> None:
        """Take note that the store goes on without (some of) these records; the new state is loaded next."""


class Standpoint(Protocol):
    """What is known of how a replica stands to where it comes from: the store, or the upstream of a relay."""

    @property
    def replica(self) -> Replica:
        """What is kept up to date."""

    @property
    def proven_at(self) -> float | None:
        """When the replica was last proven to hold all there was, on this server's monotonic clock; None: never."""

    @property
    def standing(self) -> Standing:
        """How the history that it follows relates to its own."""

    @property
    def last_error(self) -> str | None:
        """What last went wrong; None when it is well again."""

    @property
    def missed(self) -> int:
        """How many commits came in another way than through the feed."""

    def degraded(self, now: float) -> bool:
        """Say whether the replica was not lately proven to be current."""


class Leg(Protocol):
    """Keeps a replica up to date from somewhere, and tells its owner."""

    @property
    def follower(self) -> Standpoint:
        """What is known of where it comes from."""

    async def restore(self, snapshot: Snapshot | None) -> None:
        """Take what else is on this server's disk, once the snapshot from there is loaded."""

    def handle(self, event: Event) -> None:
        """Take note of what happened."""

    async def wait_until(self, condition: Callable[[], bool], timeout_s: float | None = None) -> bool:
        """Wait until something about the replica or its standpoint is so; say whether it came to be in time."""

    async def first_answer(self, patience_s: float) -> None:
        """Wait a while for the state to be proven, or for what keeps it from being."""

    def close(self) -> None:
        """Stop: nothing is told any more."""

    async def closed(self) -> None:
        """Wait until what was open is closed."""


class Moves:
    """Lets others wait for something that changes with what is followed."""

    def __init__(self) -> None:
        self._moved = asyncio.Event()

    def tell(self) -> None:
        """Have everybody look again."""
        self._moved.set()
        self._moved = asyncio.Event()

    async def wait_until(self, condition: Callable[[], bool], timeout_s: float | None = None) -> bool:
        """Wait until it is so; say whether it came to be in time."""
        try:
            async with asyncio.timeout(timeout_s):
                while not condition():
                    await self._moved.wait()
        except TimeoutError:
            return condition()
        return True


class Following:
    """Keeps a replica at the head of one log of the store."""

    def __init__(self, replica: Replica, store: Store, tasks: Tasks, owner: Owner) -> None:
        self.name = replica.environment
        self.replica = replica
        self.follower = Follower(replica)
        self._store = store
        self._tasks = tasks
        self._owner = owner
        self._rng = random.Random()  # noqa: S311 - jitter, not a secret
        self._feeds: dict[int, asyncio.Task[None]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._moves = Moves()
        self._closed = False
        self._degraded: bool | None = None  # None: nothing was said yet

    def close(self) -> None:
        """Stop: nothing is read or told any more."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()

    async def wait_until(self, condition: Callable[[], bool], timeout_s: float | None = None) -> bool:
        """Wait until something about the replica or its follower is so; say whether it came to be in time."""
        return await self._moves.wait_until(condition, timeout_s)

    async def restore(self, snapshot: Snapshot | None) -> None:
        """Take nothing else: emergencies have a file of their own here."""

    async def first_answer(self, patience_s: float) -> None:
        """Wait a while for the state to be proven; a store that does not answer may do so in a moment."""
        await self.wait_until(lambda: self.follower.proven_at is not None, patience_s)

    async def closed(self) -> None:
        """Return at once: readings end with their tasks."""

    def handle(self, event: Event) -> None:
        """Let the follower take an event, and do what it says."""
        if self._closed:
            return
        now = time.monotonic()
        for action in self.follower.step(event, now, self._rng):
            self._do(action)
        self._report(degraded=self.follower.degraded(now))
        self._moves.tell()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if (wake_at := self.follower.wake_at) is not None:
            delay_s = max(0.0, wake_at - time.monotonic())
            self._timer = asyncio.get_running_loop().call_later(delay_s, self.handle, Tick())

    def _report(self, *, degraded: bool) -> None:
        """Say it once when the store is lost or found again."""
        if degraded == self._degraded or (degraded and self.follower.last_error is None):
            return
        first, self._degraded = self._degraded is None, degraded
        if degraded:
            state = "cannot follow the store yet" if first else "no longer follows the store"
            logger.warning("%s %s: %s", self.name, state, self.follower.last_error)
        else:
            logger.info("%s follows the store at %s", self.name, self.replica.cursor)

    def _do(self, action: Action) -> None:
        match action:
            case OpenFeed(feed):
                self._feeds[feed] = self._tasks.start(f"feed {feed} of {self.name}", self._listen(feed))
            case CloseFeed(feed):
                if (running := self._feeds.pop(feed, None)) is not None:
                    running.cancel()
            case ReadHead():
                self._tasks.start(f"head of {self.name}", self._read(self._read_head))
            case ReadCommits(cursor):
                self._tasks.start(f"commits of {self.name}", self._read(partial(self._read_commits, cursor)))
            case ReadSnapshot():
                self._tasks.start(f"snapshot of {self.name}", self._read(self._read_snapshot))
            case Settle():
                self._tasks.start(f"settling of {self.name}", self._read(self._settle))
            case Renew():
                logger.error("%s in the store begins a new history: %s", self.name, action.why)
                self._tasks.start(f"new history of {self.name}", self._read(partial(self._renew, action)))
            case Overruled(cursor, records):
                logger.error("%s: what was held at %s is overruled by the store", self.name, cursor)
                self._owner.overruled(records)
            case Loaded():
                self._owner.loaded()
            case Committed(epoch, commit):
                self._owner.committed(epoch, commit)

    async def _listen(self, feed: int) -> None:
        message = "the feed ended"
        try:
            async with self._store.feed(self.name) as told:
                self.handle(FeedOpened(feed))
                await self._hear(told)
        except StoreUnavailable as error:
            message = str(error)
        self._feeds.pop(feed, None)
        self.handle(FeedLost(feed, message))

    async def _hear(self, told: AsyncIterator[Told]) -> None:
        async for each in told:
            self.handle(CommitHeard(each.epoch, each.commit))

    async def _read(self, reading: Callable[[], Awaitable[Event]]) -> None:
        # Called here and not by who starts the task: one that is cancelled before it begins would never await it.
        try:
            event = await reading()
        except StoreUnavailable as error:
            event = ReadFailed(str(error))
        except Exception as error:
            # Whatever it was, the follower must hear of it: it waits for this answer before it asks again.
            logger.exception("reading %s failed", self.name)
            event = ReadFailed(repr(error))
        self.handle(event)

    async def _settle(self) -> Event:
        asked_at = time.monotonic()
        offer = self.replica.snapshot() if self.replica.cursor else None
        head = await self._store.settle(self.name, offer, self._begin())
        return SettleAnswered(HeadRead(head.cursor, asked_at, head.settled, head.parent))

    async def _renew(self, wanted: Renew) -> Event:
        asked_at = time.monotonic()
        epoch = self._begin().epoch
        generation = max(epoch.generation, wanted.generation, wanted.cursor.epoch.generation + 1)
        head = await self._store.renew(self.name, wanted.cursor, Epoch(generation, epoch.nonce))
        return HeadRead(head.cursor, asked_at, head.settled, head.parent)

    def _begin(self) -> Begin:
        now_ms = round(time.time() * 1000)
        return Begin(Epoch(now_ms, secrets.token_hex(4)), secrets.token_hex(8), now_ms)

    async def _read_head(self) -> Event:
        asked_at = time.monotonic()
        head = await self._store.head(self.name)
        return HeadRead(head.cursor, asked_at, head.settled, head.parent)

    async def _read_commits(self, cursor: Cursor) -> Event:
        commits = await self._store.commits_since(self.name, cursor)
        if isinstance(commits, NotInLog):
            return CommitsRead(cursor.epoch, None, branched=commits is NotInLog.BRANCHED)
        return CommitsRead(cursor.epoch, commits)

    async def _read_snapshot(self) -> Event:
        return SnapshotRead(await self._store.load(self.name))
