"""What really happened: every state that the store ever was in, how they descend from each other, and when."""

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Any

from wigwag_proto.commit import Commit, Cursor
from wigwag_proto.snapshot import Tables


class Violation(AssertionError):
    """The simulation has seen something that must never be."""


@dataclass(slots=True)
class State:
    """A state that the store was in. `lineage` has a bit for itself and for each state that it descends from."""

    index: int
    cursor: Cursor
    parent: "State | None"
    lineage: int
    records: dict[str, dict[str, Any]]
    commit: Commit | None = None
    lost_without_excuse: str | None = None

    def holds(self, other: "State") -> bool:
        """Say whether everything of `other` is in this one."""
        return bool(self.lineage >> other.index & 1)


@dataclass(slots=True)
class Truth:
    """The states by their cursors, and which one was in force when. A store that is not settled has none in force."""

    states: list[State] = field(default_factory=list)
    by_cursor: dict[Cursor, State] = field(default_factory=dict)
    times: list[float] = field(default_factory=list)
    in_force: list[State] = field(default_factory=list)

    def note(self, cursor: Cursor, parent: State | None, records: Tables, commit: Commit | None = None) -> State:
        """Take note of a state, which may have been there before."""
        known = self.by_cursor.get(cursor)
        if known is None:
            known = State(
                index=len(self.states),
                cursor=cursor,
                parent=parent,
                lineage=(parent.lineage if parent else 0) | 1 << len(self.states),
                records=copied(records),
                commit=commit,
            )
            self.states.append(known)
            self.by_cursor[cursor] = known
        return known

    def became(self, time: float, state: State) -> None:
        """Take note that `state` is in force from now on."""
        if not self.in_force or self.in_force[-1] is not state:
            self.times.append(time)
            self.in_force.append(state)

    @property
    def last(self) -> State | None:
        """The state that was in force last."""
        return self.in_force[-1] if self.in_force else None

    def state(self, who: str, cursor: Cursor, records: Tables) -> State:
        """Return the state that somebody holds. Raises Violation for one that never was."""
        state = self.by_cursor.get(cursor)
        if state is None:
            raise Violation(f"{who} holds {cursor}, a state that the store never was in")
        if filled(records) != state.records:
            raise Violation(f"{who} holds at {cursor} {filled(records)}, where the store had {state.records}")
        return state

    def check_proof(self, who: str, state: State, proven_at: float) -> None:
        """Raise Violation if `state` lacks something that was in force at `proven_at`.

        A later state will do as well, and so will a later one of a history that overruled what was in force then:
        what it lacks of that is lost for everybody, and whoever holds it knows of nothing older than `proven_at`.
        """
        index = bisect_right(self.times, proven_at) - 1
        if not any(state.holds(then) for then in self.in_force[max(0, index) :]):
            then = self.in_force[index].cursor if index >= 0 else None
            raise Violation(
                f"{who} holds {state.cursor} and claims to be current as of {proven_at:.6f}, when it was {then}"
            )


def filled(records: Tables) -> dict[str, dict[str, Any]]:
    """Return the tables without the empty ones: whether there is one says nothing."""
    return {kind: dict(table) for kind, table in records.items() if table}


copied = filled
