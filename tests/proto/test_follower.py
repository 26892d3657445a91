"""The follower, step by step: how a server keeps up with its store."""

from dataclasses import dataclass, field
from random import Random

from wigwag_proto.backoff import Backoff
from wigwag_proto.commit import Change, Commit, Cursor, Epoch
from wigwag_proto.follower import (
    Action,
    ClientClaims,
    CloseFeed,
    CommitHeard,
    CommitMade,
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
    Pace,
    ReadCommits,
    ReadFailed,
    ReadHead,
    ReadSnapshot,
    Renew,
    Settle,
    SettleAnswered,
    SnapshotRead,
    Standing,
    Start,
    Tick,
)
from wigwag_proto.replica import Replica
from wigwag_proto.snapshot import Snapshot

EPOCH = Epoch(100, "e")


def cursor(revision: int, head: str | None = None) -> Cursor:
    return Cursor(EPOCH, revision, head or f"h{revision}")


def snapshot(revision: int) -> Snapshot:
    return Snapshot("production", cursor(revision), revision, {"flag": {"old": {"key": "old"}}})


def commit(revision: int) -> Commit:
    return Commit(revision, f"h{revision - 1}", f"h{revision}", revision, (Change("flag", "f", {"n": revision}),))


@dataclass
class Bench:
    """A follower on a clock that the test turns."""

    follower: Follower = field(default_factory=lambda: Follower(Replica("production")))
    now: float = 1000.0
    rng: Random = field(default_factory=lambda: Random(1))

    def standing(self) -> Standing:
        return self.follower.standing

    def step(self, event: Event) -> list[Action]:
        return self.follower.step(event, self.now, self.rng)

    def wait(self, seconds: float) -> list[Action]:
        actions: list[Action] = []
        end = self.now + seconds
        while (wake_at := self.follower.wake_at) is not None and wake_at <= end:
            self.now = max(self.now, wake_at)
            actions += self.step(Tick())
        self.now = end
        return actions


def following(revision: int = 3) -> Bench:
    bench = Bench()
    bench.step(Start())
    bench.step(HeadRead(cursor(revision), bench.now))
    bench.step(SnapshotRead(snapshot(revision)))
    bench.step(FeedOpened(1))
    bench.wait(0.3)
    bench.step(HeadRead(cursor(revision), bench.now))
    return bench


def test_a_start_listens_and_loads() -> None:
    bench = Bench()
    assert bench.step(Start()) == [OpenFeed(1), ReadHead()]
    assert bench.step(HeadRead(cursor(3), bench.now)) == [ReadSnapshot()]
    assert bench.step(SnapshotRead(snapshot(3))) == [Loaded()]
    assert bench.standing() is Standing.FOLLOWED
    assert bench.wait(0.25) == [ReadHead()]


def test_a_store_without_a_log_is_settled_before_anything_is_loaded() -> None:
    bench = Bench()
    bench.step(Start())
    assert bench.step(HeadRead(None, bench.now, settled=False)) == [Settle()]
    assert bench.step(SettleAnswered(HeadRead(None, bench.now, settled=False))) == []
    assert bench.follower.degraded(bench.now)
    assert bench.wait(0.25) == [ReadHead()]
    assert bench.step(HeadRead(None, bench.now, settled=False)) == [Settle()]
    assert bench.step(SettleAnswered(HeadRead(cursor(0), bench.now))) == [ReadSnapshot()]
    bench.step(SnapshotRead(snapshot(0)))
    assert not bench.follower.degraded(bench.now)


def test_a_commit_that_is_heard_is_applied_at_once_and_once() -> None:
    bench = following(3)
    assert bench.step(CommitHeard(EPOCH, commit(4))) == [Committed(EPOCH, commit(4))]
    assert bench.step(CommitHeard(EPOCH, commit(4))) == []


def test_its_own_commit_is_applied_before_the_feed_tells_of_it() -> None:
    bench = following(3)
    assert bench.step(CommitMade(EPOCH, commit(4))) == [Committed(EPOCH, commit(4))]
    assert bench.step(CommitHeard(EPOCH, commit(4))) == []


def test_the_head_is_compared_every_quarter_of_a_second() -> None:
    bench = following(3)
    asked = []
    for _ in range(100):
        actions = bench.wait(0.01)
        if ReadHead() in actions:
            asked.append(bench.now)
            bench.step(HeadRead(cursor(3), bench.now))
    assert len(asked) in (3, 4)


def test_what_the_feed_lost_is_found_by_the_comparison_and_read_from_the_log() -> None:
    bench = following(3)
    assert ReadHead() in bench.wait(0.25)
    assert bench.step(HeadRead(cursor(5), bench.now)) == [ReadCommits(cursor(3))]
    read = bench.step(CommitsRead(EPOCH, (commit(4), commit(5))))
    assert read == [Committed(EPOCH, commit(4)), Committed(EPOCH, commit(5))]
    assert bench.follower.missed == 1


def test_a_feed_that_keeps_silent_about_a_commit_is_replaced() -> None:
    bench = following(3)
    bench.wait(0.25)
    bench.step(HeadRead(cursor(4), bench.now))
    bench.step(CommitsRead(EPOCH, (commit(4),)))
    bench.wait(0.25)
    assert bench.step(HeadRead(cursor(4), bench.now)) == [CloseFeed(1), OpenFeed(2)]


def test_a_feed_that_is_only_a_little_slower_than_the_comparison_is_kept() -> None:
    bench = following(3)
    bench.wait(0.25)
    bench.step(HeadRead(cursor(4), bench.now))
    bench.step(CommitsRead(EPOCH, (commit(4),)))
    bench.step(CommitHeard(EPOCH, commit(4)))
    bench.wait(0.25)
    assert bench.step(HeadRead(cursor(4), bench.now)) == []


def test_an_earlier_commit_does_not_tell_of_the_one_that_the_feed_owes() -> None:
    for heard, kept in ((commit(4), False), (commit(5), True)):
        bench = following(3)
        bench.wait(0.25)
        bench.step(HeadRead(cursor(5), bench.now))
        bench.step(CommitsRead(EPOCH, (commit(4), commit(5))))
        bench.step(CommitHeard(EPOCH, heard))
        bench.wait(0.25)
        assert bench.step(HeadRead(cursor(5), bench.now)) == ([] if kept else [CloseFeed(1), OpenFeed(2)])


def test_a_feed_is_given_the_whole_time_however_often_the_store_is_asked() -> None:
    bench = following(3)
    bench.wait(0.25)
    bench.step(HeadRead(cursor(4), bench.now))
    bench.step(CommitsRead(EPOCH, (commit(4),)))
    bench.now += 0.2
    assert bench.step(ClientClaims(cursor(4))) == [ReadHead()]
    assert bench.step(HeadRead(cursor(4), bench.now)) == []


def test_a_feed_that_is_not_open_is_not_blamed() -> None:
    restarted, lost = Bench(), following(3)
    restarted.follower.replica.load(snapshot(3))
    restarted.step(Start())
    lost.step(FeedLost(1, "connection lost"))
    lost.wait(0.25)
    for bench in (restarted, lost):
        bench.step(HeadRead(cursor(4), bench.now))
        bench.step(CommitsRead(EPOCH, (commit(4),)))
        bench.wait(0.25)
        assert bench.step(HeadRead(cursor(4), bench.now)) == []


def test_the_head_is_compared_as_soon_as_a_feed_is_open() -> None:
    bench = following(3)
    bench.step(FeedLost(1, "connection lost"))
    assert bench.step(FeedOpened(1)) == [ReadHead()]
    assert bench.step(FeedOpened(1)) == []  # it is being read


def test_a_tick_that_comes_early_does_nothing() -> None:
    bench = following(3)
    bench.step(FeedLost(1, "connection lost"))
    assert bench.step(Tick()) == []


def test_a_gap_in_the_feed_is_looked_into_at_once() -> None:
    bench = following(3)
    assert bench.step(CommitHeard(EPOCH, commit(5))) == [ReadHead()]
    assert bench.step(HeadRead(cursor(5), bench.now)) == [ReadCommits(cursor(3))]


def test_a_log_that_does_not_reach_back_is_replaced_by_a_snapshot() -> None:
    bench = following(3)
    bench.wait(0.25)
    bench.step(HeadRead(cursor(50), bench.now))
    assert bench.step(CommitsRead(EPOCH, None)) == [ReadSnapshot()]
    assert bench.step(SnapshotRead(snapshot(50))) == [Loaded()]


def test_a_reading_proves_the_state_as_of_when_it_was_asked_for() -> None:
    bench = following(3)
    asked_at = bench.now
    bench.now += 0.1
    bench.step(HeadRead(cursor(3), asked_at))
    assert bench.follower.proven_at == asked_at


def test_a_reading_that_was_ahead_is_proof_once_the_commits_are_in() -> None:
    bench = following(3)
    bench.wait(0.25)
    asked_at = bench.now
    bench.step(HeadRead(cursor(4), asked_at))
    assert bench.follower.proven_at != asked_at
    bench.now += 0.1
    bench.step(CommitsRead(EPOCH, (commit(4),)))
    assert bench.follower.proven_at == asked_at


def test_an_answer_that_was_overtaken_by_a_commit_proves_what_was_when_it_was_asked() -> None:
    """On a link of 100 ms each way, with a commit in each round trip, every answer is one of these."""
    bench = following(3)
    for revision in range(4, 20):
        assert bench.wait(0.25) == [ReadHead()]
        asked_at = bench.now
        bench.now += 0.1
        bench.step(CommitMade(EPOCH, commit(revision)))
        bench.now += 0.1
        bench.step(HeadRead(cursor(revision - 1), asked_at))
        assert bench.standing() is Standing.FOLLOWED
        assert bench.follower.proven_at == asked_at


def test_an_answer_of_another_branch_proves_nothing_although_it_was_overtaken() -> None:
    bench = following(3)
    proven_at = bench.follower.proven_at
    bench.wait(0.25)
    asked_at = bench.now
    bench.step(CommitMade(EPOCH, commit(4)))
    bench.step(HeadRead(cursor(3, "other"), asked_at))
    assert bench.follower.proven_at == proven_at


def test_a_store_that_came_back_older_or_emptied_is_offered_what_was_lost() -> None:
    for head in (cursor(3), Cursor(Epoch(99, "older"), 50, "x"), Cursor(Epoch(999, "wiped"), 0, "w")):
        bench = following(3)
        bench.step(CommitMade(EPOCH, commit(4)))
        bench.wait(0.3)
        assert bench.step(HeadRead(head, bench.now)) == [Settle()]
        assert bench.standing() is Standing.SETTLING
        assert bench.follower.degraded(bench.now)
        assert bench.follower.replica.cursor == cursor(4)
        bench.step(SettleAnswered(HeadRead(cursor(4), bench.now)))
        assert bench.standing() is Standing.FOLLOWED


def test_another_run_of_the_store_is_settled_also_when_it_seems_to_have_everything() -> None:
    bench = following(3)
    bench.wait(0.25)
    assert bench.step(HeadRead(cursor(3), bench.now, settled=False)) == [Settle()]
    bench.step(SettleAnswered(HeadRead(cursor(3), bench.now, settled=False)))
    assert bench.follower.degraded(bench.now)
    assert bench.wait(0.25) == [ReadHead()]


def test_another_server_may_have_held_more() -> None:
    bench = following(3)
    bench.wait(0.25)
    bench.step(HeadRead(cursor(2), bench.now, settled=False))
    assert bench.step(SettleAnswered(HeadRead(cursor(5), bench.now))) == [ReadCommits(cursor(3))]
    assert bench.step(CommitsRead(EPOCH, None)) == [ReadSnapshot()]
    assert bench.step(SnapshotRead(snapshot(5))) == [Loaded()]


def test_a_store_that_went_on_without_it_wins_under_a_new_history() -> None:
    for head in (cursor(3, "other"), cursor(2, "other")):
        bench = following(3)
        bench.step(CommitMade(EPOCH, commit(4)))
        bench.wait(0.3)
        (renew,) = bench.step(HeadRead(head, bench.now))
        assert isinstance(renew, Renew)
        assert (renew.cursor, renew.generation) == (head, 101)
        assert bench.standing() is Standing.DIVERGED
        later = Cursor(Epoch(101, "l"), head.revision, head.head)
        assert bench.step(HeadRead(later, bench.now, parent=head)) == [ReadSnapshot()]
        records = bench.follower.replica.records
        new_state = Snapshot("production", later, 9, {"flag": {}})
        assert bench.step(SnapshotRead(new_state)) == [Overruled(cursor(4), records), Loaded()]
        assert bench.standing() is Standing.FOLLOWED


def test_a_log_with_another_commit_in_the_place_of_one_that_is_held_is_a_divergence_too() -> None:
    bench = following(3)
    bench.wait(0.25)
    assert bench.step(HeadRead(cursor(9, "other"), bench.now)) == [ReadCommits(cursor(3))]
    (renew,) = bench.step(CommitsRead(EPOCH, None, branched=True))
    assert isinstance(renew, Renew)
    later = Cursor(Epoch(101, "l"), 9, "other")
    assert bench.step(HeadRead(later, bench.now, parent=cursor(9, "other"))) == [ReadSnapshot()]
    actions = bench.step(SnapshotRead(Snapshot("production", later, 9, {})))
    assert [type(action) for action in actions] == [Overruled, Loaded]


def test_a_branch_that_the_store_has_left_again_overrules_nothing() -> None:
    bench = following(3)
    bench.wait(0.25)
    bench.step(HeadRead(cursor(9, "other"), bench.now))
    bench.step(CommitsRead(EPOCH, None, branched=True))
    bench.step(HeadRead(cursor(3), bench.now))
    assert bench.standing() is Standing.FOLLOWED
    later = Cursor(Epoch(101, "l"), 3, "h3")
    bench.step(HeadRead(later, bench.now, parent=cursor(3)))
    assert bench.step(SnapshotRead(Snapshot("production", later, 9, {}))) == [Loaded()]


def test_a_new_history_with_another_state_of_the_same_revision_overrules() -> None:
    bench = following(3)
    records = bench.follower.replica.records
    later = Cursor(Epoch(101, "l"), 3, "other")
    bench.step(HeadRead(later, bench.now, parent=cursor(3, "other")))
    overruled = Overruled(cursor(3), records)
    assert bench.step(SnapshotRead(Snapshot("production", later, 9, {}))) == [overruled, Loaded()]


def test_a_later_history_is_read_as_soon_as_there_is_anything_in_it_or_nothing_here() -> None:
    for mine, theirs in ((3, 1), (0, 0)):
        assert following(mine).step(HeadRead(Cursor(Epoch(101, "l"), theirs, "x"), 1000.0)) == [ReadSnapshot()]
    assert following(1).step(HeadRead(Cursor(Epoch(101, "l"), 0, "x"), 1000.0)) == [Settle()]


def test_a_store_that_was_settled_empty_without_it_is_neither_taken_nor_followed() -> None:
    bench = following(3)
    wiped = Cursor(Epoch(999, "wiped"), 0, "w")
    bench.wait(0.25)
    assert bench.step(HeadRead(wiped, bench.now)) == [Settle()]
    assert bench.step(SettleAnswered(HeadRead(wiped, bench.now))) == [ReadSnapshot()]
    assert bench.step(SnapshotRead(Snapshot("production", wiped, 9, {}))) == []
    assert bench.follower.replica.cursor == cursor(3)
    assert bench.follower.degraded(bench.now)


def test_a_store_that_was_offered_more_and_keeps_to_less_is_not_asked_again_for_ever() -> None:
    for head in (cursor(3), Cursor(Epoch(99, "older"), 50, "x")):
        bench = following(3)
        bench.step(CommitMade(EPOCH, commit(4)))
        bench.wait(0.3)
        bench.step(HeadRead(head, bench.now))
        (renew,) = bench.step(SettleAnswered(HeadRead(head, bench.now)))
        assert isinstance(renew, Renew)
        assert (renew.cursor, renew.generation) == (head, 101)


def test_a_new_history_that_holds_everything_overrules_nothing() -> None:
    bench = following(3)
    later = Cursor(Epoch(101, "l"), 3, "h3")
    bench.wait(0.25)
    assert bench.step(HeadRead(later, bench.now, parent=cursor(3))) == [ReadSnapshot()]
    assert bench.step(SnapshotRead(Snapshot("production", later, 9, {}))) == [Loaded()]


def test_a_client_that_holds_more_is_believed_only_after_the_store_was_asked() -> None:
    bench = following(3)
    claimed = Cursor(EPOCH, 9, "h9")
    bench.wait(0.1)
    assert bench.step(ClientClaims(claimed)) == [ReadHead()]
    asked_at = bench.now
    bench.now += 0.01
    (renew,) = bench.step(HeadRead(cursor(3), asked_at))
    assert isinstance(renew, Renew)
    assert (renew.cursor, renew.generation) == (cursor(3), 101)
    bench.step(HeadRead(Cursor(Epoch(101, "l"), 3, "h3"), bench.now, parent=cursor(3)))
    bench.wait(0.3)


def test_a_client_that_holds_more_is_right_when_this_server_only_lags() -> None:
    bench = following(3)
    bench.wait(0.1)
    bench.step(ClientClaims(cursor(4)))
    assert bench.step(HeadRead(cursor(4), bench.now)) == [ReadCommits(cursor(3))]
    bench.step(CommitsRead(EPOCH, (commit(4),)))
    bench.step(CommitHeard(EPOCH, commit(4)))
    bench.wait(0.25)
    assert bench.step(HeadRead(cursor(4), bench.now)) == []


def test_forged_claims_bring_about_one_new_history_a_minute_at_the_most() -> None:
    bench = following(3)
    renewals = 0
    for number in range(100):
        bench.step(ClientClaims(cursor(1000 + number)))
        bench.wait(0.3)
        renewals += any(isinstance(action, Renew) for action in bench.step(HeadRead(cursor(3), bench.now)))
        bench.wait(0.3)
        bench.step(HeadRead(cursor(3), bench.now))
    assert renewals == 1


def test_without_proof_for_a_second_it_says_that_it_is_degraded_and_retries_both_legs() -> None:
    bench = following(3)
    assert not bench.follower.degraded(bench.now)
    reads = feeds = 0
    bench.step(FeedLost(1, "connection lost"))
    for _ in range(1000):
        for action in bench.wait(0.01):
            if isinstance(action, OpenFeed):
                feeds += 1
                bench.step(FeedLost(action.feed, "connection refused"))
            if isinstance(action, ReadHead):
                reads += 1
                bench.step(ReadFailed("connection refused"))
    assert bench.follower.degraded(bench.now)
    assert bench.follower.last_error == "connection refused"
    assert feeds >= 5
    assert 5 <= reads <= 40


def test_both_legs_are_tried_again_at_the_pace_given() -> None:
    pace = Pace(retry=Backoff(base_s=7.0, cap_s=7.0, floor_s=7.0))
    for failure in (FeedLost(1, "connection lost"), ReadFailed("connection lost")):
        bench = Bench(Follower(Replica("production"), pace))
        bench.step(Start())
        bench.step(failure)
        assert bench.follower.wake_at == bench.now + 7.0


def test_when_the_store_is_back_it_goes_on_from_where_it_was() -> None:
    bench = following(3)
    bench.wait(0.25)
    bench.step(ReadFailed("connection refused"))
    while ReadHead() not in bench.wait(0.01):
        pass
    assert bench.step(HeadRead(cursor(5), bench.now)) == [ReadCommits(cursor(3))]
    bench.step(CommitsRead(EPOCH, (commit(4), commit(5))))
    assert not bench.follower.degraded(bench.now)
    assert bench.follower.last_error is None
