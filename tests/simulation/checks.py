"""What must hold, at every step and in the end.

**When an acknowledged commit may be lost.** Only if the store came back without it, and in all the time from then
until it was settled what the state is, no server that held it was up and had an undisturbed road to the store; for a
server holds it in its memory or on its disk and offers it as soon as it can reach the store. (In particular: when
all copies were destroyed.) Everything else that is lost is a violation.

**When an acknowledged kill that nobody revived may be out of force.** Only if it was lost in that way, and each
server that held it then died before it had put the kill back, its disk no longer holding it: a server that comes back
with a copy of an overruled history applies its kills again.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.simulation.clock import Process
from tests.simulation.commands import Command, Kill, Revive
from tests.simulation.truth import State, Violation, filled
from wigwag_proto.commit import Commit, Cursor
from wigwag_proto.follower import Follower
from wigwag_proto.replica import Replica

if TYPE_CHECKING:
    from tests.simulation.server import Server
    from tests.simulation.world import World


@dataclass(slots=True)
class Promise:
    """A command that was acknowledged, and the state that it led to."""

    command: Command
    state: State


@dataclass(slots=True)
class Checks:
    """Looks at everything, changes nothing."""

    world: "World"
    servers: "list[Server]" = field(default_factory=list)
    promises: list[Promise] = field(default_factory=list)
    heads: dict[str, list[str]] = field(default_factory=dict)  # of the commits that a command was offered as
    names: dict[str, str] = field(default_factory=dict)  # of the commands, by the heads of their commits
    carriers: dict[int, set[str]] = field(default_factory=dict)  # of lost states: who can still put their kills back
    lost: int = 0  # states that were lost although somebody had been told of them, all excused
    acknowledgements: int = 0
    _named: int = 0
    _clients: dict[str, Cursor | None] = field(default_factory=dict)
    _proofs: dict[str, tuple[float | None, Cursor | None]] = field(default_factory=dict)

    # Clients.

    def client_started(self, name: str) -> None:
        """A new process begins a new walk."""
        self._clients[name] = None
        self._proofs.pop(name, None)

    def client_moved(self, name: str, replica: Replica, commit: Commit | None) -> None:
        """Check the step of a client's walk: by `commit`, or by loading a whole state."""
        before, now = self._clients[name], replica.cursor
        assert now is not None
        self.world.truth.state(name, now, replica.records)
        if before is not None:
            if commit is not None and (before.epoch, before.revision + 1, before.head) != (
                now.epoch,
                now.revision,
                commit.prev,
            ):
                raise Violation(f"{name} went from {before} to {now} by one commit: there is a gap")
            if now.rank <= before.rank:
                raise Violation(f"{name} went back from {before} to {now}")
            if now.revision == 0 < before.revision:
                raise Violation(f"{name} took an empty state {now} for the truth after {before}")
        self._clients[name] = now

    def client_stepped(self, name: str, process: Process, replica: Replica, proven_at: float | None) -> None:
        """Check that a client has told of every step, and what it claims to know."""
        if replica.cursor != self._clients[name]:
            raise Violation(f"{name} moved from {self._clients[name]} to {replica.cursor} without a word")
        self._check_proof(name, process, replica, proven_at)

    # Servers.

    def server_stepped(self, name: str, process: Process, follower: Follower) -> None:
        """Check what a server holds and claims to know."""
        self._check_proof(name, process, follower.replica, follower.proven_at)

    def server_died(self, name: str) -> None:
        """Note which kills this server can no longer put back: those that its disk does not hold either."""
        on_disk = self._on_disk(name)
        for index, carriers in self.carriers.items():
            if on_disk is None or not on_disk.lineage >> index & 1:
                carriers.discard(name)

    def store_settled(self, cursor: Cursor) -> None:
        """Check, when it is settled what the state is, that nothing was left out that could have been put back."""
        truth, now = self.world.truth, self.world.truth.by_cursor[cursor]
        before = truth.last
        if before is None or now.holds(before):
            return
        gone = before.lineage & ~now.lineage
        while gone:
            index = gone.bit_length() - 1
            gone ^= 1 << index
            self._lost(truth.states[index])

    def _lost(self, state: State) -> None:
        world = self.world
        carriers = self.carriers[state.index] = set()
        state.lost_without_excuse = None
        store = world.store_host.process
        assert store is not None
        for server in self.servers:
            memory, disk = self._in_memory(server.name), self._on_disk(server.name)
            if any(held is not None and held.holds(state) for held in (memory, disk)):
                carriers.add(server.name)
            if memory is None or not memory.holds(state) or server.host.process is None:
                continue
            since = world.store.came_up_at
            road = world.network.road(server.name, "store")
            disturbed_until = max(
                road.disturbed_until, server.up_since, server.host.process.frozen_until, store.frozen_until
            )
            if not road.busy and disturbed_until < since:
                state.lost_without_excuse = (
                    f"{server.name} held it and could reach the store from {since:.3f} to {world.clock.now:.3f}"
                )
        world.trace("store", "LOST", state.cursor, "held by", sorted(carriers), state.lost_without_excuse or "excused")

    # Promises.

    def new_name(self, what: str) -> str:
        """Name a command."""
        self._named += 1
        return f"{what}{self._named}"

    def proposed(self, name: str, commit: Commit) -> None:
        """Note as which commit a command was offered."""
        self.heads.setdefault(name, []).append(commit.head)
        self.names[commit.head] = name

    def acknowledged(self, server: "Server", command: Command, cursor: Cursor) -> None:
        """Note a promise, and check that it was given rightly: in the store, and on this server's disk."""
        state = self.world.truth.by_cursor.get(cursor)
        if state is None:
            raise Violation(f"{server.name} acknowledged {command}, which the store never took")
        on_disk = self._on_disk(server.name)
        assert self.world.truth.last is not None
        if self.world.truth.last.holds(state) and not (on_disk and on_disk.holds(state)):
            raise Violation(f"{server.name} acknowledged {command} before it was on its disk")
        self.promises.append(Promise(command, state))
        self.acknowledgements += 1

    # The end.

    def check_end(self) -> None:
        """Check what must be so when all faults are over and everybody has had time."""
        last = self.world.truth.last
        assert last is not None
        self._check_nothing_twice(last)
        for promise in self.promises:
            if last.holds(promise.state):
                continue
            if promise.state.index not in self.carriers:
                raise Violation(
                    f"{promise.command} was acknowledged at {promise.state.cursor} and is not in {last.cursor}"
                )
            if promise.state.lost_without_excuse is not None:
                why = promise.state.lost_without_excuse
                raise Violation(f"{promise.command}, acknowledged at {promise.state.cursor}, was lost although {why}")
            self.lost += 1
            if isinstance(promise.command, Kill):
                self._check_killed_again(promise, last)

    def _check_nothing_twice(self, last: State) -> None:
        seen: dict[str, Cursor] = {}
        for state in lineage(last):
            name = self.names.get(state.commit.head) if state.commit else None
            if name is not None and name in seen:
                raise Violation(f"{name} was carried out twice, at {seen[name]} and at {state.cursor}")
            if name is not None:
                seen[name] = state.cursor

    def _check_killed_again(self, promise: Promise, last: State) -> None:
        """A kill that was overruled is in force again, or was then revived, or nobody was left who knew of it.

        It does not come back with a flag that the store's history did not have, and that somebody has made anew.
        """
        assert isinstance(promise.command, Kill)
        if not self.carriers[promise.state.index]:
            return
        for key in promise.command.keys:
            if promise.state.records["flag"][key]["kill"] != promise.command.name:
                continue
            flag = last.records.get("flag", {}).get(key)
            if flag is None or flag["kill"] is not None or self._revived(key, promise.state, last):
                continue
            if any(key not in each.records.get("flag", {}) for each in lineage(last) if not promise.state.holds(each)):
                continue
            raise Violation(
                f"{promise.command} was overruled and {key} is not killed again, although "
                f"{sorted(self.carriers[promise.state.index])} knew of it"
            )

    def _revived(self, key: str, state: State, last: State) -> bool:
        """Say whether somebody revived the flag, in the history that was overruled or in the one that went on."""
        overruled = [each for each in self.world.truth.states if each.holds(state)]
        went_on = [each for each in lineage(last) if not state.holds(each)]
        return any(
            change.key == key and change.value["kill"] is None and self._is_revival(each)
            for each in (*overruled, *went_on)
            if each.commit is not None
            for change in each.commit.changes
        )

    def _is_revival(self, state: State) -> bool:
        assert state.commit is not None
        return self.names.get(state.commit.head, "").startswith(Revive.__name__.lower())

    # What somebody holds.

    def _in_memory(self, name: str) -> State | None:
        environment = next(each for each in self.servers if each.name == name).environment
        cursor = environment.replica.cursor if environment else None
        return self.world.truth.by_cursor.get(cursor) if cursor else None

    def _on_disk(self, name: str) -> State | None:
        snapshot = next(each for each in self.servers if each.name == name).disk.snapshot
        return self.world.truth.by_cursor.get(snapshot.cursor) if snapshot else None

    def _check_proof(self, name: str, process: Process, replica: Replica, proven_at: float | None) -> None:
        if self._proofs.get(name) == (proven_at, replica.cursor):
            return
        self._proofs[name] = proven_at, replica.cursor
        if replica.cursor is None:
            if proven_at is not None:
                raise Violation(f"{name} holds nothing and claims to be current")
            return
        state = self.world.truth.by_cursor.get(replica.cursor)
        if state is None:
            raise Violation(f"{name} holds {replica.cursor}, a state that the store never was in")
        if proven_at is not None:
            self.world.truth.check_proof(name, state, proven_at - process.monotonic_offset)


def lineage(state: State | None) -> list[State]:
    """Return a state and all that it descends from."""
    states = []
    while state is not None:
        states.append(state)
        state = state.parent
    return states


def same_records(one: Replica, other: State) -> bool:
    """Say whether a replica holds the records of a state."""
    return filled(one.records) == other.records
