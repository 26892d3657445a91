"""The Redis store as plain Python: what the Lua scripts do, one method a script, and pub/sub.

`Disk` is what a restart finds again, or not. Everything is atomic, as scripts and MULTI/EXEC are. The rules that the
scripts state are stated once more here, so that a change of theirs has to be made in both places knowingly.
"""

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, field, replace

from tests.simulation.clock import UNIX_TIME_S, Clock
from tests.simulation.truth import Truth, Violation, copied
from wigwag_proto.commit import Commit, Cursor, Epoch
from wigwag_proto.snapshot import Snapshot
from wigwag_server.store.store import (
    Accepted,
    Answer,
    Begin,
    Conflict,
    Head,
    NotInLog,
    Recovering,
    Told,
    following,
)

SETTLE_S = 3.0
UP_FOR_LONG_S = 10


@dataclass
class Settling:
    """The offers while it is being settled what the state is."""

    run: int
    until: float
    offer: Snapshot | None = None


@dataclass
class Disk:
    """The keys of one environment. `run` is the run of the store that the state was settled in."""

    cursor: Cursor | None = None
    at: int = 0
    run: int | None = None
    parent: Cursor | None = None
    records: dict[str, dict[str, object]] = field(default_factory=dict)
    log: list[Commit] = field(default_factory=list)
    settling: Settling | None = None

    def copy(self) -> "Disk":
        """Return what a replica or a dump of this moment would hold."""
        settling = copy(self.settling)
        return replace(self, records=copied(self.records), log=list(self.log), settling=settling)


class StoreModel:
    """The store, while it is up."""

    def __init__(self, clock: Clock, truth: Truth, *, log_commits: int) -> None:
        self.disk = Disk()
        self.run = 0
        self.came_up_at = 0.0
        self.log_commits = log_commits
        self.subscribers: dict[int, Callable[[Told], None]] = {}
        self.on_settled: Callable[[Cursor], None] = lambda _: None
        self._clock = clock
        self._truth = truth

    def come_up(self, disk: Disk) -> None:
        """Start another run with what is on `disk`. Subscriptions died with the last one."""
        self.disk = disk
        self.run += 1
        self.came_up_at = self._clock.now
        self.subscribers.clear()

    # redis_head.lua, and the reads that are MULTI/EXEC.

    def head(self) -> Head:
        """Return where the log is."""
        return Head(self.disk.cursor, settled=self._settled, parent=self.disk.parent)

    def load(self) -> Snapshot | None:
        """Return the whole state."""
        disk = self.disk
        return None if disk.cursor is None else Snapshot("production", disk.cursor, disk.at, copied(disk.records))

    def commits_since(self, cursor: Cursor) -> tuple[Commit, ...] | NotInLog:
        """Return what came after `cursor`."""
        now = self.disk.cursor
        if now is None or now.epoch != cursor.epoch or cursor.revision > now.revision:
            return NotInLog.UNKNOWN
        if cursor == now:
            return ()
        return following(cursor, tuple(each for each in self.disk.log if each.revision >= max(1, cursor.revision)))

    # redis_commit.lua

    def commit(self, epoch: Epoch, commit: Commit) -> Answer:
        """Append, if the log of this epoch is still at `commit.prev`, and tell whoever listens."""
        disk = self.disk
        if disk.cursor is None:
            return Conflict(None)
        if not self._settled:
            return Recovering()
        if (disk.cursor.epoch, disk.cursor.head) != (epoch, commit.prev) and not self.blind:
            return Conflict(disk.cursor)
        parent = self._truth.by_cursor[disk.cursor]
        for change in commit.changes:
            table = disk.records.setdefault(change.kind, {})
            if change.value is None:
                table.pop(change.key, None)
            else:
                table[change.key] = change.value
        disk.cursor, disk.at = Cursor(disk.cursor.epoch, commit.revision, commit.head), commit.at
        disk.log = [*disk.log, commit][-self.log_commits :]
        self._truth.became(self._clock.now, self._truth.note(disk.cursor, parent, disk.records, commit))
        for told in list(self.subscribers.values()):
            told(Told(disk.cursor.epoch, commit))
        return Accepted()

    blind = False  # a planted bug: commits are taken whatever the head is

    # redis_renew.lua

    def renew(self, cursor: Cursor, epoch: Epoch) -> Head:
        """Begin a new history with the state as it is, unless the log has moved on."""
        disk = self.disk
        if disk.cursor and (disk.cursor.epoch, disk.cursor.head) == (cursor.epoch, cursor.head):
            before = self._truth.by_cursor[disk.cursor]
            disk.log = []
            disk.parent = cursor
            disk.cursor = replace_epoch(disk.cursor, self._epoch_now(epoch.generation, epoch))
            state = self._truth.note(disk.cursor, before, disk.records)
            if self._settled:
                self._truth.became(self._clock.now, state)
        return self.head()

    # redis_settle.lua

    def settle(self, offer: Snapshot | None, begin: Begin) -> Head:
        """Settle what the state is when the store came back, or begin the log where there is none."""
        disk, now = self.disk, self._clock.now
        offer_is_better = offer is not None and better(offer.cursor, disk.cursor)
        if self._settled and not offer_is_better:
            return self.head()
        settling = disk.settling
        if settling is None or settling.run != self.run:
            until = now + SETTLE_S
            if disk.cursor is None and offer is None and now - self.came_up_at >= UP_FOR_LONG_S:
                until = now
            settling = disk.settling = Settling(self.run, until)
            disk.run = None
        best = settling.offer.cursor if settling.offer else None
        if offer is not None and offer_is_better and better(offer.cursor, best):
            settling.offer = offer
        if now < settling.until:
            return self.head()
        self._end_settling(settling.offer, begin)
        return self.head()

    def _end_settling(self, offer: Snapshot | None, begin: Begin) -> None:
        disk, truth = self.disk, self._truth
        generations = [disk.cursor.epoch.generation] if disk.cursor else []
        if offer is not None:
            truth.state("an offer", offer.cursor, offer.records)
            self.disk = disk = Disk(offer.cursor, offer.at, records=copied(offer.records))
        if disk.cursor is None:
            epoch = self._epoch_now(begin.epoch.generation, begin.epoch)
            disk.cursor, disk.at, disk.parent = Cursor(epoch, 0, begin.head), begin.at, None
            truth.note(disk.cursor, None, disk.records)
        else:
            # Always a new history: whoever was not heard may hold another branch of the old one.
            chosen = disk.cursor
            epoch = self._epoch_now(max(*generations, chosen.epoch.generation, 0) + 1, begin.epoch)
            disk.cursor, disk.parent, disk.log = replace_epoch(chosen, epoch), chosen, []
            truth.note(disk.cursor, truth.by_cursor[chosen], disk.records)
        disk.run = self.run
        disk.settling = None
        if disk.cursor is None:
            raise Violation("a settled store without a log")
        self.on_settled(disk.cursor)
        truth.became(self._clock.now, truth.by_cursor[disk.cursor])

    def _epoch_now(self, least: int, like: Epoch) -> Epoch:
        """Return the epoch of a history that begins now, by the store's own clock."""
        return Epoch(max(round((UNIX_TIME_S + self._clock.now) * 1000), least), like.nonce)

    @property
    def _settled(self) -> bool:
        return self.disk.cursor is not None and self.disk.run == self.run


def better(cursor: Cursor, than: Cursor | None) -> bool:
    """Say whether the first state is to be preferred. A log of revision 0 holds nothing, of whatever history it is."""
    if than is None or than.revision == 0:
        return cursor.revision > 0 or than is None
    if cursor.epoch.generation != than.epoch.generation:
        return cursor.epoch.generation > than.epoch.generation and cursor.revision > 0
    return cursor.epoch == than.epoch and cursor.revision > than.revision


def replace_epoch(cursor: Cursor, epoch: Epoch) -> Cursor:
    """Return the same place in another history."""
    return Cursor(epoch, cursor.revision, cursor.head)
