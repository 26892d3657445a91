"""`with flags.guard(…)`: how the code behind a flag ended, and how long it took."""

from collections.abc import Callable
from typing import NamedTuple, Self

from wigwag_proto.circuit import Breaker
from wigwag_proto.ruleset import Ruleset
from wigwag_proto.runs import Ending

Kinds = type[BaseException] | tuple[type[BaseException], ...]


class Side(NamedTuple):
    """Which code runs: that for "on" or that for "off", and for which variant where that is known."""

    enabled: bool
    variant: str | None = None


def ending_of(kind: type[BaseException] | None, expected: Kinds = ()) -> Ending:
    """Return how a block ended that was left by this exception. What is no `Exception` (a cancellation) is no error."""
    if kind is None or issubclass(kind, expected):
        return Ending.SUCCESS
    return Ending.ERROR if issubclass(kind, Exception) else Ending.CANCELLED


class Guard:
    """Counts one run. Made by `flags.guard`; to be used once.

    `enabled` and `variant` say which code is to run, and as what it is counted.
    """

    __slots__ = ("_began_at", "_breaker", "_expected", "_key", "_monotonic", "_ruleset", "enabled", "variant")

    def __init__(
        self,
        ruleset: Ruleset,
        monotonic: Callable[[], float],
        key: str,
        side: Side,
        *,
        expected: Kinds = (),
        breaker: Breaker | None = None,
    ) -> None:
        self.enabled, self.variant = side
        self._ruleset = ruleset
        self._monotonic = monotonic
        self._key = key
        self._expected = expected
        self._breaker = breaker
        self._began_at = monotonic()

    def __enter__(self) -> Self:
        """Start the clock."""
        self._began_at = self._monotonic()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Count how the block ended; an exception goes on."""
        duration_s = self._monotonic() - self._began_at
        ending = ending_of(kind, self._expected)
        self._ruleset.runs.add(self._key, ending, duration_s, enabled=self.enabled, variant=self.variant)
        if self._breaker is not None and self.enabled:
            self._ruleset.circuits.ended(self._key, self._breaker, ending, self._began_at)
