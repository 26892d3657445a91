"""What a client (or relay) does when: connect, resume, poll beside a blocked stream, back off. Pure.

`Supervisor.step(event, now, rng)` takes what happened and returns what to do. No clock, no socket: `now` is
monotonic seconds, and a thin shell (`http_feed_io`) carries the actions out and reports back. Requests and streams
carry numbers, so that an answer to something given up long ago is recognised as such.
"""

from dataclasses import dataclass, field
from enum import Enum
from random import Random

from wigwag_proto.backoff import RECONNECT, REFUSED, Backoff
from wigwag_proto.commit import Commit, Cursor, Epoch
from wigwag_proto.errors import MalformedCursor
from wigwag_proto.events import Emergencies, Goodbye, Hello, Patch, Put, StreamEvent, Sync
from wigwag_proto.replica import Applied, Replica
from wigwag_proto.snapshot import Emergency, Snapshot

LONGEST_SPREAD_S = 60.0


@dataclass(frozen=True, slots=True)
class Start:
    """Begin. The replica may already hold what was on disk."""


@dataclass(frozen=True, slots=True)
class Tick:
    """The time that `wake_at` asked for has come (or any other time: a tick too many does no harm)."""


@dataclass(frozen=True, slots=True)
class Refresh:
    """Somebody wants the newest snapshot now."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a request or a stream came to nothing; `status` is the HTTP status where there was one."""

    message: str
    status: int | None = None
    retry_after_s: float = 0.0

    @property
    def refused(self) -> bool:
        """Whether the key itself was refused."""
        return self.status in (401, 403)


@dataclass(frozen=True, slots=True)
class SnapshotArrived:
    """The answer to FetchSnapshot; `snapshot` is None when what was asked about is still the newest (304)."""

    request: int
    snapshot: Snapshot | None
    age_s: float | None
    sent_at: float


@dataclass(frozen=True, slots=True)
class SnapshotFailed:
    """FetchSnapshot came to nothing."""

    request: int
    failure: Failure


@dataclass(frozen=True, slots=True)
class StreamSaid:
    """An event came in on a stream whose request was sent at `sent_at`. None: bytes that are no event of ours."""

    stream: int
    event: StreamEvent | None
    sent_at: float


@dataclass(frozen=True, slots=True)
class StreamClosed:
    """A stream ended, could not be opened or said something malformed. A clean end has a failure too."""

    stream: int
    failure: Failure


Event = Start | Tick | Refresh | SnapshotArrived | SnapshotFailed | StreamSaid | StreamClosed


@dataclass(frozen=True, slots=True)
class FetchSnapshot:
    """Ask for the snapshot, unless `cursor` is still the newest."""

    request: int
    cursor: Cursor | None


@dataclass(frozen=True, slots=True)
class OpenStream:
    """Open a stream that goes on from `cursor`."""

    stream: int
    cursor: Cursor | None


@dataclass(frozen=True, slots=True)
class CloseStream:
    """Give the stream up; what still comes from it is ignored."""

    stream: int


@dataclass(frozen=True, slots=True)
class Loaded:
    """The replica was replaced as a whole."""


@dataclass(frozen=True, slots=True)
class Committed:
    """The replica went on by one commit."""

    commit: Commit


@dataclass(frozen=True, slots=True)
class EmergenciesChanged:
    """The set of emergencies in force is another one."""


Action = FetchSnapshot | OpenStream | CloseStream | Loaded | Committed | EmergenciesChanged


class Link(Enum):
    """The state of the stream. It is open only once its hello has come: a proxy can answer 200 and then buffer."""

    IDLE = "idle"
    CONNECTING = "connecting"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Patience:
    """The supervisor's times, in seconds."""

    poll_interval_s: float = 5.0
    poll_after_s: float = 10.0
    heartbeat_s: float = 5.0
    missed_heartbeats: int = 3
    stable_s: float = 60.0


@dataclass(slots=True)
class Supervisor:
    """Keeps one replica current over HTTP."""

    replica: Replica
    patience: Patience = field(default_factory=Patience)
    link: Link = Link.IDLE
    proven_at: float | None = None  # when the replica was last proven to hold all there was
    last_failure: Failure | None = None
    settled: bool = False  # the first attempt is over, one way or the other
    answered: int = 0  # the number of the latest snapshot request that is over
    answer_failure: Failure | None = None  # what became of that one
    opened_at: float | None = None
    polling: bool = False
    confirm_spread_s: float = 0.0  # over how long the server wants a kill to be confirmed
    upstream_degraded: bool = False  # the server last said that it cannot prove its own state
    _stream: int = 0
    _request: int = 0
    _fetching: bool = False
    _fetch_again: bool = False
    _last_heard: float = 0.0
    _heartbeat_s: float = 5.0
    _linkless_since: float = 0.0
    _connect_at: float | None = None
    _poll_at: float | None = None
    _backoff: Backoff = RECONNECT
    _refused: Backoff = REFUSED
    _fetch_first: bool = True  # load a snapshot before the next stream is opened

    def step(self, event: Event, now: float, rng: Random) -> list[Action]:
        """Take what happened and return what to do, in order."""
        match event:
            case Start():
                self._linkless_since = now
                return self._connect(now)
            case Tick():
                return self._tick(now, rng)
            case Refresh():
                self._fetch_again = self._fetching
                return self._fetch()
            case SnapshotArrived() if event.request == self._request:
                return self._snapshot_arrived(event, now)
            case SnapshotFailed() if event.request == self._request:
                return self._snapshot_failed(event.failure, now, rng)
            case StreamSaid() if event.stream == self._stream and self.link is not Link.IDLE:
                return self._stream_said(event, now, rng)
            case StreamClosed() if event.stream == self._stream and self.link is not Link.IDLE:
                return self._stream_lost(event.failure, now, rng)
        return []

    @property
    def newest_request(self) -> int:
        """The number of the snapshot request whose answer is the newest to be had for a Refresh asked by now."""
        return self._request + self._fetch_again

    @property
    def wake_at(self) -> float | None:
        """When to send the next Tick, at the latest."""
        times = [self._connect_at, self._poll_at]
        if self.link is not Link.IDLE:
            times.append(self._dead_at())
        if not self.polling and self.link is not Link.OPEN:
            times.append(self._linkless_since + self.patience.poll_after_s)
        return min((time for time in times if time is not None), default=None)

    def _tick(self, now: float, rng: Random) -> list[Action]:
        actions: list[Action] = []
        if self.link is not Link.IDLE and now >= self._dead_at():
            heard = "nothing was heard for three heartbeats"
            actions += [CloseStream(self._stream), *self._stream_lost(Failure(heard), now, rng)]
            # It has been without a stream since then, only without knowing: polling need not wait any longer.
            self._linkless_since = min(self._linkless_since, self._last_heard)
        if self._connect_at is not None and now >= self._connect_at:
            actions += self._connect(now)
        if self.link is not Link.OPEN and now >= self._linkless_since + self.patience.poll_after_s:
            actions += self._poll(now, rng)
        return actions

    def _dead_at(self) -> float:
        return self._last_heard + self.patience.missed_heartbeats * self._heartbeat_s

    # Snapshots: the first one, polls beside a blocked stream, and refreshes.

    def _fetch(self) -> list[Action]:
        if self._fetching:
            return []
        self._fetching = True
        self._request += 1
        return [FetchSnapshot(self._request, self.replica.cursor)]

    def _poll(self, now: float, rng: Random) -> list[Action]:
        self.polling = True
        if self._poll_at is not None and now < self._poll_at:
            return []
        self._poll_at = now + self.patience.poll_interval_s * rng.uniform(0.9, 1.0)
        return self._fetch()

    def _answered(self, failure: Failure | None) -> list[Action]:
        self.answered, self.answer_failure = self._request, failure
        self._fetching = False
        again, self._fetch_again = self._fetch_again, False
        return self._fetch() if again else []

    def _snapshot_arrived(self, event: SnapshotArrived, now: float) -> list[Action]:
        self._fetch_first = False
        actions: list[Action] = []
        if event.snapshot is not None:
            actions += self._load(event.snapshot)
        if event.age_s is not None:
            cursor = event.snapshot.cursor if event.snapshot else self.replica.cursor
            self._prove(cursor, event.sent_at - event.age_s)
        actions += self._answered(None)
        return actions + (self._open(now) if self._awaiting_stream() else [])

    def _snapshot_failed(self, failure: Failure, now: float, rng: Random) -> list[Action]:
        actions = self._answered(failure)
        self.settled = True
        self.last_failure = failure
        # A server that answers, but not with a snapshot, may still have a stream. One that is busy asks for time.
        self._fetch_first = self._fetch_first and failure.status in (None, 429, 503)
        if failure.refused and self.polling:
            self._poll_at = now + self._delay(failure, rng)
        elif self._poll_at is not None:
            self._poll_at = max(self._poll_at, now + failure.retry_after_s)
        if self._awaiting_stream():
            self._connect_at = now + self._delay(failure, rng)
        return actions

    def _load(self, snapshot: Snapshot) -> list[Action]:
        before = self.replica.emergencies
        loaded = self.replica.load(snapshot)
        self.replica.add_emergencies(snapshot.emergencies)
        return [*([Loaded()] if loaded else []), *self._if_emergencies_changed(before)]

    # The stream.

    def _awaiting_stream(self) -> bool:
        return self.link is Link.IDLE and self._connect_at is None

    def _connect(self, now: float) -> list[Action]:
        self._connect_at = None
        if self._fetch_first:
            return self._fetch()
        return self._open(now)

    def _open(self, now: float) -> list[Action]:
        self.link = Link.CONNECTING
        self._stream += 1
        self._last_heard = now
        self._heartbeat_s = self.patience.heartbeat_s
        return [OpenStream(self._stream, self.replica.cursor)]

    def _stream_said(self, said: StreamSaid, now: float, rng: Random) -> list[Action]:
        self._last_heard = now
        match said.event:
            case Hello() as hello:
                return self._greeted(hello, now)
            case Put(snapshot):
                return self._load(snapshot)
            case Patch(epoch, commit):
                return self._patched(epoch, commit, now, rng)
            case Sync() as sync:
                return self._synced(sync, said.sent_at, now, rng)
            case Emergencies(emergencies, ended):
                before = self.replica.emergencies
                self.replica.add_emergencies(emergencies)
                self.replica.end_emergencies(ended)
                return self._if_emergencies_changed(before)
            case Goodbye(retry_ms):
                self._linkless(now)
                self._connect_at = now + retry_ms / 1000
                return [CloseStream(self._stream)]
        return []

    def _patched(self, epoch: Epoch, commit: Commit, now: float, rng: Random) -> list[Action]:
        before = self.replica.emergencies
        applied = self.replica.apply(epoch, commit)
        if applied is Applied.GAP:
            return self._resynchronise("a commit is missing", now, rng)
        if applied is Applied.KNOWN:
            return []
        # The commit first: an emergency ends only once the kill that takes its place is in force.
        return [Committed(commit), *self._if_emergencies_changed(before)]

    def _greeted(self, hello: Hello, now: float) -> list[Action]:
        self.link = Link.OPEN
        self.opened_at = now
        self.polling = False
        self._poll_at = None
        self._heartbeat_s = max(hello.heartbeat_ms, 1) / 1000
        self.confirm_spread_s = min(max(hello.confirm_spread_ms, 0) / 1000, LONGEST_SPREAD_S)
        self._refused = self._refused.reset()
        self.settled = True
        self.last_failure = None
        return []

    def _synced(self, sync: Sync, sent_at: float, now: float, rng: Random) -> list[Action]:
        try:
            cursor = Cursor.parse(sync.cursor)
        except MalformedCursor as error:
            return self._resynchronise(str(error), now, rng)
        mine = self.replica.cursor
        if mine is None or (cursor.rank > mine.rank and cursor.revision > 0):
            return self._resynchronise(f"the server is at {cursor}, beyond {mine}", now, rng)
        self.upstream_degraded = sync.degraded
        if sync.proven_ms is not None:
            self._prove(cursor, sent_at + sync.proven_ms / 1000)
        return []

    def _resynchronise(self, why: str, now: float, rng: Random) -> list[Action]:
        """Start over from a snapshot: something was lost on this stream, so nothing more is taken from it."""
        self._fetch_first = True
        stream = self._stream
        return [CloseStream(stream), *self._stream_lost(Failure(why), now, rng)]

    def _stream_lost(self, failure: Failure, now: float, rng: Random) -> list[Action]:
        if self.opened_at is not None and now - self.opened_at >= self.patience.stable_s:
            self._backoff = self._backoff.reset()
        self._linkless(now)
        self.settled = True
        self.last_failure = failure
        self._connect_at = now + self._delay(failure, rng)
        return []

    def _linkless(self, now: float) -> None:
        if self.link is Link.OPEN:
            self._linkless_since = now
        self.link = Link.IDLE
        self.opened_at = None

    def _delay(self, failure: Failure, rng: Random) -> float:
        if failure.refused:
            delay_s, self._refused = self._refused.after_failure(rng)
        else:
            delay_s, self._backoff = self._backoff.after_failure(rng)
        return max(delay_s, failure.retry_after_s)

    # What is known of the state.

    def _if_emergencies_changed(self, before: tuple[Emergency, ...]) -> list[Action]:
        return [EmergenciesChanged()] if self.replica.emergencies != before else []

    def _prove(self, cursor: Cursor | None, at: float) -> None:
        """Note that all there was at `at` is in the replica, which `cursor` then named."""
        if cursor is not None and self.replica.contains(cursor):
            self.proven_at = at if self.proven_at is None else max(self.proven_at, at)
