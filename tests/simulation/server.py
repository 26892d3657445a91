"""A server: the place, its disk, and the process that runs there, or does not."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.simulation.clock import Process
from tests.simulation.commands import Command
from tests.simulation.disk import Disk
from tests.simulation.environment import Environment
from tests.simulation.network import Host, Pipe, Unreachable
from tests.simulation.world import World
from wigwag_proto.commit import Cursor
from wigwag_proto.errors import StoreUnavailable

PATIENCE_S = 5.0


@dataclass(frozen=True, slots=True)
class SnapshotAnswer:
    """What `GET /v1/snapshot` says; no body where the client has it (304)."""

    body: bytes | None
    age_s: float | None


class Server:
    """One machine with a server on it."""

    def __init__(self, world: World, name: str, wall_offset_s: float) -> None:
        self.name = name
        self.host = Host(name)
        self.disk = Disk()
        self.wall_offset_s = wall_offset_s
        self.environment: Environment | None = None
        self.up_since = 0.0
        self.serving = False
        self._world = world

    def start(self) -> None:
        """Start the process on what is on the disk."""
        world = self._world
        process = self.host.process = world.process(self.name)
        self.up_since = world.clock.now
        environment = world.parts.environment or Environment
        self.environment = environment(world, self.name, process, self.disk, self.wall_offset_s)
        world.trace(self.name, "starts with", self.disk.snapshot and self.disk.snapshot.cursor)
        self.environment.open()
        process.start(self._serve(process, self.environment))

    async def _serve(self, process: Process, environment: Environment) -> None:
        await environment.wait_for_proof(PATIENCE_S)
        if process is self.host.process:
            self.serving = True

    def crash(self) -> None:
        """Kill the process: its sockets are closed by the kernel, its memory is gone."""
        process, environment = self.host.process, self.environment
        if process is None or environment is None:
            return
        process.kill()
        for connection in list(environment.hub.connections):
            connection.pipe.reset("the server is gone")
        self.host.process = self.environment = None
        self.serving = False
        self._world.trace(self.name, "is dead, with", self.disk.snapshot and self.disk.snapshot.cursor, "on disk")
        self._world.checks.server_died(self.name)

    def snapshot(self, etag: Cursor | None) -> SnapshotAnswer:
        """Answer `GET /v1/snapshot`."""
        environment = self._serving()
        now, proven_at = self._now, environment.follower.proven_at
        age_s = None if proven_at is None else max(0, round((now - proven_at) * 1000)) / 1000
        if etag is not None and str(etag) == str(environment.replica.cursor):
            return SnapshotAnswer(None, age_s)
        return SnapshotAnswer(environment.hub.snapshot_json(), age_s)

    def stream(self, connect: Callable[[Process], Pipe[bytes]], last_event_id: Cursor | None) -> None:
        """Answer `GET /v1/stream`."""
        opened_at, environment = self._now, self._serving()
        assert self.host.process is not None
        pipe = connect(self.host.process)
        environment.hub.join(pipe, opened_at, str(last_event_id) if last_event_id else None)

    async def operate(self, command: Command) -> None:
        """Carry out what an operator asks for; what is acknowledged is promised from then on."""
        world, environment = self._world, self.environment
        assert environment is not None
        world.trace(self.name, "is asked for", command)
        try:
            cursor = await environment.commit(command, command.name)
        except StoreUnavailable as error:
            world.trace(self.name, "refuses", command.name, error)
            return
        if cursor.head not in world.checks.heads.get(command.name, ()):
            return  # nothing to do: nothing is promised
        world.trace(self.name, "acknowledges", command.name, cursor)
        world.checks.acknowledged(self, command, cursor)

    @property
    def _now(self) -> float:
        assert self.host.process is not None
        return self.host.process.now

    def _serving(self) -> Environment:
        environment = self.environment
        if environment is None or not self.serving or environment.replica.cursor is None:
            raise Unreachable("503")
        return environment
