"""One seed from beginning to end: a world is built, things go wrong in it, and then everything must be right."""

import hashlib
import traceback
from dataclasses import dataclass

from tests.simulation.checks import same_records
from tests.simulation.client import Client
from tests.simulation.clock import Process
from tests.simulation.commands import Command, Edit, Kill, Revive
from tests.simulation.faults import LATE_S, Faults
from tests.simulation.server import Server
from tests.simulation.truth import Violation
from tests.simulation.world import Parts, World
from wigwag_proto.follower import Standing

KEYS = ("checkout", "search", "banner")
CONVERGED_WITHIN_S = 300.0
AS_BUILT = Parts()


@dataclass(frozen=True)
class Report:
    """What came of one seed."""

    seed: int
    violation: str | None
    steps: int
    virtual_s: float
    acknowledged: int
    lost: int
    trace: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """Stands for the whole trace."""
        return hashlib.sha256("\n".join(self.trace).encode()).hexdigest()


class Simulation:
    """A world with servers, clients and operators in it."""

    def __init__(self, seed: int, parts: Parts = AS_BUILT, *, tracing: bool = False) -> None:
        self.world = world = World(seed, parts, tracing)
        rng = world.rng
        skew_s = rng.choice((0.0, 0.0, 5.0, 3600.0))
        self.servers = [
            Server(world, f"server{n}", rng.uniform(-skew_s, skew_s)) for n in range(rng.choice((1, 2, 2, 3)))
        ]
        self.clients = [Client(world, f"client{n}", self.servers) for n in range(rng.randint(1, 4))]
        self.faults = world.faults = Faults(world, self.servers, self.clients)
        world.checks.servers = self.servers
        world.store.on_settled = world.checks.store_settled
        self.operators = Process(world.clock, "operators")
        self.edit_pause_s = rng.choice((0.2, 1.0, 4.0))
        self.faults_s = rng.uniform(10.0, 40.0)

    def run(self) -> Report:
        """Run to the end, or to the first violation."""
        violation = None
        try:
            self._run()
        except Violation as error:
            violation = str(error)
        except Exception as error:  # noqa: BLE001 - whatever the code under test raises, its seed is worth knowing
            violation = traceback.format_exc() if self.world.tracing else f"{type(error).__name__}: {error}"
        world = self.world
        return Report(
            seed=world.seed,
            violation=violation,
            steps=world.clock.steps,
            virtual_s=world.clock.now,
            acknowledged=world.checks.acknowledgements,
            lost=world.checks.lost,
            trace=tuple(world.lines),
        )

    def _run(self) -> None:
        world, clock = self.world, self.world.clock
        world.store_host.process = world.process("store")
        world.store.come_up(world.store.disk)
        clock.run_until(world.rng.choice((0.0, 12.0)))
        for server in self.servers:
            clock.at(clock.now + world.rng.uniform(0.0, 1.0), lambda server=server: server.start())  # type: ignore[misc]
        for client in self.clients:
            client.start()
        clock.run_until(clock.now + 6.0)
        self._edit()
        self.faults.start()
        clock.run_until(clock.now + self.faults_s)
        self.faults.stop()
        world.trace("faults", "are over")
        clock.run_until(clock.now + LATE_S)
        self._wait_for_agreement("the faults were over")
        self._last_edits()
        self._wait_for_agreement("the last edits were made")
        world.checks.check_end()

    # Operators.

    def _edit(self) -> None:
        if self.faults.over or self.faults.stranded:
            return
        rng = self.world.rng
        server = self.servers[rng.randrange(len(self.servers))]
        if server.host.process is not None and server.host.up:
            server.host.process.start(server.operate(self._command()))
        self.operators.later(rng.expovariate(1 / self.edit_pause_s), self._edit)

    def _command(self) -> Command:
        rng, name = self.world.rng, self.world.checks.new_name
        key = KEYS[rng.randrange(len(KEYS))]
        what = rng.random()
        if what < 0.5:
            return Edit(name("edit"), key)
        if what < 0.75:
            return Kill(name("kill"), (key,))
        if what < 0.8:
            return Kill(name("kill"), KEYS)
        return Revive(name("revive"), key)

    def _last_edits(self) -> None:
        """With no faults, an edit through any server is acknowledged."""
        clock, checks = self.world.clock, self.world.checks
        for server in self.servers:
            before = checks.acknowledgements
            assert server.host.process is not None
            server.host.process.start(server.operate(Edit(checks.new_name("edit"), KEYS[0])))
            clock.run_until(clock.now + 1.0)
            if checks.acknowledgements == before:
                raise Violation(f"{server.name} does not take an edit although nothing is wrong any more")

    # Agreement.

    def _wait_for_agreement(self, since: str) -> None:
        clock, began = self.world.clock, self.world.clock.now
        while (missing := self._disagreement(began)) is not None:
            if clock.now - began > CONVERGED_WITHIN_S:
                raise Violation(f"{CONVERGED_WITHIN_S:g} s after {since}: {missing}")
            clock.run_until(clock.now + 1.0)

    def _disagreement(self, since: float) -> str | None:
        """Say who is not where the store is, or does not know that he is."""
        truth, store = self.world.truth.last, self.world.store
        if truth is None or not store.head().settled or store.disk.cursor != truth.cursor:
            return f"the store is at {store.disk.cursor} and not settled"
        for server in self.servers:
            environment = server.environment
            if environment is None or environment.replica.cursor != truth.cursor:
                return f"{server.name} is at {environment and environment.replica.cursor}, the store at {truth.cursor}"
            if environment.follower.standing is not Standing.FOLLOWED or environment.degraded:
                return f"{server.name} is degraded: {environment.follower.standing}"
            if environment.owed_kills:
                return f"{server.name} has not put the kills back that were lost: {environment.owed_kills}"
            if not same_records(environment.replica, truth):
                return f"{server.name} holds other records than the store"
        # An empty log of another history is no reason for a client to let go of what it has: only a commit is.
        for client in self.clients if truth.cursor.revision > 0 else []:
            proven_at = client.supervisor.proven_at
            if client.replica.cursor != truth.cursor or not same_records(client.replica, truth):
                return f"{client.name} is at {client.replica.cursor}, the store at {truth.cursor}"
            if proven_at is None or proven_at - client.process.monotonic_offset < since:
                return f"{client.name} does not know that it is current"
        return None


def simulate(seed: int, parts: Parts = AS_BUILT, *, tracing: bool = False) -> Report:
    """Run one seed."""
    return Simulation(seed, parts, tracing=tracing).run()
