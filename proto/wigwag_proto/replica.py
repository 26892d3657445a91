"""A snapshot that follows a feed: the one state machine in the server, the client and the relay.

What it holds are plain objects. Reading them as flags or keys is the business of whoever looks at them, so that a
record of a newer release passes through an older relay unchanged.
"""

from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping
from enum import Enum
from typing import Any

from msgspec.structs import replace

from wigwag_proto.commit import Commit, Cursor, Epoch
from wigwag_proto.snapshot import Emergency, Snapshot

HEADS = 4096
# The kind of the records that say which emergencies the log has taken in.
ABSORPTION = "absorption"
# The kind of the records that say when a flag was last revived: emergencies declared before that are over for it.
REVIVAL = "revival"


class Ancestry(Enum):
    """How another state relates to the one that a replica holds."""

    SAME = "same"
    PAST = "past"  # the replica came through it
    AHEAD = "ahead"  # later in the same history, or in a later one
    OTHER = "other"  # of an older history, or a branch that the replica did not come through
    UNKNOWN = "unknown"  # of the same history, too long ago to tell


class Applied(Enum):
    """What became of a commit that was handed to a replica."""

    NEW = "new"
    KNOWN = "known"
    GAP = "gap"


class Replica:
    """Follows one environment. Nothing that arrives late, twice or from an older history can turn it back."""

    def __init__(self, environment: str) -> None:
        self.environment = environment
        self._heads: OrderedDict[int, str] = OrderedDict()  # of the latest revisions, for `ancestry`
        self.cursor: Cursor | None = None
        self.at = 0
        self.records: dict[str, dict[str, Any]] = {}
        self.emergencies: tuple[Emergency, ...] = ()

    def apply(self, epoch: Epoch, commit: Commit) -> Applied:
        """Apply the commit that follows, ignore one that is in already, and report anything else as a gap."""
        cursor = self.cursor
        if cursor is None or cursor.epoch != epoch:
            return Applied.GAP
        if commit.revision <= cursor.revision:
            known = self.ancestry(Cursor(epoch, commit.revision, commit.head))
            return Applied.GAP if known is Ancestry.OTHER else Applied.KNOWN
        if commit.prev != cursor.head or commit.revision != cursor.revision + 1:
            return Applied.GAP
        for change in commit.changes:
            table = self.records.setdefault(change.kind, {})
            if change.value is None:
                table.pop(change.key, None)
            else:
                table[change.key] = change.value
        self._move(Cursor(epoch, commit.revision, commit.head))
        self.at = commit.at
        self.end_emergencies(commit.absorbs)
        if any(change.kind == REVIVAL for change in commit.changes):
            self._end_revived()
        return Applied.NEW

    def load(self, snapshot: Snapshot) -> bool:
        """Take the snapshot if it is later than what is held; say whether it was taken.

        Later means a greater (generation, revision). A snapshot of revision 0 never replaces another history: a
        store that lost everything must not look like an environment without flags.
        """
        if self.cursor is not None:
            if snapshot.cursor.rank <= self.cursor.rank:
                return False
            if snapshot.cursor.revision == 0 < self.cursor.revision:
                return False
        self._heads.clear()
        self._move(snapshot.cursor)
        self.at = snapshot.at
        self.records = {kind: dict(table) for kind, table in snapshot.records.items()}
        self.end_emergencies(self.records.get(ABSORPTION, ()))
        self._end_revived()
        return True

    def add_emergencies(self, emergencies: Iterable[Emergency]) -> None:
        """Take in emergencies that a server has declared, apart from those that the log has absorbed.

        They are never taken as the whole set: another server's may still be in force.
        """
        known = {each.id for each in self.emergencies} | self.records.get(ABSORPTION, {}).keys()
        self.emergencies += tuple(each for each in emergencies if each.id not in known)
        self._end_revived()

    def end_emergencies(self, ids: Collection[str]) -> None:
        """Drop emergencies that the log has absorbed, or that were called off."""
        if ids and self.emergencies:
            self.emergencies = tuple(each for each in self.emergencies if each.id not in ids)

    def contains(self, cursor: Cursor) -> bool:
        """Say whether everything up to `cursor` is known to be in: the replica is there, or came through it.

        A later revision alone would not tell: the replica may be on another branch.
        """
        return self.ancestry(cursor) in (Ancestry.SAME, Ancestry.PAST)

    def ancestry(self, cursor: Cursor) -> Ancestry:
        """Say how the state that `cursor` names relates to the one held."""
        mine = self.cursor
        if mine is None or cursor.rank > mine.rank:
            return Ancestry.AHEAD
        if cursor == mine:
            return Ancestry.SAME
        if cursor.epoch != mine.epoch:
            return Ancestry.OTHER
        head = self._heads.get(cursor.revision)
        if head is None:
            return Ancestry.UNKNOWN
        return Ancestry.PAST if head == cursor.head else Ancestry.OTHER

    def snapshot(self) -> Snapshot:
        """Return the state as it is now; later commits do not alter what was returned."""
        assert self.cursor is not None, "a replica that holds nothing has no snapshot"
        return Snapshot(
            environment=self.environment,
            cursor=self.cursor,
            at=self.at,
            records={kind: dict(table) for kind, table in self.records.items()},
            emergencies=self.emergencies,
        )

    def _end_revived(self) -> None:
        revivals = self.records.get(REVIVAL, {})
        if self.emergencies and revivals:
            remaining = (without_revived(each, revivals) for each in self.emergencies)
            self.emergencies = tuple(each for each in remaining if each.keys)

    def _move(self, cursor: Cursor) -> None:
        self.cursor = cursor
        self._heads[cursor.revision] = cursor.head
        if len(self._heads) > HEADS:
            self._heads.popitem(last=False)


def without_revived(emergency: Emergency, revivals: Mapping[str, Any]) -> Emergency:
    """Return an emergency without the flags that somebody has revived since it was declared."""
    keys = tuple(key for key in emergency.keys if not revived_since(revivals.get(key), emergency.at))
    return emergency if keys == emergency.keys else replace(emergency, keys=keys)


def revived_since(revival: Any, at: int) -> bool:
    """Say whether a flag, by the record of its last revival if there is one, was revived at `at` or later."""
    return isinstance(revival, Mapping) and isinstance(revival.get("at"), int) and revival["at"] >= at
