"""An app process with a client in it: the shell around `Supervisor`, as `wigwag_proto.http_feed_io` is one."""

from collections.abc import Sequence

from tests.simulation.clock import Process, Timer
from tests.simulation.disk import Disk, DiskCopy
from tests.simulation.network import Pipe, Unreachable
from tests.simulation.server import Server
from tests.simulation.world import World
from wigwag_proto.codec import decode
from wigwag_proto.commit import Cursor
from wigwag_proto.errors import Malformed
from wigwag_proto.events import decode_event
from wigwag_proto.snapshot import snapshot_from_plain
from wigwag_proto.sse import SseParser
from wigwag_proto.supervisor import (
    Action,
    CloseStream,
    Committed,
    EmergenciesChanged,
    Event,
    Failure,
    FetchSnapshot,
    Loaded,
    OpenStream,
    SnapshotArrived,
    SnapshotFailed,
    Start,
    StreamClosed,
    StreamSaid,
    Tick,
)

REQUEST_TIMEOUT_S = 10.0
SAVE_SPACING_S = 1.0


class Client:
    """One app. Each request goes to whichever server the load balancer picks."""

    def __init__(self, world: World, name: str, servers: Sequence[Server]) -> None:
        self.name = name
        self.disk = Disk()
        self.servers = servers
        self._world = world

    def start(self) -> None:
        """Start the process on what is on the disk."""
        world = self._world
        self.process: Process = world.process(self.name)
        self.replica = world.parts.client_replica()
        self.supervisor = world.parts.supervisor(self.replica)
        self.streams: dict[int, Pipe[bytes] | None] = {}
        self._timer: Timer | None = None
        self._copy = DiskCopy(self.process, self.disk, self.replica.snapshot, world.rng, spacing_s=SAVE_SPACING_S)
        world.checks.client_started(self.name)
        if self.disk.snapshot is not None and self.replica.load(self.disk.snapshot):
            world.checks.client_moved(self.name, self.replica, None)
        self._handle(Start())

    def crash(self) -> None:
        """Kill the process."""
        self.process.kill()
        for pipe in self.streams.values():
            if pipe is not None:
                pipe.give_up()

    def _handle(self, event: Event) -> None:
        for action in self.supervisor.step(event, self.process.now, self._world.rng):
            self._do(action)
        self._world.checks.client_stepped(self.name, self.process, self.replica, self.supervisor.proven_at)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if (wake_at := self.supervisor.wake_at) is not None:
            self._timer = self.process.later(max(0.0, wake_at - self.process.now), lambda: self._handle(Tick()))

    def _do(self, action: Action) -> None:
        match action:
            case FetchSnapshot(request, cursor):
                self.process.start(self._fetch(request, cursor))
            case OpenStream(stream, cursor):
                self.streams[stream] = None
                self.process.start(self._stream(stream, cursor))
            case CloseStream(stream):
                if (pipe := self.streams.pop(stream, None)) is not None:
                    pipe.give_up()
            case Loaded():
                self._world.trace(self.name, "loaded", self.replica.cursor)
                self._world.checks.client_moved(self.name, self.replica, None)
                self._copy.changed()
            case Committed(commit):
                self._world.trace(self.name, "applied", commit.revision, commit.head)
                self._world.checks.client_moved(self.name, self.replica, commit)
                self._copy.changed()
            case EmergenciesChanged():
                pass

    def _pick(self) -> Server:
        return self.servers[self._world.rng.randrange(len(self.servers))]

    async def _fetch(self, request: int, cursor: Cursor | None) -> None:
        sent_at, server = self.process.now, self._pick()
        try:
            answer = await self._world.network.call(
                self.process, self.name, server.host, lambda: server.snapshot(cursor), timeout_s=REQUEST_TIMEOUT_S
            )
            snapshot = None if answer.body is None else snapshot_from_plain(decode(answer.body))
        except Unreachable as error:
            self._handle(SnapshotFailed(request, failure(error)))
        except Malformed as error:
            self._handle(SnapshotFailed(request, Failure(str(error))))
        else:
            self._handle(SnapshotArrived(request, snapshot, answer.age_s, sent_at))

    async def _stream(self, stream: int, cursor: Cursor | None) -> None:
        sent_at, server, world = self.process.now, self._pick(), self._world
        process, streams = self.process, self.streams  # of this incarnation: what comes late is for nobody else
        parser = SseParser()
        road = world.network.road(self.name, server.name)

        def say(chunk: bytes) -> None:
            events = parser.feed(chunk)
            at = self.process.now if world.parts.proof_by_receipt else sent_at
            for event in events:
                if stream not in streams:
                    return
                self._handle(StreamSaid(stream, decode_event(event), at))
            if not events and stream in streams:
                self._handle(StreamSaid(stream, None, at))

        def connect(server_process: Process) -> Pipe[bytes]:
            pipe = Pipe(world.network, road, (server_process, process), say, lambda why: self._ended(stream, why))
            world.faults.adorn(pipe)
            if stream in streams and process.alive:
                streams[stream] = pipe
            else:
                world.clock.at(world.clock.now, pipe.give_up)
            return pipe

        try:
            await world.network.call(
                process, self.name, server.host, lambda: server.stream(connect, cursor), timeout_s=60.0
            )
        except Unreachable as error:
            if self.streams.get(stream) is None:
                self._ended(stream, str(error))

    def _ended(self, stream: int, why: str) -> None:
        self.streams.pop(stream, None)
        self._handle(StreamClosed(stream, failure(Unreachable(why))))


def failure(error: Unreachable) -> Failure:
    """Return what a failed request looks like to the supervisor."""
    if str(error) == "503":
        return Failure("HTTP 503", status=503, retry_after_s=1.0)
    return Failure(str(error))
