"""The supervisor, step by step: what it does when."""

from dataclasses import dataclass, field
from itertools import pairwise
from random import Random

from wigwag_proto.commit import Change, Commit, Cursor, Epoch
from wigwag_proto.events import Emergencies, Goodbye, Hello, Outcome, Patch, Put, StreamEvent, Sync
from wigwag_proto.replica import Replica
from wigwag_proto.snapshot import Emergency, Snapshot
from wigwag_proto.supervisor import (
    Action,
    CloseStream,
    Committed,
    EmergenciesChanged,
    Event,
    Failure,
    FetchSnapshot,
    Link,
    Loaded,
    OpenStream,
    Refresh,
    SnapshotArrived,
    SnapshotFailed,
    Start,
    StreamClosed,
    StreamSaid,
    Supervisor,
    Tick,
)

EPOCH = Epoch(100, "e")
HELLO = Hello(outcome=Outcome.CURRENT, cause="current", heartbeat_ms=5000)


def cursor(revision: int) -> Cursor:
    return Cursor(EPOCH, revision, f"h{revision}")


def snapshot(revision: int) -> Snapshot:
    return Snapshot("production", cursor(revision), revision, {"flag": {}})


def commit(revision: int) -> Commit:
    changes = (Change("flag", "f", {"key": "f", "n": revision}),)
    return Commit(revision, f"h{revision - 1}", f"h{revision}", revision, changes)


@dataclass
class Bench:
    """A supervisor on a clock that the test turns, with the ids of what it has asked for."""

    supervisor: Supervisor = field(default_factory=lambda: Supervisor(Replica("production")))
    now: float = 1000.0
    rng: Random = field(default_factory=lambda: Random(1))
    asked: list[Action] = field(default_factory=list)

    def step(self, event: Event) -> list[Action]:
        actions = self.supervisor.step(event, self.now, self.rng)
        self.asked += actions
        return actions

    def wait(self, seconds: float) -> list[Action]:
        """Let time pass, with a tick whenever the supervisor wants one."""
        actions: list[Action] = []
        end = self.now + seconds
        while (wake_at := self.supervisor.wake_at) is not None and wake_at <= end:
            self.now = max(self.now, wake_at)
            actions += self.step(Tick())
        self.now = end
        return actions

    def fetched(self, what: Snapshot | None, age_s: float | None = 0.0) -> list[Action]:
        request = [action.request for action in self.asked if isinstance(action, FetchSnapshot)][-1]
        return self.step(SnapshotArrived(request, what, age_s, sent_at=self.now))

    def fetch_failed(self, failure: Failure) -> list[Action]:
        request = [action.request for action in self.asked if isinstance(action, FetchSnapshot)][-1]
        return self.step(SnapshotFailed(request, failure))

    def said(self, event: StreamEvent | None, sent_at: float | None = None) -> list[Action]:
        return self.step(StreamSaid(self.stream, event, self.now if sent_at is None else sent_at))

    def closed(self, failure: Failure) -> list[Action]:
        return self.step(StreamClosed(self.stream, failure))

    def emergencies(self) -> list[str]:
        return [each.id for each in self.supervisor.replica.emergencies]

    def link(self) -> Link:
        return self.supervisor.link

    @property
    def stream(self) -> int:
        return [action.stream for action in self.asked if isinstance(action, OpenStream)][-1]


def streaming(revision: int = 1) -> Bench:
    bench = Bench()
    bench.step(Start())
    bench.fetched(snapshot(revision))
    bench.said(HELLO)
    return bench


def test_a_start_loads_a_snapshot_and_opens_the_stream_from_there() -> None:
    bench = Bench()
    assert bench.step(Start()) == [FetchSnapshot(1, None)]
    assert bench.fetched(snapshot(7)) == [Loaded(), OpenStream(1, cursor(7))]
    assert bench.link() is Link.CONNECTING
    assert bench.said(HELLO) == []
    assert bench.link() is Link.OPEN
    assert bench.supervisor.settled


def test_a_start_with_a_snapshot_from_disk_asks_only_for_a_newer_one() -> None:
    bench = Bench()
    bench.supervisor.replica.load(snapshot(7))
    assert bench.step(Start()) == [FetchSnapshot(1, cursor(7))]
    assert bench.fetched(None) == [OpenStream(1, cursor(7))]


def test_patches_are_applied_once_and_in_order() -> None:
    bench = streaming(1)
    assert bench.said(Patch(EPOCH, commit(2))) == [Committed(commit(2))]
    assert bench.said(Patch(EPOCH, commit(2))) == []
    assert bench.said(Patch(EPOCH, commit(3))) == [Committed(commit(3))]
    assert bench.supervisor.replica.cursor == cursor(3)


def test_after_a_gap_nothing_more_is_taken_from_the_stream_until_a_snapshot_is_loaded() -> None:
    bench = streaming(1)
    lost_stream = bench.stream
    assert bench.said(Patch(EPOCH, commit(3))) == [CloseStream(lost_stream)]
    assert bench.step(StreamSaid(lost_stream, Patch(EPOCH, commit(2)), bench.now)) == []
    assert bench.wait(0.1) == [FetchSnapshot(2, cursor(1))]
    assert bench.fetched(snapshot(3)) == [Loaded(), OpenStream(lost_stream + 1, cursor(3))]


def test_a_heartbeat_beyond_what_was_received_is_a_loss() -> None:
    bench = streaming(1)
    assert bench.said(Sync(str(cursor(2)), 0, degraded=False)) == [CloseStream(bench.stream)]


def test_a_heartbeat_of_a_wiped_server_changes_nothing_and_proves_nothing() -> None:
    bench = streaming(1)
    proven_at = bench.supervisor.proven_at
    bench.now += 1
    assert bench.said(Sync("999.wiped:0:h0", 1000, degraded=False)) == []
    assert bench.said(Put(Snapshot("production", Cursor(Epoch(999, "wiped"), 0, "h0"), 0, {}))) == []
    assert bench.supervisor.replica.cursor == cursor(1)
    assert bench.supervisor.proven_at == proven_at


def test_three_silent_heartbeats_are_a_dead_link_and_any_byte_is_a_sign_of_life() -> None:
    bench = streaming()
    bench.wait(14)
    bench.said(None)
    dead = bench.stream
    assert bench.wait(14.9) == []
    actions = bench.wait(0.3)
    assert actions[0] == CloseStream(dead)
    assert OpenStream(dead + 1, cursor(1)) in actions
    assert bench.now - 1000 < 29.3


def test_a_dead_link_is_polled_around_as_soon_as_it_is_noticed() -> None:
    bench = streaming()
    for _ in range(4):  # the next try is some time away
        bench.closed(Failure("x"))
        while not any(isinstance(action, OpenStream) for action in bench.wait(0.1)):
            pass
    bench.said(HELLO)
    silent_since = bench.now
    actions: list[Action] = []
    while not any(isinstance(action, FetchSnapshot) for action in actions):
        actions += bench.wait(0.1)
    assert bench.now - silent_since < 15.2


def test_the_announced_heartbeat_is_the_one_that_counts() -> None:
    bench = Bench()
    bench.step(Start())
    bench.fetched(snapshot(1))
    bench.said(Hello(outcome=Outcome.CURRENT, cause="current", heartbeat_ms=100))
    assert CloseStream(1) in bench.wait(0.31)


def test_a_stream_that_ends_is_opened_again_with_growing_delays_and_the_cursor() -> None:
    bench = streaming()
    waits = []
    for _ in range(12):
        lost_at = bench.now
        assert bench.closed(Failure("the server ended the stream")) == []
        while not any(isinstance(action, OpenStream) for action in bench.wait(0.01)):
            assert bench.now - lost_at < 31
        waits.append(bench.now - lost_at)
    assert waits[0] <= 0.12
    assert max(waits) > 5
    assert max(waits) <= 30.02


def test_a_stream_that_lasted_a_minute_starts_the_backoff_anew() -> None:
    bench = streaming()
    for _ in range(10):
        bench.closed(Failure("x"))
        while not any(isinstance(action, OpenStream) for action in bench.wait(0.5)):
            pass
    bench.said(HELLO)
    for _ in range(7):
        bench.wait(9)
        bench.said(Sync(str(cursor(1)), 0, degraded=False))
    bench.closed(Failure("x"))
    assert any(isinstance(action, OpenStream) for action in bench.wait(0.11))


def test_without_a_stream_for_ten_seconds_snapshots_are_polled_beside_the_retries() -> None:
    bench = Bench()
    bench.step(Start())
    bench.fetched(snapshot(1))
    fetches, streams, revision = [], 0, 1
    for _ in range(4000):
        for action in bench.wait(0.01):
            if isinstance(action, FetchSnapshot):
                fetches.append(bench.now)
                revision += 1
                bench.fetched(snapshot(revision))
            if isinstance(action, OpenStream):
                streams += 1
        if bench.supervisor.link is Link.CONNECTING:
            bench.closed(Failure("HTTP 502 (text/html)", status=502))
    assert 9.9 < fetches[0] - 1000 < 10.2
    gaps = [b - a for a, b in pairwise(fetches)]
    assert all(4.4 < gap < 5.1 for gap in gaps)
    assert bench.supervisor.polling
    assert streams >= 5
    assert bench.supervisor.replica.cursor == cursor(revision)
    while bench.supervisor.link is not Link.CONNECTING:
        bench.wait(0.1)
    bench.said(HELLO)
    assert not bench.supervisor.polling


def test_a_stream_that_answers_but_never_greets_does_not_count_as_open() -> None:
    bench = Bench()
    bench.step(Start())
    bench.fetched(snapshot(1))
    bench.said(None)
    actions = bench.wait(10.1)
    assert any(isinstance(action, FetchSnapshot) for action in actions)


def test_a_refused_key_is_tried_again_but_slowly() -> None:
    bench = Bench()
    bench.step(Start())
    bench.fetch_failed(Failure("HTTP 401: This key is not valid here", status=401))
    tries = 0
    for _ in range(7200):
        for action in bench.wait(1):
            if isinstance(action, FetchSnapshot):
                tries += 1
                bench.fetch_failed(Failure("HTTP 401", status=401))
            if isinstance(action, OpenStream):
                tries += 1
                bench.closed(Failure("HTTP 401", status=401))
    assert 2 <= tries <= 40
    assert bench.supervisor.last_failure is not None
    assert bench.supervisor.last_failure.refused


def test_a_busy_server_is_given_the_time_that_it_asks_for() -> None:
    bench = Bench()
    bench.step(Start())
    bench.fetch_failed(Failure("HTTP 503: busy", status=503, retry_after_s=3))
    assert bench.wait(2.99) == []
    assert bench.wait(0.02) == [FetchSnapshot(2, None)]


def test_where_snapshots_are_blocked_the_stream_is_opened_without_one() -> None:
    bench = Bench()
    bench.step(Start())
    bench.fetch_failed(Failure("HTTP 404 (text/html)", status=404))
    assert bench.wait(0.2) == [OpenStream(1, None)]
    bench.said(HELLO)
    assert bench.said(Put(snapshot(4))) == [Loaded()]


def test_a_goodbye_is_followed_by_a_new_stream_at_the_time_that_the_server_chose() -> None:
    bench = streaming()
    assert bench.said(Goodbye(700)) == [CloseStream(1)]
    assert bench.wait(0.69) == []
    assert bench.wait(0.02) == [OpenStream(2, cursor(1))]


def test_what_is_proven_counts_from_the_moment_the_request_was_sent() -> None:
    bench = streaming()
    sent_at = bench.now
    bench.now += 100  # the process was suspended while a heartbeat lay in the buffer
    bench.said(Sync(str(cursor(1)), 4000, degraded=False), sent_at=sent_at)
    assert bench.supervisor.proven_at == sent_at + 4


def test_an_older_proof_never_replaces_a_later_one() -> None:
    bench = streaming()
    bench.said(Sync(str(cursor(1)), 9000, degraded=False))
    latest = bench.supervisor.proven_at
    bench.said(Sync(str(cursor(1)), 4000, degraded=False))
    assert bench.supervisor.proven_at == latest


def test_a_snapshot_proves_what_the_server_had_proven_when_it_was_asked() -> None:
    bench = Bench()
    bench.step(Start())
    bench.fetched(snapshot(1), age_s=0.25)
    assert bench.supervisor.proven_at == 999.75


def test_a_late_snapshot_never_turns_the_replica_back_nor_proves_anything() -> None:
    bench = streaming(1)
    bench.step(Refresh())
    bench.said(Patch(EPOCH, commit(2)))
    bench.wait(1)
    proven_at = bench.supervisor.proven_at
    assert bench.fetched(Snapshot("production", Cursor(EPOCH, 1, "h1"), 1, {"flag": {}}), age_s=0.5) == []
    assert bench.supervisor.replica.cursor == cursor(2)
    assert bench.supervisor.proven_at is not None
    assert proven_at is not None
    assert bench.supervisor.proven_at >= proven_at


def test_a_refresh_during_a_fetch_is_answered_by_one_sent_after_it() -> None:
    bench = Bench()
    bench.step(Start())
    assert bench.step(Refresh()) == []
    assert bench.supervisor.newest_request == 2
    assert FetchSnapshot(2, cursor(1)) in bench.fetched(snapshot(1))
    assert bench.supervisor.answered == 1
    bench.fetched(None)
    assert bench.supervisor.answered == 2


EMERGENCY = Emergency("e1", ("checkout",), "ann", "fire", 1)


def test_emergencies_are_added_and_called_off() -> None:
    bench = streaming()
    assert bench.said(Emergencies((EMERGENCY,))) == [EmergenciesChanged()]
    assert bench.said(Emergencies((EMERGENCY,))) == []
    assert bench.emergencies() == ["e1"]
    assert bench.said(Emergencies((), ended=("e1",))) == [EmergenciesChanged()]
    assert bench.emergencies() == []


def test_a_server_that_was_not_told_of_an_emergency_does_not_end_it() -> None:
    bench = streaming(1)
    bench.said(Emergencies((EMERGENCY,)))
    assert bench.said(Emergencies(())) == []
    bench.said(Put(snapshot(2)))
    assert bench.emergencies() == ["e1"]


def test_an_emergency_ends_with_the_commit_that_absorbs_it_after_that_is_in_force() -> None:
    bench = streaming(1)
    bench.said(Emergencies((EMERGENCY,)))
    absorbing = Commit(2, "h1", "h2", 2, (Change("flag", "checkout", {"kill": {}}),), absorbs=("e1",))
    assert bench.said(Patch(EPOCH, absorbing)) == [Committed(absorbing), EmergenciesChanged()]
    assert bench.emergencies() == []


def test_an_emergency_that_was_absorbed_while_nobody_listened_ends_with_the_snapshot_and_stays_ended() -> None:
    bench = streaming(1)
    bench.said(Emergencies((EMERGENCY,)))
    later = Snapshot("production", cursor(5), 5, {"flag": {}, "absorption": {"e1": {"at": 4}}})
    assert bench.said(Put(later)) == [Loaded(), EmergenciesChanged()]
    assert bench.said(Emergencies((EMERGENCY,))) == []
