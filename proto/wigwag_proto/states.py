"""States of a ruleset: the newest, and older ones that somebody has pinned.

All states share one dict, which always shows the newest. A change writes into that dict and leaves what it replaced
with the state before it (Baker's trick for persistent arrays). So a pin is one reference, an unpinned state costs
nothing, and Python's own garbage collection is the registry of who still needs which.
"""

from collections.abc import Iterator, Mapping
from typing import Protocol

from wigwag_proto.compile import CompiledFlag


class Table(Protocol):
    """What a state is read through."""

    def __getitem__(self, key: str, /) -> CompiledFlag: ...
    def __iter__(self) -> Iterator[str]: ...
    def __contains__(self, key: object, /) -> bool: ...


class State:
    """The flags as they were after one revision. Holding it pins it; kills still show through."""

    __slots__ = ("__weakref__", "revision", "table")

    def __init__(self, table: dict[str, CompiledFlag], revision: int) -> None:
        self.table: Table = table
        self.revision = revision


class Past:
    """The table of a state that was superseded: what later changes replaced, and behind that the newest state.

    A flag that is killed now is killed here too, and so is what requires it. A flag that was killed after this state
    and then revived is again what it was here; one that was killed and then deleted stays killed.
    An old state remembers all that later changes replaced, so hold one for a request or a connection, not for ever.
    """

    __slots__ = ("_buried", "_live", "_next", "_relinked", "_replaced")

    def __init__(
        self, live: dict[str, CompiledFlag], replaced: dict[str, CompiledFlag | None], newer: State, buried: set[str]
    ) -> None:
        self._live = live
        self._replaced = replaced  # None: there was no such flag
        self._buried = buried  # killed when they were deleted
        self._next = newer
        self._relinked: dict[str, CompiledFlag] = {}

    def __getitem__(self, key: str) -> CompiledFlag:
        """Return a flag as it was then, with the kills of now. Raises KeyError."""
        now = self._live.get(key)
        if now is not None and now.pierces:
            return now
        self._catch_up()
        if key not in self._replaced:
            return self._live[key]
        then = self._replaced[key]
        if then is None:
            raise KeyError(key)
        return self._with_kills_of_now(then) if then.required else then

    def __iter__(self) -> Iterator[str]:
        """Return the keys that can be read."""
        self._catch_up()
        return iter([key for key in {**self._replaced, **self._live} if key in self])

    def __contains__(self, key: object) -> bool:
        """Return whether reading this key gives a flag."""
        try:
            return isinstance(key, str) and self[key] is not None
        except KeyError:
            return False

    def _catch_up(self) -> None:
        """Take over what newer states replaced, up to the newest. The oldest version of each flag is ours."""
        while isinstance(self._next.table, Past):
            newer = self._next.table
            for key, then in list(newer._replaced.items()):  # noqa: SLF001  # of the same class
                if key in newer._buried:  # noqa: SLF001
                    self._replaced[key] = then
                else:
                    self._replaced.setdefault(key, then)
            self._next = newer._next  # noqa: SLF001

    def _with_kills_of_now(self, then: CompiledFlag) -> CompiledFlag:
        required: Mapping[str, CompiledFlag] = {key: self._or_then(key, then) for key in then.required}
        known = self._relinked.get(then.flag.key, then)
        if any(required[key] is not known.required[key] for key in required):
            known = CompiledFlag(then.flag, then.segments, required, then.usage)
            self._relinked[then.flag.key] = known
        return known

    def _or_then(self, key: str, then: CompiledFlag) -> CompiledFlag:
        try:
            return self[key]
        except KeyError:  # cut from a cycle, or gone in a way that this state cannot see
            return then.required[key]
