"""`with flags.guard(…)`: how the code behind a flag ended, and how long it took."""

from collections.abc import Callable
from typing import Self

from wigwag_proto.runs import Ending, Runs

Kinds = type[BaseException] | tuple[type[BaseException], ...]


def ending_of(kind: type[BaseException] | None, expected: Kinds = ()) -> Ending:
    """Return how a block ended that was left by this exception. What is no `Exception` (a cancellation) is no error."""
    if kind is None or issubclass(kind, expected):
        return Ending.SUCCESS
    return Ending.ERROR if issubclass(kind, Exception) else Ending.CANCELLED


class Guard:
    """Counts one run. Made by `flags.guard`; to be used once."""

    __slots__ = ("_began_at", "_enabled", "_expected", "_key", "_monotonic", "_runs")

    def __init__(
        self, runs: Runs, monotonic: Callable[[], float], key: str, *, enabled: bool, expected: Kinds = ()
    ) -> None:
        self._runs = runs
        self._monotonic = monotonic
        self._key = key
        self._enabled = enabled
        self._expected = expected
        self._began_at = monotonic()

    def __enter__(self) -> Self:
        """Start the clock."""
        self._began_at = self._monotonic()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Count how the block ended; an exception goes on."""
        duration_s = self._monotonic() - self._began_at
        self._runs.add(self._key, ending_of(kind, self._expected), duration_s, enabled=self._enabled)
