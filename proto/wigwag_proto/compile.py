"""A flag compiled to the cheapest form that answers it: a constant, or a function with only the steps it has.

The function is generated, see `wigwag_proto.source`. It may raise on exotic attributes, where
`wigwag_proto.evaluate.decide`, the definition, finds a mismatch; the caller then asks that.
Compiling happens once per change, and costs some tens of microseconds.
"""

from collections.abc import Callable, Mapping
from typing import Any

from wigwag_proto.circuit import Breaker
from wigwag_proto.evaluate import LinkedFlag, LinkedSegment
from wigwag_proto.flag import Flag
from wigwag_proto.outcome import Outcome
from wigwag_proto.source import SourceWriter
from wigwag_proto.usage import FlagUsage


class CompiledFlag(LinkedFlag):
    """A flag, ready to be asked.

    `check(attributes)` returns the outcome, or None for a flag that needs to know how stale the replica is; such a
    flag has `check_at(attributes, stale_for)`. `constant` is the outcome of a flag that has only one.
    Neither counts: add 1 to `outcome.tally.n`. `pierces`: it is killed or tripped, which shows through older states.

    `function` is what decides in either case: whoever takes samples puts something else in the place of `check` for a
    while, and flags that require this one must not be sampled through it.
    """

    __slots__ = ("check", "check_at", "constant", "function", "pierces", "usage")

    required: Mapping[str, "CompiledFlag"]

    def __init__(
        self,
        flag: Flag,
        segments: Mapping[str, LinkedSegment],
        required: Mapping[str, "CompiledFlag"],
        usage: FlagUsage,
        breaker: Breaker | None = None,
    ) -> None:
        super().__init__(flag, segments, required, breaker)
        self.usage = usage
        self.pierces = flag.kill is not None or breaker is not None
        writer = SourceWriter(self.flag, self.segments, self.required, self.usage, breaker)
        writer.write_flag()
        self.constant = writer.constant()
        self.check: Callable[[dict[str, Any]], Outcome | None]
        self.check_at: Callable[[dict[str, Any], float], Outcome] | None = None
        self.function: Callable[..., Any] = writer.function()
        if writer.timed:
            self.check_at = self.function
        self.check = self.plain_check

    @property
    def plain_check(self) -> Callable[[dict[str, Any]], Outcome | None]:
        """What `check` is where nobody takes samples."""
        return self.function if self.check_at is None else _needs_time

    @property
    def source(self) -> str:
        """The generated source, for those who want to look."""
        writer = SourceWriter(self.flag, self.segments, self.required, self.usage, self.breaker)
        writer.write_flag()
        return writer.source()


def _needs_time(attributes: dict[str, Any]) -> None:  # noqa: ARG001  # stands in for a check
    return None
