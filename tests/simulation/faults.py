"""What goes wrong, and when. Each seed has a weather of its own: some sorts of faults, not all.

(With all sorts at once, one of them hides what another would show: "swarm testing", Groce et al., ISSTA 2012.)
"""

from collections.abc import Callable, Sequence
from typing import Any

from tests.simulation.client import Client
from tests.simulation.network import QUICK_S, AnyPipe, Road
from tests.simulation.server import Server
from tests.simulation.store_model import Disk
from tests.simulation.world import World

LATE_S = 9.0  # nothing that was lost on a road comes later than this after the road was mended
DUMP_EVERY_S = 0.6
DUMPS = 50


class Faults:
    """Makes things go wrong until it is told to stop."""

    def __init__(self, world: World, servers: Sequence[Server], clients: Sequence[Client]) -> None:
        self.world = world
        self.servers = servers
        self.clients = clients
        self.over = False
        self.repeats = 0.0
        self._rng = world.rng
        self.stranded = False
        self._dumps: list[Disk] = []
        self._roads: dict[int, Road] = {}
        menu: list[Callable[[], None]] = [
            self.cut_store_road,
            self.slow_store_road,
            self.lossy_store_road,
            self.repeating_store_road,
            self.cut_client_road,
            self.slow_client_road,
            self.reset_stream,
            self.darken_stream,
            self.choke_stream,
            self.mute_feed,
            self.break_feed,
            self.crash_server,
            self.crash_server_and_disk,
            self.drain_server,
            self.crash_store,
            self.empty_store,
            self.roll_store_back,
            self.freeze,
            self.crash_client,
        ]
        share = self._rng.choice((0.15, 0.4))
        self.menu = [each for each in menu if self._rng.random() < share] or [self.roll_store_back, self.crash_server]
        if world.parts.weather:
            self.menu = [each for each in (*menu, self.strand_server) if each.__name__ in world.parts.weather]
        self.pause_s = self._rng.choice((0.3, 1.0, 3.0))

    def start(self) -> None:
        """Begin."""
        if self._rng.random() < 0.2:
            self.repeats = 0.2
        self.world.trace("faults", "menu:", *(each.__name__ for each in self.menu))
        self._next()
        self._dump()

    def stop(self) -> None:
        """Mend everything. Half-open connections stay: nobody has told anybody of them."""
        world = self.world
        self.over = True
        self.repeats = 0.0
        for road in self._roads.values():
            self._mend(road)
        for pipe in world.feeds.values():
            pipe.silent_loss = 0.0
        for process in self._processes():
            process.frozen_until = min(process.frozen_until, world.clock.now)
            process.thaw()
        if not world.store_host.up:
            self._store_up(world.store.disk)
        for server in self.servers:
            if not server.host.up:
                server.start()

    def adorn(self, pipe: AnyPipe) -> None:
        """Give a new stream what the weather has for it."""
        pipe.repeats = self.repeats

    def _next(self) -> None:
        if not self.over:
            self._rng.choice(self.menu)()
            self._later(self._rng.expovariate(1 / self.pause_s), self._next)

    def _later(self, delay_s: float, run: Callable[[], None]) -> None:
        self.world.clock.at(self.world.clock.now + delay_s, run)

    def _log(self, *what: Any) -> None:
        self.world.trace("faults", *what)

    # Roads.

    def cut_store_road(self) -> None:
        """No server, or one, reaches the store for a while."""
        for server in self._some(self.servers):
            self._trouble(server.name, "store", "cut", cut=True)

    def slow_store_road(self) -> None:
        """What goes to the store takes its time, sometimes longer than anybody waits."""
        self._trouble(
            self._one(self.servers).name, "store", "slow", latency_s=(0.01, self._rng.choice((0.1, 0.6, 1.2)))
        )

    def lossy_store_road(self) -> None:
        """Requests and answers are lost, or late."""
        self._trouble(self._one(self.servers).name, "store", "lossy", loss=self._rng.choice((0.1, 0.4)))

    def repeating_store_road(self) -> None:
        """Something between server and store sends requests again."""
        self._trouble(self._one(self.servers).name, "store", "repeating", twice=0.5)

    def cut_client_road(self) -> None:
        """Some clients do not reach a server."""
        server = self._one(self.servers)
        for client in self._some(self.clients):
            self._trouble(client.name, server.name, "cut", cut=True)

    def slow_client_road(self) -> None:
        """A client is far away."""
        client, server = self._one(self.clients), self._one(self.servers)
        self._trouble(client.name, server.name, "slow", latency_s=(0.01, self._rng.choice((0.5, 4.0))))

    def _trouble(self, one: str, other: str, what: str, **settings: Any) -> None:
        road = self.world.network.road(one, other)
        if road.busy:
            return
        road.busy = 1
        self._roads[id(road)] = road
        for name, value in settings.items():
            setattr(road, name, value)
        self._log(f"{one}-{other}", what)
        self._later(self._rng.choice((0.3, 2.0, 6.0, 18.0)) * self._rng.random(), lambda: self._mend(road))

    def _mend(self, road: Road) -> None:
        if road.busy:
            road.busy = 0
            road.cut, road.loss, road.twice, road.latency_s = False, 0.0, 0.0, QUICK_S
            road.disturbed_until = self.world.clock.now

    # Connections.

    def reset_stream(self) -> None:
        """A stream breaks, perhaps in the middle of an event."""
        if (pipe := self._stream()) is not None:
            self._log("resets a stream")
            pipe.reset("reset", self._rng.choice((None, b"event: patch\ndata: {", b"event: sync\n", b":")))

    def darken_stream(self) -> None:
        """A stream goes half-open."""
        if (pipe := self._stream()) is not None:
            self._log("darkens a stream")
            pipe.dark = True

    def choke_stream(self) -> None:
        """A reader takes nothing for a while."""
        environment = self._one(self.servers).environment
        if environment is not None and environment.hub.connections:
            connection = self._one(list(environment.hub.connections))
            self._log("chokes a stream")
            environment.hub.choke(connection, self.world.clock.now + self._rng.choice((0.1, 3.0, 20.0)))

    def mute_feed(self) -> None:
        """A subscription goes half-open, or lives and loses messages."""
        if self.world.feeds:
            pipe = self._one(list(self.world.feeds.values()))
            if self._rng.random() < 0.5:
                pipe.dark = True
            else:
                pipe.silent_loss = self._rng.choice((0.3, 1.0))
            self._log("mutes a feed")

    def break_feed(self) -> None:
        """The store ends a subscription."""
        if self.world.feeds:
            number = self._one(list(self.world.feeds))
            self.world.store.subscribers.pop(number, None)
            self._log("breaks a feed")
            self.world.feeds[number].reset("the store ended the subscription")

    def _stream(self) -> AnyPipe | None:
        pipes = [pipe for client in self.clients for pipe in client.streams.values() if pipe is not None]
        return self._one(pipes) if pipes else None

    # Processes.

    def crash_server(self) -> None:
        """A server dies and comes back with what its disk last held."""
        self._crash(self._one(self.servers))

    def crash_server_and_disk(self) -> None:
        """A server dies, and what comes back in its place has an empty disk."""
        server = self._one(self.servers)
        if server.host.up:
            server.disk.snapshot = None
            self._crash(server)

    def drain_server(self) -> None:
        """A server is restarted in good order."""
        server = self._one(self.servers)
        environment = server.environment
        if environment is not None:
            self._log("drains", server.name)
            server.serving = False
            environment.hub.drain()
            self._later(1.0, lambda: self._crash(server) if server.environment is environment else None)

    def _crash(self, server: Server) -> None:
        if server.host.up:
            server.crash()
            self._later(self._downtime_s(), lambda: self._restart(server))

    def _restart(self, server: Server) -> None:
        if not server.host.up:
            server.start()

    def crash_client(self) -> None:
        """An app restarts, with or without its disk."""
        client = self._one(self.clients)
        self._log("restarts", client.name)
        client.crash()
        if self._rng.random() < 0.3:
            client.disk.snapshot = None
        client.start()

    def freeze(self) -> None:
        """A process is suspended: its sockets take in what comes, and it finds all of it when it goes on."""
        process = self._one(self._processes())
        process.freeze(self.world.clock.now + self._rng.choice((0.5, 2.0, 20.0)) * self._rng.random())
        self._log("freezes", process.name, "until", process.frozen_until)

    def strand_server(self) -> None:
        """The store goes back while one server is cut off, and those who knew of what is lost die with their disks.

        Such a row of mishaps is rare, so it is here as one, once; it is not among what a seed may draw. Nobody edits
        after it: a later kill or revival would cover up what is lost.
        """
        stranded = self._one(self.servers)
        if self.stranded or len(self._dumps) < 6 or not stranded.host.up:
            return
        self.stranded = True
        self._trouble(stranded.name, "store", "cut", cut=True)
        for other in self.servers:
            if other is not stranded and other.host.up:
                other.disk.snapshot = None
                self._crash(other)
        self._store_down(self._one(self._dumps[-6:]).copy())

    # The store.

    def crash_store(self) -> None:
        """The store comes back as it was."""
        self._store_down(None)

    def empty_store(self) -> None:
        """The store comes back without anything."""
        self._store_down(Disk())

    def roll_store_back(self) -> None:
        """The store comes back as it was some time ago; or another takes its place that had lagged behind."""
        if self._dumps:
            recent = self._dumps[-6:] if self._rng.random() < 0.7 else self._dumps
            self._store_down(self._one(recent).copy())

    def _store_down(self, disk: Disk | None) -> None:
        world = self.world
        store = world.store_host.process
        if store is None or not store.alive:
            return
        self._log("the store dies")
        store.kill()
        for pipe in list(world.feeds.values()):
            pipe.reset("the store is gone")
        world.feeds.clear()
        world.store.subscribers.clear()
        if disk is not None:
            world.store.disk = disk
        self._later(self._downtime_s(), lambda: self._store_up(world.store.disk))

    def _store_up(self, disk: Disk) -> None:
        if not self.world.store_host.up:
            self._log("the store comes up with", disk.cursor)
            self.world.store_host.process = self.world.process("store")
            self.world.store.come_up(disk)

    def _dump(self) -> None:
        if not self.over:
            if self.world.store_host.up:
                self._dumps = [*self._dumps, self.world.store.disk.copy()][-DUMPS:]
            self._later(DUMP_EVERY_S, self._dump)

    # Draws.

    def _downtime_s(self) -> float:
        return self._rng.choice((0.0, 0.5, 3.0, 15.0)) * self._rng.random()

    def _processes(self) -> list[Any]:
        hosts = [self.world.store_host, *(server.host for server in self.servers)]
        return [host.process for host in hosts if host.process] + [client.process for client in self.clients]

    def _one(self, things: Sequence[Any]) -> Any:
        return things[self._rng.randrange(len(things))]

    def _some(self, things: Sequence[Any]) -> list[Any]:
        return list(things) if self._rng.random() < 0.3 else [self._one(things)]
