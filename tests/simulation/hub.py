"""How a server writes to its streams, as `wigwag_server.hub.hub` does, event by event."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from tests.simulation.clock import Process
from tests.simulation.network import Pipe
from tests.simulation.world import World
from wigwag_proto.codec import encode
from wigwag_proto.commit import Commit, Cursor, Epoch
from wigwag_proto.events import Hello, encode_goodbye, encode_hello, encode_put, encode_sync
from wigwag_proto.follower import Follower
from wigwag_proto.snapshot import snapshot_to_plain
from wigwag_server.hub.resume import resume
from wigwag_server.hub.ring import Ring

HEARTBEAT_S = 5.0
FAN_OUT_S = (0.0, 0.001)
LAGGARD_CHECK_S = 0.02
STUCK_S = 15.0


@dataclass(eq=False)
class Connection:
    """An open stream. While it is choked its reader takes nothing."""

    pipe: Pipe[bytes]
    opened_at: float
    cursor: Cursor | None = None
    choked_until: float = 0.0
    lagging: bool = False


class Hub:
    """Fans one replica out to its connections."""

    def __init__(self, world: World, process: Process, follower: Follower, on_claim: Callable[[Cursor], None]) -> None:
        self.connections: dict[Connection, None] = {}
        self._world = world
        self._process = process
        self._follower = follower
        self._replica = follower.replica
        self._on_claim = on_claim
        self._ring = Ring(world.ring_bytes)
        self._rng: Random = world.rng
        self._fanning_out = False

    def loaded(self) -> None:
        """Take note that the replica was replaced as a whole."""
        assert self._replica.cursor is not None
        self._ring.restart(self._replica.cursor)
        self._news()

    def committed(self, epoch: Epoch, commit: Commit) -> None:
        """Take note of a commit that the replica has applied."""
        self._ring.append(epoch, commit)
        self._news()

    def snapshot_json(self) -> bytes:
        """Return the state as JSON."""
        return encode(snapshot_to_plain(self._replica.snapshot()))

    def join(self, pipe: Pipe[bytes], opened_at: float, last_event_id: str | None) -> None:
        """Greet a new stream, send what it is missing, and keep it up to date from now on."""
        connection = Connection(pipe, opened_at)
        begin = resume(self._replica, self._ring, last_event_id)
        hello = Hello(outcome=begin.outcome, cause=begin.cause, heartbeat_ms=round(HEARTBEAT_S * 1000))
        pipe.send(encode_hello(hello))
        connection.cursor = begin.cursor
        if begin.claim is not None:
            self._on_claim(begin.claim)
        self.connections[connection] = None
        pipe.on_reset = lambda: self._leave(connection)
        self._catch_up(connection)
        self._beat(connection)

    def _leave(self, connection: Connection) -> None:
        self.connections.pop(connection, None)

    def drain(self) -> None:
        """Say goodbye to every stream."""
        for connection in list(self.connections):
            if self._writable(connection) and self._rng.random() < 0.8:
                connection.pipe.send(encode_goodbye(self._rng.randrange(100, 1000)))
            connection.pipe.end("the server ended the stream")

    def choke(self, connection: Connection, until: float) -> None:
        """Let the reader of a stream take nothing for a while."""
        connection.choked_until = until

    def _news(self) -> None:
        if not self._fanning_out:
            self._fanning_out = True
            self._process.later(self._rng.uniform(*FAN_OUT_S), self._fan_out)

    def _fan_out(self) -> None:
        self._fanning_out = False
        for connection in list(self.connections):
            if connection.cursor is not self._replica.cursor:
                self._catch_up(connection)

    def _catch_up(self, connection: Connection) -> None:
        if not self._writable(connection):
            self._fall_behind(connection)
            return
        missed = self._ring.since(connection.cursor) if connection.cursor else None
        if missed is None:
            assert self._replica.cursor is not None
            connection.pipe.send(encode_put(self.snapshot_json(), self._replica.cursor))
        elif missed:
            connection.pipe.send(b"".join(missed))
        connection.cursor = self._replica.cursor

    def _writable(self, connection: Connection) -> bool:
        return self._world.clock.now >= connection.choked_until

    def _fall_behind(self, connection: Connection) -> None:
        if not connection.lagging:
            connection.lagging = True
            wait_s = min(STUCK_S, connection.choked_until - self._world.clock.now) + LAGGARD_CHECK_S
            self._process.later(wait_s, lambda: self._look_after(connection))

    def _look_after(self, connection: Connection) -> None:
        connection.lagging = False
        if connection not in self.connections:
            return
        if not self._writable(connection):
            del self.connections[connection]
            connection.pipe.reset("let go: it took nothing")
        elif connection.cursor is not self._replica.cursor:
            self._catch_up(connection)

    def _beat(self, connection: Connection) -> None:
        if connection not in self.connections:
            return
        self._process.later(HEARTBEAT_S, lambda: self._beat(connection))
        if connection.cursor is not self._replica.cursor or not self._writable(connection):
            return
        assert connection.cursor is not None
        proven_at = self._follower.proven_at
        proven_ms = None if proven_at is None else round((proven_at - connection.opened_at) * 1000)
        degraded = self._follower.degraded(self._process.now)
        connection.pipe.send(encode_sync(connection.cursor, proven_ms, degraded=degraded))
