"""How a server follows one environment of its store: when to listen, compare, read what is missing. Pure.

A feed (pub/sub) tells of commits at once but may lose one, or go quiet without a word. So every `compare_s` the
head of the store is read as well: what the feed lost is read from the store's log, a feed that keeps losing is
opened anew, and each reading that agrees with the replica proves it current as of the moment it was *asked* for.
"""

from dataclasses import dataclass, field
from enum import Enum
from random import Random

from wigwag_proto.backoff import Backoff
from wigwag_proto.commit import Commit, Cursor, Epoch
from wigwag_proto.replica import Ancestry, Applied, Replica
from wigwag_proto.snapshot import Snapshot, Tables


@dataclass(frozen=True, slots=True)
class Start:
    """Begin. The replica may already hold what was on the server's own disk."""


@dataclass(frozen=True, slots=True)
class Tick:
    """The time that `wake_at` asked for has come."""


@dataclass(frozen=True, slots=True)
class FeedOpened:
    """From now on the feed tells of every commit."""

    feed: int


@dataclass(frozen=True, slots=True)
class FeedLost:
    """The feed ended: its connection was lost, or it could no longer be proven to be whole."""

    feed: int
    message: str


@dataclass(frozen=True, slots=True)
class CommitHeard:
    """The feed told of a commit."""

    epoch: Epoch
    commit: Commit


@dataclass(frozen=True, slots=True)
class CommitMade:
    """A commit of this very server was accepted by the store."""

    epoch: Epoch
    commit: Commit


@dataclass(frozen=True, slots=True)
class HeadRead:
    """The store's head was `cursor` at some moment after `asked_at`; None: there is no such log.

    `settled` is False while the servers of a store that came back have not agreed on its state. `parent` is the
    state of an older history that this one was begun with.
    """

    cursor: Cursor | None
    asked_at: float
    settled: bool = True
    parent: Cursor | None = None


@dataclass(frozen=True, slots=True)
class SettleAnswered:
    """The answer to Settle: where the log is now, as in HeadRead."""

    head: HeadRead


@dataclass(frozen=True, slots=True)
class ClientClaims:
    """A client holds a state that the replica does not know: a later one, or one of another branch."""

    cursor: Cursor


@dataclass(frozen=True, slots=True)
class CommitsRead:
    """What follows the replica's cursor; None when the store's log cannot tell.

    `branched`: the log has another commit in the place of one that the replica holds.
    """

    epoch: Epoch
    commits: tuple[Commit, ...] | None
    branched: bool = False


@dataclass(frozen=True, slots=True)
class SnapshotRead:
    """The store's whole state; None: the store has no such log."""

    snapshot: Snapshot | None


@dataclass(frozen=True, slots=True)
class ReadFailed:
    """A reading of any sort came to nothing."""

    message: str


Event = (
    Start
    | Tick
    | FeedOpened
    | FeedLost
    | CommitHeard
    | CommitMade
    | HeadRead
    | SettleAnswered
    | CommitsRead
    | SnapshotRead
    | ReadFailed
    | ClientClaims
)


@dataclass(frozen=True, slots=True)
class OpenFeed:
    """Listen for commits."""

    feed: int


@dataclass(frozen=True, slots=True)
class CloseFeed:
    """Give the feed up."""

    feed: int


@dataclass(frozen=True, slots=True)
class ReadHead:
    """Read the store's head."""


@dataclass(frozen=True, slots=True)
class ReadCommits:
    """Read the commits after `cursor` from the store's log."""

    cursor: Cursor


@dataclass(frozen=True, slots=True)
class ReadSnapshot:
    """Read the store's whole state."""


@dataclass(frozen=True, slots=True)
class Settle:
    """Take part in settling what the state of the store is; the replica's is offered if it holds one."""


@dataclass(frozen=True, slots=True)
class Renew:
    """Begin a new history with the store's state at `cursor`, of at least this generation."""

    cursor: Cursor
    generation: int
    why: str


@dataclass(frozen=True, slots=True)
class Overruled:
    """The store's history goes on without (some of) what the replica held: `records` as of `cursor`."""

    cursor: Cursor
    records: Tables


@dataclass(frozen=True, slots=True)
class Loaded:
    """The replica was replaced as a whole."""


@dataclass(frozen=True, slots=True)
class Committed:
    """The replica went on by one commit."""

    epoch: Epoch
    commit: Commit


Action = OpenFeed | CloseFeed | ReadHead | ReadCommits | ReadSnapshot | Settle | Renew | Overruled | Loaded | Committed


class Standing(Enum):
    """How the store's history relates to what the replica holds."""

    UNKNOWN = "unknown"  # not compared yet
    FOLLOWED = "followed"
    SETTLING = "settling"  # the store is new, or came back: its servers agree on what the state is
    DIVERGED = "diverged"  # the store went on without something that the replica holds


@dataclass(frozen=True, slots=True)
class Pace:
    """The follower's times, in seconds."""

    compare_s: float = 0.25
    degraded_after_s: float = 1.0
    renew_every_s: float = 60.0  # at most, when clients claim to know more than the store
    retry: Backoff = field(default_factory=lambda: Backoff(base_s=0.1, cap_s=1.0))


@dataclass(slots=True)
class Follower:
    """Keeps one replica at the head of the store."""

    replica: Replica
    pace: Pace = field(default_factory=Pace)
    proven_at: float | None = None  # when the replica was last proven to be the store's head
    standing: Standing = Standing.UNKNOWN
    last_error: str | None = None
    missed: int = 0  # commits that were read because the feed had not told of them
    _feed: int = 0
    _feed_open: bool = False
    _listen_at: float | None = None
    _listen_backoff: Backoff = field(default_factory=Backoff)
    _read_at: float | None = None
    _read_backoff: Backoff = field(default_factory=Backoff)
    _reading: bool = False
    _advanced_at: float = float("-inf")
    _pending_proof: tuple[Cursor, float] | None = None
    _unheard: Cursor | None = None  # a commit that the store has and the feed has not told of
    _unheard_since: float = 0.0
    _branched: bool = False  # the store is known to have gone on without something that the replica holds
    _parent: Cursor | None = None  # what the history began with, that is about to be loaded
    _claim: tuple[Cursor, float] | None = None  # what a client said, and when
    _renewed_at: float = float("-inf")

    def step(self, event: Event, now: float, rng: Random) -> list[Action]:
        """Take what happened and return what to do, in order."""
        match event:
            case Start():
                self._listen_backoff = self._read_backoff = self.pace.retry
                self._reading = True
                return [*self._listen(), ReadHead()]
            case Tick():
                return self._tick(now)
            case FeedOpened(feed) if feed == self._feed:
                self._feed_open = True
                self._listen_backoff = self._listen_backoff.reset()
                self._unheard = None
                return self._compare()
            case FeedLost(feed, message) if feed == self._feed:
                self._feed_open = False
                self.last_error = message
                delay_s, self._listen_backoff = self._listen_backoff.after_failure(rng)
                self._listen_at = now + delay_s
            case CommitHeard(epoch, commit):
                self._heard(Cursor(epoch, commit.revision, commit.head))
                return self._apply(epoch, commit, now)
            case CommitMade(epoch, commit):
                return self._apply(epoch, commit, now)
            case HeadRead():
                return self._head_read(event, now)
            case SettleAnswered(head):
                return self._settle_answered(head, now)
            case ClientClaims(cursor):
                self._claim = cursor, now
                return self._compare()
            case CommitsRead():
                return self._commits_read(event, now)
            case SnapshotRead(snapshot):
                return self._snapshot_read(snapshot, now)
            case ReadFailed(message):
                self._reading = False
                self.last_error = message
                delay_s, self._read_backoff = self._read_backoff.after_failure(rng)
                self._read_at = now + max(delay_s, self.pace.compare_s)
        return []

    @property
    def wake_at(self) -> float | None:
        """When to send the next Tick, at the latest."""
        return min((time for time in (self._listen_at, self._read_at) if time is not None), default=None)

    def degraded(self, now: float) -> bool:
        """Say whether the replica is not the store's head, or was not lately proven to be."""
        if self.proven_at is None or self.standing is not Standing.FOLLOWED:
            return True
        return now - self.proven_at > self.pace.degraded_after_s

    def _tick(self, now: float) -> list[Action]:
        actions: list[Action] = []
        if self._listen_at is not None and now >= self._listen_at:
            actions += self._listen()
        if self._read_at is not None and now >= self._read_at:
            actions += self._compare()
        return actions

    # The feed.

    def _listen(self) -> list[Action]:
        self._listen_at = None
        self._feed += 1
        return [OpenFeed(self._feed)]

    def _heard(self, cursor: Cursor) -> None:
        unheard = self._unheard
        if unheard and (cursor.epoch != unheard.epoch or cursor.revision >= unheard.revision):
            self._unheard = None

    def _apply(self, epoch: Epoch, commit: Commit, now: float) -> list[Action]:
        applied = self.replica.apply(epoch, commit)
        if applied is Applied.NEW:
            self._advanced(now)
            return [Committed(epoch, commit)]
        return self._compare() if applied is Applied.GAP else []

    def _note_unheard(self, cursor: Cursor, now: float) -> list[Action]:
        """Give the feed one more comparison's time to tell of it; then take it for mute and open another."""
        if not self._feed_open:
            return []
        if self._unheard is None:
            self._unheard, self._unheard_since = cursor, now
            return []
        if now - self._unheard_since < self.pace.compare_s:
            return []
        mute, self._unheard, self._feed_open = self._feed, None, False
        return [CloseFeed(mute), *self._listen()]

    # Comparing with the store.

    def _compare(self) -> list[Action]:
        if self._reading:
            return []
        self._reading = True
        self._read_at = None
        return [ReadHead()]

    def _read_done(self, now: float) -> None:
        self._reading = False
        self._read_backoff = self._read_backoff.reset()
        self._read_at = now + self.pace.compare_s

    def _head_read(self, head: HeadRead, now: float) -> list[Action]:
        if not head.settled:
            self.standing = Standing.SETTLING
            return [Settle()]
        return self._compared(head, now, insists=False)

    def _settle_answered(self, head: HeadRead, now: float) -> list[Action]:
        if not head.settled:
            self._read_done(now)
            return []
        return self._compared(head, now, insists=True)

    def _compared(self, head: HeadRead, now: float, *, insists: bool) -> list[Action]:
        """Compare the store's head with the replica. A store that `insists` was offered the replica's state before."""
        cursor, mine = head.cursor, self.replica.cursor
        # Whatever is read next, it is this settled head that it may prove: not what the store says while it settles.
        self._pending_proof = (cursor, head.asked_at) if cursor else None
        if cursor is None or mine is None:
            return [ReadSnapshot()]
        match self.replica.ancestry(cursor):
            case Ancestry.SAME:
                self._branched = False
                self._prove(cursor, head.asked_at)
                self._read_done(now)
                return self._check_claim(head, now) + (self._note_unheard(cursor, now) if self._unheard else [])
            case Ancestry.AHEAD if cursor.epoch == mine.epoch:
                self.missed += 1
                return [ReadCommits(mine), *self._note_unheard(cursor, now)]
            case Ancestry.AHEAD if cursor.revision > 0 or mine.revision == 0 or insists:
                self._parent = head.parent
                return [ReadSnapshot()]
            case Ancestry.PAST | Ancestry.UNKNOWN if self._advanced_at >= head.asked_at:
                # The replica went on while the answer was on its way. So it held all that the store had when that was
                # asked; on a slow link with many writes, no answer would prove anything otherwise. Whether the store
                # has what the replica has by now is for the next one to say.
                self._prove(cursor, head.asked_at)
                self._read_done(now)
                return []
            case Ancestry.PAST | Ancestry.AHEAD if not insists:
                # It came back older or emptied, and nobody has written to it since: the log goes on from here.
                self.standing = Standing.SETTLING
                return [Settle()]
            case Ancestry.OTHER if cursor.epoch != mine.epoch and not insists:
                self.standing = Standing.SETTLING
                return [Settle()]
        return self._diverged(cursor)

    def _diverged(self, cursor: Cursor) -> list[Action]:
        """Let the store's state win, under a history that everyone takes, whatever branch it is on."""
        mine = self.replica.cursor
        assert mine is not None
        self.standing = Standing.DIVERGED
        return [Renew(cursor, mine.epoch.generation + 1, f"it went on without {mine}")]

    def _check_claim(self, head: HeadRead, now: float) -> list[Action]:
        """Believe a client that holds something later only once the store itself turned out not to have it."""
        if self._claim is None or head.asked_at < self._claim[1] or head.cursor is None:
            return []
        (claimed, _), self._claim = self._claim, None
        unknown = self.replica.ancestry(claimed) in (Ancestry.AHEAD, Ancestry.OTHER)
        if not unknown or now - self._renewed_at < self.pace.renew_every_s:
            return []
        self._renewed_at = now
        return [Renew(head.cursor, claimed.epoch.generation + 1, f"a client holds {claimed}, which is not in it")]

    def _commits_read(self, read: CommitsRead, now: float) -> list[Action]:
        if read.branched and self._pending_proof is not None:
            self._branched = True
            return self._diverged(self._pending_proof[0])
        if read.commits is None:
            return [ReadSnapshot()]
        actions: list[Action] = []
        for commit in read.commits:
            applied = self.replica.apply(read.epoch, commit)
            if applied is Applied.GAP:
                return [*actions, ReadSnapshot()]
            if applied is Applied.NEW:
                actions.append(Committed(read.epoch, commit))
        self._advanced(now)
        self._read_done(now)
        return actions

    def _snapshot_read(self, snapshot: Snapshot | None, now: float) -> list[Action]:
        self._read_done(now)
        if snapshot is None:
            return []
        before, records = self.replica.cursor, self.replica.records
        loaded = self.replica.load(snapshot)
        if self.replica.cursor != snapshot.cursor:
            return []
        self._advanced(now)
        overruled = [Overruled(before, records)] if loaded and before and self._lost(before, snapshot) else []
        return [*overruled, Loaded()] if loaded else []

    def _lost(self, before: Cursor, snapshot: Snapshot) -> bool:
        """Say whether the new history may lack something that was held before."""
        parent, self._parent = self._parent, None
        branched, self._branched = self._branched, False
        if branched:
            return True
        if before.epoch == snapshot.cursor.epoch or before.revision == 0:
            return False
        return (
            parent is None or parent.epoch != before.epoch or (before.revision >= parent.revision and before != parent)
        )

    def _advanced(self, now: float) -> None:
        self._advanced_at = now
        self.standing = Standing.FOLLOWED
        if self._pending_proof is not None:
            self._prove(*self._pending_proof)

    def _prove(self, cursor: Cursor, at: float) -> None:
        if self.replica.contains(cursor):
            self.standing = Standing.FOLLOWED
            self.last_error = None
            self.proven_at = at if self.proven_at is None else max(self.proven_at, at)
            self._pending_proof = None
