"""The shell around `Follower`, as `wigwag_server.following` is one."""

from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from tests.simulation.clock import Future, Process, Timer
from tests.simulation.network import AnyPipe
from tests.simulation.store_link import StoreLink
from tests.simulation.world import World
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
    Tick,
)
from wigwag_proto.snapshot import Tables
from wigwag_server.store.store import Begin, NotInLog, Told


class Owner(Protocol):
    """Whoever owns what is followed."""

    name: str

    def loaded(self) -> None:
        """The replica was replaced as a whole."""

    def committed(self, epoch: Epoch, commit: Commit) -> None:
        """The replica has applied a commit."""

    def overruled(self, records: Tables) -> None:
        """The store goes on without (some of) these records."""

    def stepped(self) -> None:
        """The follower has taken an event."""

    def wall_ms(self) -> int:
        """Unix time in ms, as this machine has it."""


class Following:
    """Keeps a replica at the head of the store."""

    def __init__(self, world: World, process: Process, follower: Follower, store: StoreLink, owner: Owner) -> None:
        self.follower = follower
        self.replica = follower.replica
        self._world = world
        self._process = process
        self._store = store
        self._owner = owner
        self._feeds: dict[int, AnyPipe | None] = {}
        self._timer: Timer | None = None
        self._waiting: list[Future[None]] = []

    async def wait_until(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        """Wait until something about the replica or its follower is so; say whether it came to be in time."""
        deadline = self._process.now + timeout_s
        while not condition():
            left_s = deadline - self._process.now
            if left_s <= 0:
                return False
            moved: Future[None] = Future()
            self._waiting.append(moved)
            timer = self._process.later(left_s, lambda moved=moved: moved.set(None))  # type: ignore[misc]
            await moved
            timer.cancel()
        return True

    def handle(self, event: Event) -> None:
        """Let the follower take an event, and do what it says."""
        for action in self.follower.step(event, self._process.now, self._world.rng):
            self._do(action)
        self._owner.stepped()
        waiting, self._waiting = self._waiting, []
        for moved in waiting:
            moved.set(None)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if (wake_at := self.follower.wake_at) is not None:
            self._timer = self._process.later(max(0.0, wake_at - self._process.now), lambda: self.handle(Tick()))

    def _do(self, action: Action) -> None:
        match action:
            case OpenFeed(feed):
                self._feeds[feed] = None
                self._process.start(self._listen(feed))
            case CloseFeed(feed):
                if (pipe := self._feeds.pop(feed, None)) is not None:
                    pipe.give_up()
            case ReadHead():
                self._process.start(self._read(self._read_head()))
            case ReadCommits(cursor):
                self._process.start(self._read(self._read_commits(cursor)))
            case ReadSnapshot():
                self._process.start(self._read(self._read_snapshot()))
            case Settle():
                self._process.start(self._read(self._settle()))
            case Renew():
                self._world.trace(self._owner.name, "begins a new history:", action.why)
                self._process.start(self._read(self._renew(action)))
            case Overruled(cursor, records):
                self._world.trace(self._owner.name, "is overruled at", cursor)
                self._owner.overruled(records)
            case Loaded():
                self._owner.loaded()
            case Committed(epoch, commit):
                self._owner.committed(epoch, commit)

    async def _listen(self, feed: int) -> None:
        try:
            await self._store.listen(
                hear=self._hear, lost=lambda why: self._lost(feed, why), opened=lambda pipe: self._opened(feed, pipe)
            )
        except StoreUnavailable as error:
            self._lost(feed, str(error))

    def _opened(self, feed: int, pipe: AnyPipe) -> None:
        if feed not in self._feeds:
            pipe.give_up()
            return
        self._feeds[feed] = pipe
        self.handle(FeedOpened(feed))

    def _hear(self, told: Told) -> None:
        self.handle(CommitHeard(told.epoch, told.commit))

    def _lost(self, feed: int, why: str) -> None:
        self._feeds.pop(feed, None)
        self.handle(FeedLost(feed, why))

    async def _read(self, reading: Coroutine[Any, Any, Event]) -> None:
        try:
            event = await reading
        except StoreUnavailable as error:
            event = ReadFailed(str(error))
        self.handle(event)

    async def _settle(self) -> Event:
        asked_at = self._process.now
        offer = self.replica.snapshot() if self.replica.cursor else None
        head = await self._store.settle(offer, self._begin())
        return SettleAnswered(HeadRead(head.cursor, asked_at, head.settled, head.parent))

    async def _renew(self, wanted: Renew) -> Event:
        asked_at = self._process.now
        epoch = self._begin().epoch
        generation = max(epoch.generation, wanted.generation, wanted.cursor.epoch.generation + 1)
        head = await self._store.renew(wanted.cursor, Epoch(generation, epoch.nonce))
        return HeadRead(head.cursor, asked_at, head.settled, head.parent)

    def _begin(self) -> Begin:
        now_ms = self._owner.wall_ms()
        return Begin(Epoch(now_ms, self._world.hex()[:8]), self._world.hex(), now_ms)

    async def _read_head(self) -> Event:
        asked_at = self._process.now
        head = await self._store.head()
        return HeadRead(head.cursor, asked_at, head.settled, head.parent)

    async def _read_commits(self, cursor: Cursor) -> Event:
        commits = await self._store.commits_since(cursor)
        if isinstance(commits, NotInLog):
            return CommitsRead(cursor.epoch, None, branched=commits is NotInLog.BRANCHED)
        return CommitsRead(cursor.epoch, commits)

    async def _read_snapshot(self) -> Event:
        return SnapshotRead(await self._store.load())
