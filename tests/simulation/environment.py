"""How a server makes a commit, as `wigwag_server.environment` does."""

from collections import deque
from collections.abc import Mapping
from typing import Any

from tests.simulation.clock import UNIX_TIME_S, Future, Process
from tests.simulation.disk import Disk, DiskCopy
from tests.simulation.following import Following
from tests.simulation.hub import Hub
from tests.simulation.store_link import StoreLink
from tests.simulation.world import World
from wigwag_proto.commit import Commit, Cursor, Epoch
from wigwag_proto.errors import StoreUnavailable
from wigwag_proto.follower import ClientClaims, CommitMade, HeadRead, Start
from wigwag_proto.replica import Ancestry
from wigwag_proto.snapshot import Tables
from wigwag_server.environment import CLOCK_TOLERANCE_S, COMMIT_TIMEOUT_S, RESEND_PAUSE_S, Command
from wigwag_server.kills_again import KillAgain
from wigwag_server.store.store import Accepted, Answer, Conflict, Recovering


class Environment:
    """The environment of one server process."""

    def __init__(self, world: World, name: str, process: Process, disk: Disk, wall_offset_s: float) -> None:
        self.name = name
        self.replica = world.parts.server_replica()
        self.follower = world.parts.follower(self.replica)
        self.hub = Hub(world, process, self.follower, self.client_claims)
        self.owed_kills: dict[str, Any] = {}  # those that were overruled and are not in force again yet
        self._world = world
        self._process = process
        self._wall_offset_s = wall_offset_s
        self._store = StoreLink(world, name, process)
        self._following = Following(world, process, self.follower, self._store, self)
        self._disk = disk
        self._copy = DiskCopy(process, disk, self.replica.snapshot, world.rng)
        self._turns: deque[Future[None]] = deque()
        self._busy = False

    def open(self) -> None:
        """Take what is on disk, and begin to follow the store."""
        if self._disk.snapshot is not None and self.replica.load(self._disk.snapshot):
            self.loaded()
        self._following.handle(Start())

    async def wait_for_proof(self, timeout_s: float) -> None:
        """Wait a while for the store's state."""
        await self._following.wait_until(lambda: self.follower.proven_at is not None, timeout_s)

    def flush(self) -> Future[None]:
        """Return what is done when everything is on disk."""
        return self._copy.flush()

    async def commit(self, command: Command, name: str, *, timeout_s: float = COMMIT_TIMEOUT_S) -> Cursor:
        """Do what `command` says to the newest state; once this returns, it is in the store and on the disk."""
        deadline = self._process.now + timeout_s
        await self._my_turn(timeout_s)
        try:
            while True:
                cursor = self.replica.cursor
                if cursor is None:
                    raise StoreUnavailable("nothing is known yet")
                commit = self._propose(cursor, command)
                if commit is None:
                    break
                self._world.checks.proposed(name, commit)
                asked_at = self._process.now
                answer, in_doubt = await self._offer(cursor, commit, deadline)
                if isinstance(answer, Accepted):
                    break
                if isinstance(answer, Recovering):
                    await self._settled(deadline)
                else:
                    await self._catch_up(answer.cursor, asked_at, deadline)
                if in_doubt and self._came_true(cursor, Cursor(cursor.epoch, commit.revision, commit.head)):
                    break
        finally:
            self._pass_the_turn()
        if commit is not None:
            self._following.handle(CommitMade(cursor.epoch, commit))
            cursor = Cursor(cursor.epoch, commit.revision, commit.head)
        await self.flush()
        return cursor

    def client_claims(self, cursor: Cursor) -> None:
        """Look into what a client says to hold."""
        if cursor.epoch.generation > self.wall_ms() + CLOCK_TOLERANCE_S * 1000:
            return
        self._world.trace(self.name, "hears the claim", cursor)
        self._following.handle(ClientClaims(cursor))

    @property
    def degraded(self) -> bool:
        """Whether the replica was not lately proven to be the store's head."""
        return self.follower.degraded(self._process.now)

    def wall_ms(self) -> int:
        """Unix time in ms, as this machine has it."""
        return round((UNIX_TIME_S + self._world.clock.now + self._wall_offset_s) * 1000)

    # What the following reports.

    def loaded(self) -> None:
        """Pass it on."""
        self._world.trace(self.name, "loaded", self.replica.cursor)
        self.hub.loaded()
        self._copy.changed()

    def committed(self, epoch: Epoch, commit: Commit) -> None:
        """Pass it on."""
        self._world.trace(self.name, "applied", commit.revision, commit.head)
        self.hub.committed(epoch, commit)
        self._copy.changed()

    def stepped(self) -> None:
        """Check what is claimed."""
        self._world.checks.server_stepped(self.name, self._process, self.follower)

    def overruled(self, records: Tables) -> None:
        """Apply the kills among these records again, as `wigwag_server.kills_again` does."""
        flags = ((key, flag) for key, flag in records.get("flag", {}).items() if isinstance(flag, Mapping))
        kills = {key: flag["kill"] for key, flag in flags if flag.get("kill") is not None}
        if kills:
            self.owed_kills.update(kills)
            self._process.start(self._kill_again(kills))

    async def _kill_again(self, kills: Mapping[str, Any]) -> None:
        while True:
            try:
                await self.commit(KillAgain(kills), self._world.checks.new_name("again"))
            except StoreUnavailable:
                await self._following.wait_until(lambda: not self.degraded, 3600.0)
            else:
                for key, kill in kills.items():
                    if self.owed_kills.get(key) == kill:
                        del self.owed_kills[key]
                return

    # Making a commit.

    def _propose(self, cursor: Cursor, command: Command) -> Commit | None:
        at = max(self.wall_ms(), self.replica.at)
        revision = cursor.revision + 1
        changes = tuple(command(self.replica.records, revision, at))
        if not changes:
            return None
        return Commit(revision, prev=cursor.head, head=self._world.hex(), at=at, changes=changes)

    def _came_true(self, before: Cursor, made: Cursor) -> bool:
        """Say whether a commit whose answer was lost is in the state that the replica has reached by now."""
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

    async def _offer(self, cursor: Cursor, commit: Commit, deadline: float) -> tuple[Answer, bool]:
        in_doubt = False
        while True:
            try:
                answer = await self._store.commit(cursor.epoch, commit)
                made = isinstance(answer, Conflict) and await self._made(cursor, commit, answer)
            except StoreUnavailable:
                in_doubt = True
                if self._process.now + RESEND_PAUSE_S >= deadline:
                    raise
                await self._process.sleep(RESEND_PAUSE_S)
            else:
                return (Accepted() if made else answer), in_doubt

    async def _made(self, cursor: Cursor, commit: Commit, conflict: Conflict) -> bool:
        now = conflict.cursor
        if now is None or now.epoch != cursor.epoch or now.revision < commit.revision:
            return False
        if now.revision == commit.revision:
            return now.head == commit.head
        later = await self._store.commits_since(cursor)
        return isinstance(later, tuple) and later[:1] != () and later[0].head == commit.head

    async def _my_turn(self, timeout_s: float) -> None:
        if not self._busy:
            self._busy = True
            return
        turn: Future[None] = Future()
        self._turns.append(turn)
        self._process.later(timeout_s, lambda: turn.fail(StoreUnavailable("other writes are still waiting")))
        await turn

    def _pass_the_turn(self) -> None:
        while self._turns:
            turn = self._turns.popleft()
            if not turn.done:
                turn.set(None)
                return
        self._busy = False

    async def _settled(self, deadline: float) -> None:
        self._following.handle(HeadRead(None, self._process.now, settled=False))
        if not await self._following.wait_until(lambda: not self.degraded, deadline - self._process.now):
            raise StoreUnavailable("the store came back, and its state is not settled yet")

    async def _catch_up(self, ahead: Cursor | None, asked_at: float, deadline: float) -> None:
        parent = None
        if ahead is not None and self.replica.cursor is not None and ahead.epoch != self.replica.cursor.epoch:
            asked_at = self._process.now
            head = await self._store.head()
            ahead, parent = head.cursor if head.settled else None, head.parent
        self._following.handle(HeadRead(ahead, asked_at, settled=ahead is not None, parent=parent))
        if ahead is None:
            raise StoreUnavailable("the store has lost the log")
        if not await self._following.wait_until(
            lambda: self.replica.ancestry(ahead) is not Ancestry.AHEAD, deadline - self._process.now
        ):
            raise StoreUnavailable(f"the store is at {ahead}, which this server cannot follow")
