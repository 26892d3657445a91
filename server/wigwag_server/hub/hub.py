"""Every open stream of one environment, and what is written to them.

A commit is encoded once and the same bytes go to every connection that is up to date and writable. A connection
that cannot take them stays where it is; it catches up from the ring when it can be written to again, and is let go
when it takes nothing for `STUCK_S`.
"""

import asyncio
import gzip
import random
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from math import floor

from wigwag_proto.codec import encode
from wigwag_proto.commit import Commit, Cursor, Epoch
from wigwag_proto.events import Hello, encode_emergencies, encode_goodbye, encode_hello, encode_put, encode_sync
from wigwag_proto.snapshot import for_apps, snapshot_to_plain, without_server_kinds
from wigwag_server.following import Standpoint
from wigwag_server.hub.connection import END_S, Connection, frame
from wigwag_server.hub.resume import resume
from wigwag_server.hub.ring import Ring
from wigwag_server.instances.spread import confirm_spread_ms

STUCK_S = 15.0
LAGGARD_CHECK_S = 0.02
# So many connections are written to before others get the event loop: some milliseconds, most of them the kernel's.
BATCH = 250
# Heartbeats that are due within this time go out in one go: waking up for each would cost as much as writing it.
BEAT_GRAIN_S = 0.05
# So much of its interval a heartbeat may be late in favour of a fan-out, which says the same and more.
BEAT_DELAY = 0.1
# So much of the ring is handed at a time to a connection that is behind.
PIECE_BYTES = 256 * 1024
GOODBYES_PER_S = 1000
# A relay passes on what is proven, so each level of relays makes that older: for them the heart beats faster.
RELAY_BEAT_S = 1.0


@dataclass(slots=True)
class Announcement:
    """An event that goes to every stream that is open now, ahead of all commits and in the order of its like."""

    ended: tuple[str, ...]
    waiting: Iterator[Connection]
    event: bytes = b""
    told: int = 0  # to how many it was written
    done: bool = False


@dataclass(slots=True)
class Counts:
    """What a hub has done since it was made."""

    opened: Counter[str] = field(default_factory=Counter)  # streams, by the outcome of their hello
    deliveries: int = 0  # writes that brought one stream one or more commits further
    let_go: int = 0  # streams that took nothing for too long
    snapshots_encoded: int = 0


class Hub:
    """Fans one replica out to its connections."""

    def __init__(
        self,
        follower: Standpoint,
        server_id: str,
        *,
        heartbeat_s: float,
        max_age_s: float | None = None,
        on_claim: Callable[[Cursor], None] | None = None,
    ) -> None:
        """`on_claim` is told of a state that a client holds and the replica does not know."""
        self.counts = Counts()
        self._max_age_s = max_age_s
        self.connections: set[Connection] = set()
        self.heartbeat_s = heartbeat_s
        self.stuck_s = STUCK_S
        self._follower = follower
        self._replica = follower.replica
        self._server_id = server_id
        self._on_claim = on_claim
        self._ring = Ring()
        self._empty = asyncio.Event()
        self._round: Iterator[Connection] | None = None  # those who are still to be written to, in a fan-out
        self._again = False  # there is news for those who were
        self._announcements: deque[Announcement] = deque()
        self._relays: set[Connection] = set()
        self._relay_beat_s = min(RELAY_BEAT_S, heartbeat_s)
        self._news = asyncio.Event()
        self._lagging: set[Connection] = set()
        self._lag = asyncio.Event()
        self._beats: deque[Connection] = deque()
        self._json: tuple[Cursor, bytes] | None = None
        self._put: tuple[Cursor, bytes] | None = None
        self._gzip: tuple[Cursor, asyncio.Future[bytes]] | None = None

    @property
    def behind(self) -> int:
        """How many streams have not been written all yet."""
        return sum(1 for each in self.connections if each.cursor is not self._replica.cursor or not each.idle())

    # What happens to the replica.

    def loaded(self) -> None:
        """Take note that the replica was replaced as a whole: everyone gets it whole."""
        assert self._replica.cursor is not None
        self._ring.restart(self._replica.cursor)
        self._again = True
        self._news.set()

    def committed(self, epoch: Epoch, commit: Commit) -> None:
        """Take note of a commit that the replica has applied; the first to get it get it now.

        Unless a fan-out is under way: what comes meanwhile goes out together in the next one. Or unless more commits
        are about to be reported, of those that the replica has applied already.
        """
        self._ring.append(epoch, for_apps(commit))
        if self._round is None and self._ring.newest == self._replica.cursor:
            self._round = iter(list(self.connections))
            self._write_batch()
        else:
            self._again = True
        self._news.set()

    def emergencies_changed(self, ended: tuple[str, ...] = ()) -> Announcement:
        """Tell every stream what emergencies are in force, the first of them at once.

        One that has begun is gone on with, and what changes meanwhile goes out together after it.
        """
        self._json = self._put = self._gzip = None
        waiting = iter(list(self.connections))
        if len(self._announcements) > 1:
            announcement = self._announcements[-1]
            announcement.ended += ended
            announcement.waiting = waiting
        else:
            announcement = Announcement(ended, waiting)
            self._announcements.append(announcement)
        announcement.event = encode_emergencies(self._replica.emergencies, announcement.ended)
        if len(self._announcements) == 1:
            self._announce_batch()
        self._news.set()
        return announcement

    async def told(self, announcement: Announcement) -> int:
        """Wait until an announcement was made to all, lending a hand; return to how many it was written."""
        while not announcement.done:
            self._announce_batch()
            await asyncio.sleep(0)
        return announcement.told

    def snapshot_json(self) -> bytes:
        """Return the state as JSON, encoded once for each revision."""
        cursor = self._replica.cursor
        assert cursor is not None
        if self._json is None or self._json[0] != cursor:
            self.counts.snapshots_encoded += 1
            self._json = cursor, encode(snapshot_to_plain(without_server_kinds(self._replica.snapshot())))
        return self._json[1]

    def _put_event(self) -> bytes:
        """Return the state as a `put`: the same bytes for every connection, however many need it at once."""
        cursor = self._replica.cursor
        assert cursor is not None
        if self._put is None or self._put[0] != cursor:
            self._put = cursor, encode_put(self.snapshot_json(), cursor)
        return self._put[1]

    async def snapshot_gzip(self) -> tuple[Cursor, bytes]:
        """Return the state and its JSON, compressed once for each revision and off the event loop."""
        cursor = self._replica.cursor
        assert cursor is not None
        if self._gzip is None or self._gzip[0] != cursor:
            self._gzip = cursor, asyncio.ensure_future(asyncio.to_thread(gzip.compress, self.snapshot_json(), 6))
        cursor, compressed = self._gzip
        return cursor, await asyncio.shield(compressed)

    # What happens to connections.

    def join(self, connection: Connection, last_event_id: str | None, *, relay: bool = False) -> None:
        """Greet a new stream, send what it is missing, and keep it up to date from now on."""
        begin = resume(self._replica, self._ring, last_event_id)
        hello = Hello(
            outcome=begin.outcome,
            cause=begin.cause,
            heartbeat_ms=round((self._relay_beat_s if relay else self.heartbeat_s) * 1000),
            confirm_spread_ms=confirm_spread_ms(len(self.connections)),
            server=self._server_id,
        )
        connection.send(encode_hello(hello))
        connection.cursor = begin.cursor
        if begin.claim is not None and self._on_claim is not None:
            self._on_claim(begin.claim)
        self.counts.opened[begin.outcome] += 1
        if self._max_age_s is not None:
            connection.expires_at = connection.opened_at + self._max_age_s * random.uniform(0.8, 1.0)  # noqa: S311
        self.connections.add(connection)
        if relay:
            self._relays.add(connection)
        if self._replica.emergencies:
            connection.send(encode_emergencies(self._replica.emergencies))
        self._catch_up(connection)
        self._beat(connection, time.monotonic())

    def leave(self, connection: Connection) -> None:
        """Forget a stream."""
        self.connections.discard(connection)
        self._relays.discard(connection)
        self._lagging.discard(connection)
        if not self.connections:
            self._empty.set()

    def end_streams_of(self, lost: Callable[[str], bool]) -> int:
        """End the streams opened with a key that is lost (by its id), and return how many there were."""
        ending = [connection for connection in self.connections if lost(connection.key_id)]
        for connection in ending:
            self._send_away(connection)
        return len(ending)

    async def drain(self, window_s: float) -> None:
        """Say goodbye to every stream, spread over at most `window_s`, and let it end."""
        leaving = list(self.connections)
        random.shuffle(leaving)
        pause_s = min(window_s, len(leaving) / GOODBYES_PER_S) / max(1, len(leaving))
        begun_at = time.monotonic()
        for number, connection in enumerate(leaving, start=1):
            self._send_away(connection)
            # By the clock, not by adding up pauses: each of those is a little longer than it was asked to be.
            await asyncio.sleep(max(0.0, begun_at + number * pause_s - time.monotonic()))
        if self.connections:
            # Each leaves when its reader has the last of it, or is made to after END_S.
            self._empty.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._empty.wait(), 2 * END_S)

    async def run(self) -> None:
        """Keep every connection up to date. Runs until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._fan_out(), name="fan-out")
            tasks.create_task(self._heartbeats(), name="heartbeats")
            tasks.create_task(self._laggards(), name="laggards")
            tasks.create_task(self._relay_heartbeats(), name="heartbeats for relays")

    def _catch_up(self, connection: Connection) -> None:
        """Bring one connection up to date by itself."""
        if not connection.writable or (connection.uninformed and self._announcements):
            # What it would be told now is newer than an announcement that may still be on its way to it.
            self._fall_behind(connection)
            return
        if connection.uninformed:
            connection.uninformed = False
            connection.send(encode_emergencies(self._replica.emergencies))
        missed = self._ring.after(connection.cursor, PIECE_BYTES) if connection.cursor else None
        if missed is None:
            connection.send(self._put_event())
            connection.cursor = self._replica.cursor
        elif missed[0]:
            connection.send(missed[0])
            self.counts.deliveries += 1
            connection.cursor = self._replica.cursor if missed[1] == self._replica.cursor else missed[1]
        else:
            connection.cursor = self._replica.cursor
        if connection.cursor is not self._replica.cursor or not connection.writable:
            self._fall_behind(connection)

    def _fall_behind(self, connection: Connection) -> None:
        if connection in self.connections:
            self._lagging.add(connection)
            self._lag.set()

    # The three loops.

    def _busy(self) -> bool:
        """Say whether there is anything that somebody has not been sent yet."""
        return bool(self._announcements) or self._round is not None or self._again

    async def _fan_out(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            while self._busy():
                if self._announcements:
                    self._announce_batch()
                else:
                    self._write_batch()
                await asyncio.sleep(0)

    def _announce_batch(self) -> None:
        """Write the announcement whose turn it is to the next connections: a kill waits for no other event."""
        announcement = self._announcements[0]
        visited = 0
        for connection in islice(announcement.waiting, BATCH):
            visited += 1
            if connection.writable:
                connection.send(announcement.event)
                announcement.told += 1
            else:
                connection.uninformed = True
            if not connection.writable:
                self._fall_behind(connection)
        if visited < BATCH:
            announcement.done = True
            self._announcements.popleft()

    def _write_batch(self) -> None:
        """Bring the next connections of a round up to date: the same bytes to all that are at the same place.

        Whatever a connection needs beyond that is left to `_catch_up`. This loop is most of what a fan-out costs
        besides the kernel, hence the plain attributes, and the look at the last place before the dict.
        """
        if self._round is None:
            self._again = False
            self._round = iter(list(self.connections))
        target = self._replica.cursor
        chunks: dict[Cursor, bytes | None] = {}
        place: Cursor | None = None
        chunk: bytes | None = None
        visited = delivered = 0
        for connection in islice(self._round, BATCH):
            visited += 1
            cursor = connection.cursor
            if cursor is target or not connection.open:
                continue
            if cursor is not place and cursor is not None:
                if cursor not in chunks:
                    missed = self._ring.since(cursor)
                    chunks[cursor] = frame(b"".join(missed)) if missed else None
                place, chunk = cursor, chunks[cursor]
            if cursor is None or chunk is None or not connection.writable or not connection.chunked:
                self._catch_up(connection)
                continue
            connection.write(chunk)
            connection.cursor = target
            delivered += 1
        self.counts.deliveries += delivered
        if visited < BATCH:
            self._round = None

    async def _heartbeats(self) -> None:
        """Every stream has its own beat, counted from its opening: they are spread by themselves."""
        while True:
            now = time.monotonic()
            beaten = 0
            if self._busy() and self._beats and now - self._beats[0].beats_at < BEAT_DELAY * self.heartbeat_s:
                await asyncio.sleep(BEAT_GRAIN_S)
                continue
            while self._beats and self._beats[0].beats_at <= now and beaten < BATCH:
                connection = self._beats.popleft()
                if connection.open:
                    self._beat(connection, now)
                beaten += 1
            due_s = self._beats[0].beats_at - now if self._beats else self.heartbeat_s
            await asyncio.sleep(0 if beaten == BATCH else max(BEAT_GRAIN_S, min(due_s, self.heartbeat_s)))

    def _send_away(self, connection: Connection) -> None:
        if connection.writable:
            connection.send(encode_goodbye(random.randrange(100, 1000)))  # noqa: S311 - jitter
        connection.finish()

    def _beat(self, connection: Connection, now: float) -> None:
        if now >= connection.expires_at:
            self._send_away(connection)
            return
        due_at = connection.beats_at + self.heartbeat_s  # so that those which were late together do not stay together
        connection.beats_at = due_at if due_at > now else now + self.heartbeat_s
        self._beats.append(connection)
        self._prove(connection, now)

    async def _relay_heartbeats(self) -> None:
        """Beat more often for the few streams of relays, beside the beat that all have."""
        while True:
            await asyncio.sleep(self._relay_beat_s)
            now = time.monotonic()
            for connection in list(self._relays):
                self._prove(connection, now)

    def _prove(self, connection: Connection, now: float) -> None:
        """Say how current the state is, to a stream that has it."""
        if not connection.idle():
            self._fall_behind(connection)
        if connection.cursor is not self._replica.cursor or not connection.writable:
            # A cursor beyond the client's own would mean a loss, so one that is behind hears no heartbeat.
            return
        assert connection.cursor is not None
        proven_at = self._follower.proven_at
        proven_ms = None if proven_at is None else floor((proven_at - connection.opened_at) * 1000)
        connection.send(encode_sync(connection.cursor, proven_ms, degraded=self._follower.degraded(now)))

    async def _laggards(self) -> None:
        """Look after the few connections that are behind; asleep when there are none."""
        while True:
            await self._lag.wait()
            now = time.monotonic()
            for number, connection in enumerate(list(self._lagging), start=1):
                self._look_after(connection, now)
                if number % BATCH == 0:
                    await asyncio.sleep(0)
            if not self._lagging:
                self._lag.clear()
            await asyncio.sleep(LAGGARD_CHECK_S)

    def _look_after(self, connection: Connection, now: float) -> None:
        connection.pump()
        if not connection.open:
            self._lagging.discard(connection)  # it is on its way out
        elif connection.stuck_s(now) > self.stuck_s:
            connection.abort()
            self.leave(connection)
            self.counts.let_go += 1
        elif connection.idle():
            self._lagging.discard(connection)
            if connection.uninformed or connection.cursor is not self._replica.cursor:
                self._catch_up(connection)
