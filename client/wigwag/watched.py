"""Flags bound for one request or job, whose outcome is counted."""

from typing import Self

from wigwag.bound import BoundFlags
from wigwag.guard import ending_of
from wigwag_proto.decision import Decision, Variant
from wigwag_proto.outcome import Outcome
from wigwag_proto.runs import Ending

MOST_DECIDED = 20_000  # flags noted by one request or job: a job that asks for ever new names must not fill the memory


class WatchedFlags(BoundFlags):
    """Flags bound for one request or job, which know what they decided, and count how it ended for those flags.

    The first decision on a flag is the one that counts: what a kill turned off on the way had run until then. A flag
    that does not exist has no runs. `explain` and `all` decide nothing.
    """

    __slots__ = ("_answered_at", "_began_at", "_ended", "decided")

    def __init__(self, bound: BoundFlags) -> None:
        super().__init__(bound._ruleset, bound._monotonic, bound._attributes)  # noqa: SLF001  # of the same class
        self.decided: dict[str, Outcome | Decision | None] = {}  # None: there is no such flag
        self._began_at = self._monotonic()
        self._answered_at: float | None = None
        self._ended = False

    def is_enabled(self, key: str, default: bool = False) -> bool:  # noqa: FBT001, FBT002  # as in BoundFlags
        """Return whether a flag is on; `default` where there is no such flag."""
        try:
            outcome = self._state.table[key].check(self._attributes)
            if outcome is not None:
                outcome.tally.n += 1
                if key not in self.decided:
                    self.decided[key] = outcome
                return outcome.enabled
        except Exception:  # noqa: BLE001, S110  # an unknown flag, or an exotic attribute
            pass
        result = self.answer(key, default=default)
        return default if result is None else result.enabled

    def variant(self, key: str) -> Variant | None:
        """Return the variant that the context is on; None where the flag is off, unknown, or has none."""
        try:
            outcome = self._state.table[key].check(self._attributes)
            if outcome is not None:
                outcome.tally.n += 1
                if key not in self.decided:
                    self.decided[key] = outcome
                return outcome.variant
        except Exception:  # noqa: BLE001, S110  # an unknown flag, or an exotic attribute
            pass
        result = self.answer(key, default=False)
        return None if result is None else result.variant

    def answer(self, key: object, *, default: bool) -> Outcome | Decision | None:
        """Decide what the hot path could not, count it and note it. None where there is no such flag."""
        result = super().answer(key, default=default)
        if isinstance(key, str) and len(self.decided) < MOST_DECIDED:
            self.decided.setdefault(key, result)
        return result

    def answered(self) -> None:
        """Note that the answer begins now: what comes after is the pace of the reader, or a stream, and not counted."""
        if self._answered_at is None:
            self._answered_at = self._monotonic()

    def end(self, ending: Ending) -> None:
        """Count, once, how it ended, for every flag that decided in it."""
        if self._ended:
            return
        self._ended = True
        self.answered()
        assert self._answered_at is not None
        sides = [(key, each.enabled, _variant(each)) for key, each in self.decided.items() if each is not None]
        if sides:
            self._ruleset.runs.add_all(sides, ending, self._answered_at - self._began_at)

    def __enter__(self) -> Self:
        """Return the flags for the request or job."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Count how it ended."""
        self.end(ending_of(kind))


def _variant(result: Outcome | Decision) -> str | None:
    return None if result.variant is None else result.variant.name
