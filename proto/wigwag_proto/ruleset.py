"""The compiled flags of one environment, following a replica change by change.

A replica hands in plain records. A record that cannot be read keeps its last good version, is named in `unreadable`,
and takes nothing else down with it. A change costs what it changes: the flags in it, and those that refer to what is
in it. The number of flags does not matter.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any

import msgspec

from wigwag_proto.circuit import Circuits
from wigwag_proto.commit import Change
from wigwag_proto.compile import CompiledFlag
from wigwag_proto.evaluate import NEVER_PROVEN
from wigwag_proto.flag import Flag, Kill
from wigwag_proto.links import Links, flags_required_by
from wigwag_proto.records import Records
from wigwag_proto.runs import RunCount, Runs
from wigwag_proto.states import Past, State
from wigwag_proto.usage import Usage, UsageCount

DEEPEST_REQUIRES = 16


class What(StrEnum):
    """What happened to a flag."""

    CREATED = "created"
    UPDATED = "updated"
    DELETED = "deleted"
    KILLED = "killed"
    REVIVED = "revived"


class FlagChange(msgspec.Struct, frozen=True):
    """One flag that is not what it was. `revision` is that of the ruleset in which it took effect."""

    key: str
    before: Flag | None
    after: Flag | None
    revision: int
    what: What


class Ruleset:
    """Flags by key, compiled. One owner calls `load`, `apply`, `kill_out_of_band` and, by way of `circuits.changed`,
    `circuit_changed`; anybody may decide.

    `newest` is the state now in force, and `live` the one dict through which it is read, always the same object.
    `proven_at` is the monotonic time in seconds at which the replica was last
    proven current, None before it ever was: `failSafeAfter` counts from there. `unreadable` maps the key of a flag,
    or `segment/<key>`, to what is wrong with it.
    """

    def __init__(self) -> None:
        self.proven_at: float | None = None
        self.usage = Usage()
        self.runs = Runs()
        self.circuits = Circuits(self.circuit_changed)
        self.live: dict[str, CompiledFlag] = {}
        self._records = Records()
        self._links = Links()
        self._kills: dict[str, Kill] = {}
        # Told of every flag that was compiled, before it is in force.
        self.on_compiled: Callable[[CompiledFlag], None] | None = None
        self.newest = State(self.live, 0)

    @property
    def revision(self) -> int:
        """The revision of the newest state."""
        return self.newest.revision

    @property
    def unreadable(self) -> dict[str, str]:
        """What could not be read, and why."""
        return self._records.unreadable

    def stale_for(self, now: float) -> float:
        """Return how many seconds ago the replica was last proven current, on the clock of `proven_at`."""
        return NEVER_PROVEN if self.proven_at is None else now - self.proven_at

    def pin(self) -> State:
        """Return the newest state, to be read on while changes go by; kills and fail-safe show through."""
        return self.newest

    def load(self, records: Mapping[str, Mapping[str, Mapping[str, Any]]], revision: int) -> list[FlagChange]:
        """Replace everything. Returns what differs; flags that are the same are not compiled again."""
        return self._take_in(self._records.differences(records), revision)

    def apply(self, changes: Sequence[Change], revision: int) -> list[FlagChange]:
        """Take in the changes of one commit, all together. Returns the flags that are not what they were."""
        return self._take_in(changes, revision)

    def affected_by(self, changes: Iterable[Change]) -> set[str]:
        """Return the flags that these changes, already taken in, concern: also through segments and requirements."""
        touched: set[str] = set()
        for change in changes:
            touched |= {change.key} if change.kind == "flag" else self._segment_users(change)
        return self._links.with_dependents(touched)

    def kill_out_of_band(self, keys: Mapping[str, Kill]) -> list[FlagChange]:
        """Set the kills in force that are in no flag: emergencies, WIGWAG_KILL, the kill file; `keys` is all of them.

        A key that no flag has is killed as well: a client that has not reached its server yet, where the code's
        default may be True, must not be the one place where a kill does nothing.
        """
        differing = {key for key in self._kills.keys() | keys.keys() if self._kills.get(key) != keys.get(key)}
        self._kills = dict(keys)
        return self._recompile(differing, self.revision)

    def circuit_changed(self, key: str) -> None:
        """Put in force that the circuit of a flag has tripped or closed. A flag that does not exist has none."""
        if key in self.live:
            self._recompile({key}, self.revision)
        elif (breaker := self.circuits.tripped_of(key)) is not None:
            breaker.close()

    def tripped(self) -> dict[str, float]:
        """Return the flags whose circuit is tripped, and since when (monotonic seconds); none that are deleted."""
        return {key: at for key, at in self.circuits.tripped().items() if key in self.live}

    def drain_usage(self) -> list[UsageCount]:
        """Return what was counted since the last call."""
        return self.usage.drain(self.live)

    def drain_runs(self, most: int | None = None) -> list[RunCount]:
        """Return how the code behind flags fared since the last call, at most so many rows; the rest waits."""
        return self.runs.drain(most)

    def drain_unknown(self) -> list[str]:
        """Return the names, not returned before, that code asked for and that no flag has."""
        return self.usage.drain_unknown()

    def _segment_users(self, change: Change) -> set[str]:
        return self._links.users_of_segment(change.key) if change.kind == "segment" else set()

    def _take_in(self, changes: Iterable[Change], revision: int) -> list[FlagChange]:
        touched: set[str] = set()
        for change in changes:
            if change.kind == "flag":
                self._records.set_flag(change.key, change.value)
                touched.add(change.key)
            elif change.kind == "segment":
                self._records.set_segment(change.key, change.value)
                touched |= self._segment_users(change)
        return self._recompile(touched, revision)

    def _recompile(self, touched: set[str], revision: int) -> list[FlagChange]:
        """Compile what was touched and what requires it, then put all of it in force at once."""
        for key in touched:
            self._links.set_flag(key, self._in_force(key))
        stale = self._links.with_dependents(touched)
        fresh: dict[str, CompiledFlag | None] = {}
        for key in sorted(stale):
            self._compile(key, stale, fresh, ())
        if self.on_compiled is not None:
            for compiled in filter(None, fresh.values()):
                self.on_compiled(compiled)
        replaced = {key: self.live.get(key) for key in fresh}
        self._supersede(replaced, fresh, revision)
        return _flag_changes(replaced, fresh, revision)

    def _in_force(self, key: str) -> Flag | None:
        """Return a flag with the out-of-band kill, if there is one, in it."""
        flag, kill = self._records.flags.get(key), self._kills.get(key)
        if kill is None or (flag is not None and flag.kill is not None):
            return flag
        return Flag(key=key, kill=kill) if flag is None else msgspec.structs.replace(flag, kill=kill)

    def _compile(
        self, key: str, stale: set[str], fresh: dict[str, CompiledFlag | None], above: tuple[str, ...]
    ) -> CompiledFlag | None:
        """Compile a flag after those that it requires. One that is `above` it closes a cycle and counts as not there.

        Writes with a cycle, or of more than two levels, are refused, but a log may hold them: every flag of a cycle
        is off, wherever one begins, and no chain is followed for ever.
        """
        if key not in stale or key in fresh:
            return fresh[key] if key in fresh else self.live.get(key)
        flag = self._in_force(key)
        compiled = None
        if flag is not None:
            keys = flags_required_by(flag) - {key, *above} if len(above) < DEEPEST_REQUIRES else set()
            found = {k: self._compile(k, stale, fresh, (*above, key)) for k in sorted(keys)}
            required = {k: c for k, c in found.items() if c is not None}
            segments = self._records.segments
            named = {k: segments[k] for k in self._links.segments_of(key) if k in segments}
            try:
                breaker = self.circuits.tripped_of(key)
                compiled = CompiledFlag(flag, named, required, self.usage.of(key), breaker)
            except Exception as error:  # noqa: BLE001  # one flag must not take down the others
                self._records.unreadable[key] = f"cannot be compiled: {error}"
                compiled = self.live.get(key)
        fresh[key] = compiled
        return compiled

    def _supersede(
        self, replaced: dict[str, CompiledFlag | None], fresh: dict[str, CompiledFlag | None], revision: int
    ) -> None:
        """Make a new newest state. The old one is closed first, so that a thread that reads it never sees a half."""
        buried = {k for k, then in replaced.items() if then and then.flag.kill and fresh[k] is None}
        newest = State(self.live, revision)
        self.newest.table = Past(self.live, replaced, newest, buried)
        for key, compiled in fresh.items():
            if compiled is None:
                self.live.pop(key, None)
            else:
                self.live[key] = compiled
        self.newest = newest


def _flag_changes(
    replaced: Mapping[str, CompiledFlag | None], fresh: Mapping[str, CompiledFlag | None], revision: int
) -> list[FlagChange]:
    """Tell which flags are not what they were. One recompiled only because of another one is the same flag."""
    changes = []
    for key, compiled in fresh.items():
        old = replaced[key]
        before, after = (old.flag if old else None), (compiled.flag if compiled else None)
        if before is not after and (before is None or after is None or repr(before) != repr(after)):
            changes.append(FlagChange(key, before, after, revision, _what(before, after)))
    return changes


def _what(before: Flag | None, after: Flag | None) -> What:
    if after is None:
        return What.DELETED
    was_killed = before is not None and before.kill is not None
    if was_killed != (after.kill is not None):
        return What.REVIVED if was_killed else What.KILLED
    return What.CREATED if before is None else What.UPDATED
