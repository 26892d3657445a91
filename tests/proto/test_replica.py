"""The replica under duplicates, gaps, reordering, late snapshots, wiped stores and new histories."""

from typing import Any

import pytest
from hypothesis import assume, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from wigwag_proto.commit import Change, Commit, Cursor, Epoch
from wigwag_proto.replica import HEADS, Ancestry, Applied, Replica, revived_since
from wigwag_proto.snapshot import Emergency, Snapshot

keys = st.sampled_from(["a", "b", "c"])
Table = dict[str, dict[str, Any]]


class Log:
    """One history, with every state that it ever had."""

    def __init__(self, epoch: Epoch, records: Table) -> None:
        self.epoch = epoch
        self.commits: list[Commit] = []
        self.states: list[Table] = [records]
        self.heads = [f"{epoch.nonce}h0"]

    def commit(self, changes: tuple[Change, ...]) -> None:
        head = f"{self.epoch.nonce}h{len(self.heads)}"
        self.commits.append(Commit(len(self.heads), self.heads[-1], head, len(self.heads), changes))
        self.heads.append(head)
        table = dict(self.states[-1].get("flag", {}))
        for change in changes:
            table.pop(change.key, None) if change.value is None else table.update({change.key: change.value})
        self.states.append({"flag": table})

    def snapshot(self, revision: int) -> Snapshot:
        cursor = Cursor(self.epoch, revision, self.heads[revision])
        return Snapshot("production", cursor, revision, self.states[revision])


class FollowingReplica(RuleBasedStateMachine):
    """A replica that is told anything, in any order; what it holds must always be a state that there was."""

    def __init__(self) -> None:
        super().__init__()
        self.logs = [Log(Epoch(1, "e1"), {"flag": {}})]
        self.replica = Replica("production")
        self.best = (0, -1)

    @rule(changes=st.lists(st.tuples(keys, st.none() | st.integers(0, 9)), min_size=1, max_size=3))
    def somebody_commits(self, changes: list[tuple[str, int | None]]) -> None:
        made = tuple(Change("flag", key, None if n is None else {"key": key, "n": n}) for key, n in changes)
        self.logs[-1].commit(made)

    @rule(wiped=st.booleans())
    @precondition(lambda self: len(self.logs) < 4)
    def a_new_history_begins(self, *, wiped: bool) -> None:
        records = {"flag": {}} if wiped else self.logs[-1].states[-1]
        generation = len(self.logs) + 1
        self.logs.append(Log(Epoch(generation, f"e{generation}"), records))

    @rule(data=st.data())
    def any_commit_arrives(self, data: st.DataObject) -> None:
        log = data.draw(st.sampled_from(self.logs))
        assume(log.commits)
        commit = data.draw(st.sampled_from(log.commits))
        before = self.replica.cursor
        applied = self.replica.apply(log.epoch, commit)
        follows = before is not None and before.epoch == log.epoch and commit.prev == before.head
        assert (applied is Applied.NEW) == follows
        if applied is Applied.KNOWN:
            assert before is not None
            assert commit.revision <= before.revision

    @rule(data=st.data())
    def any_snapshot_arrives(self, data: st.DataObject) -> None:
        log = data.draw(st.sampled_from(self.logs))
        revision = data.draw(st.integers(0, len(log.commits)))
        before = self.replica.cursor
        taken = self.replica.load(log.snapshot(revision))
        if before is None:
            assert taken
        elif taken:
            assert revision > 0 or before.revision == 0

    @rule()
    def a_feed_catches_up(self) -> None:
        log = self.logs[-1]
        if self.replica.cursor is None or self.replica.cursor.epoch != log.epoch:
            self.replica.load(log.snapshot(len(log.commits)))
            return
        for commit in log.commits:
            assert self.replica.apply(log.epoch, commit) is not Applied.GAP
        assert self.replica.cursor == log.snapshot(len(log.commits)).cursor

    @invariant()
    def what_it_holds_is_a_state_that_there_was(self) -> None:
        cursor = self.replica.cursor
        if cursor is not None:
            log = next(log for log in self.logs if log.epoch == cursor.epoch)
            assert cursor.head == log.heads[cursor.revision]
            assert self.replica.records.get("flag", {}) == log.states[cursor.revision].get("flag", {})

    @invariant()
    def it_never_goes_back(self) -> None:
        if self.replica.cursor is not None:
            assert self.replica.cursor.rank >= self.best
            self.best = self.replica.cursor.rank


FollowingReplica.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestFollowingReplica = FollowingReplica.TestCase

EPOCH = Epoch(5, "e")


def filled() -> Replica:
    replica = Replica("production")
    replica.load(Snapshot("production", Cursor(EPOCH, 3, "h3"), 0, {"flag": {"a": {"key": "a"}}}))
    return replica


def test_a_wiped_store_does_not_look_like_an_environment_without_flags() -> None:
    replica = filled()
    assert not replica.load(Snapshot("production", Cursor(Epoch(9, "new"), 0, "h0"), 0, {}))
    assert replica.records == {"flag": {"a": {"key": "a"}}}


def test_an_older_generation_is_not_taken_however_far_it_got() -> None:
    assert not filled().load(Snapshot("production", Cursor(Epoch(4, "old"), 99, "h99"), 0, {}))


def test_a_commit_of_the_same_revision_under_another_head_is_a_gap_not_a_duplicate() -> None:
    assert filled().apply(EPOCH, Commit(3, "h2", "another", 0, ())) is Applied.GAP


def test_a_commit_of_another_history_is_a_gap_even_if_its_heads_match() -> None:
    assert filled().apply(Epoch(5, "f"), Commit(4, "h3", "h4", 0, ())) is Applied.GAP


def test_a_snapshot_taken_from_a_replica_does_not_change_with_it() -> None:
    replica = filled()
    snapshot = replica.snapshot()
    replica.apply(EPOCH, Commit(4, "h3", "h4", 0, (Change("flag", "b", {"key": "b"}), Change("flag", "a", None))))
    assert snapshot.records == {"flag": {"a": {"key": "a"}}}
    assert snapshot.cursor.revision == 3


def test_the_time_of_a_state_is_that_of_its_snapshot_and_then_of_its_commit() -> None:
    replica = Replica("production")
    replica.load(Snapshot("production", Cursor(EPOCH, 3, "h3"), 70, {}))
    assert replica.snapshot().at == 70
    replica.apply(EPOCH, Commit(4, "h3", "h4", 80, ()))
    assert replica.snapshot().at == 80


def test_a_snapshot_alone_ends_the_emergencies_of_what_was_revived_or_absorbed() -> None:
    replica = filled()
    replica.add_emergencies(Emergency(id_, ("a", "b"), "ann", "", 10) for id_ in ("e1", "e2"))
    records = {"revival": {"a": {"at": 12}}, "absorption": {"e2": {"at": 12}}}
    assert replica.load(Snapshot("production", Cursor(EPOCH, 6, "h6"), 0, records))
    assert replica.emergencies == (Emergency("e1", ("b",), "ann", "", 10),)


def test_it_remembers_the_states_that_it_came_through_lately_and_no_more() -> None:
    replica = filled()
    for revision in range(4, 3 + HEADS):
        replica.apply(EPOCH, Commit(revision, f"h{revision - 1}", f"h{revision}", 0, ()))
    assert replica.ancestry(Cursor(EPOCH, 3, "h3")) is Ancestry.PAST
    replica.apply(EPOCH, Commit(3 + HEADS, f"h{2 + HEADS}", f"h{3 + HEADS}", 0, ()))
    assert replica.ancestry(Cursor(EPOCH, 3, "h3")) is Ancestry.UNKNOWN
    assert replica.ancestry(Cursor(EPOCH, 4, "h4")) is Ancestry.PAST
    assert replica.ancestry(Cursor(EPOCH, 4, "x4")) is Ancestry.OTHER


@pytest.mark.parametrize("revival", [None, "garbage", {}, {"at": None}, {"at": "9"}])
def test_a_damaged_revival_revives_nothing(revival: Any) -> None:
    assert not revived_since(revival, 1)
