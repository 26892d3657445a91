"""Counting decisions: one integer per flag and outcome, added to by whoever decides and drained by whoever reports.

Adding is not atomic. Two threads that count the same outcome at the same moment can lose one; a lock would cost more
than the decision, and the counts are for people who ask "is this still used?".
"""

from collections.abc import Collection, Iterator

import msgspec

from wigwag_proto.decision import Decision, Reason

UNKNOWN_FLAGS_LIMIT = 1000
LONGEST_NAME = 128


class Tally:
    """How often one outcome was decided since it was last drained."""

    __slots__ = ("n",)

    def __init__(self) -> None:
        self.n = 0


class UsageCount(msgspec.Struct, frozen=True, rename="camel"):
    """How often a flag was decided this way since the last drain.

    For an unknown flag, `enabled` is the default that the caller gave.
    """

    flag: str
    enabled: bool
    reason: Reason
    variant: str | None
    count: int


Outcome = tuple[bool, Reason, str | None]


class FlagUsage:
    """The tallies of one flag. They outlive its versions, so that a patch loses no counts."""

    __slots__ = ("tallies",)

    def __init__(self) -> None:
        self.tallies: dict[Outcome, Tally] = {}

    def tally(self, reason: Reason, variant: str | None, *, enabled: bool) -> Tally:
        """Return the one tally of an outcome."""
        return self.tallies.setdefault((enabled, reason, variant), Tally())

    def count(self, decision: Decision) -> None:
        """Count a decision that did not come from a compiled flag."""
        name = None if decision.variant is None else decision.variant.name
        self.tally(decision.reason, name, enabled=decision.enabled).n += 1


class Usage:
    """The usage of all flags, and of the names that code asked for and that no flag has."""

    def __init__(self) -> None:
        self._flags: dict[str, FlagUsage] = {}
        self._unknown: dict[str, FlagUsage] = {}
        self._unreported: list[str] = []

    def of(self, key: str) -> FlagUsage:
        """Return the tallies of a flag."""
        return self._flags.setdefault(key, FlagUsage())

    def count_unknown(self, key: object, *, default: bool) -> None:
        """Count that code asked for a flag that does not exist. The first 1,000 names are told apart."""
        name = key[:LONGEST_NAME] if isinstance(key, str) else f"<{type(key).__name__}>"
        usage = self._unknown.get(name)
        if usage is None:
            if len(self._unknown) >= UNKNOWN_FLAGS_LIMIT:
                name = "<others>"
            else:
                self._unreported.append(name)
            usage = self._unknown.setdefault(name, FlagUsage())
        usage.tally(Reason.UNKNOWN_FLAG, None, enabled=default).n += 1

    def drain_unknown(self) -> list[str]:
        """Return the unknown names that were not returned before: each is worth one line in a log, once."""
        names, self._unreported = self._unreported, []
        return names

    def drain(self, living: Collection[str]) -> list[UsageCount]:
        """Return what was counted since the last call, and start again from 0.

        The tallies of a flag that is no longer `living` are forgotten once they are drained empty: a pin that still
        counts on a flag deleted before the last drain is the one thing that goes uncounted.
        """
        return [count for some in self.drain_in_steps(living) for count in some]

    def drain_in_steps(self, living: Collection[str], flags_at_once: int = 250) -> Iterator[list[UsageCount]]:
        """Drain as `drain` does, in steps that each take well below a millisecond: others may run in between."""
        drained: set[str] = set()
        for table in (self._flags, self._unknown):
            entries = list(table.items())
            for begin in range(0, len(entries), flags_at_once):
                counts = [
                    _drained(key, outcome, tally)
                    for key, usage in entries[begin : begin + flags_at_once]
                    for outcome, tally in list(usage.tallies.items())
                    if tally.n
                ]
                drained.update(count.flag for count in counts)
                yield counts
        if len(self._flags) > len(living):
            for key in [key for key in list(self._flags) if key not in living and key not in drained]:
                del self._flags[key]


def _drained(key: str, outcome: Outcome, tally: Tally) -> UsageCount:
    count = tally.n
    tally.n -= count  # not "= 0": what another thread added meanwhile stays for the next drain
    return UsageCount(key, *outcome, count)
