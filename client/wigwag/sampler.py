"""Takes samples of the contexts that flags are decided for, where the app and the environment have agreed to it.

It costs the decisions nothing that are not sampled: a flag is sampled by something else in the place of its `check`,
which puts itself out of the way after a few decisions, and is put back with the next report.
"""

import contextlib
from collections.abc import Iterable
from random import Random
from typing import Any

from wigwag_proto.compile import CompiledFlag
from wigwag_proto.outcome import Outcome
from wigwag_proto.ruleset import Ruleset
from wigwag_proto.samples import Sample, Wanted, sample_of, wanted_of

FROM_ONE_FLAG = 3  # between two reports


class Sampler:
    """The samples of one client since its last report; takes none until it is asked to."""

    def __init__(self, ruleset: Ruleset, rng: Random, private: Iterable[str] = ()) -> None:
        """Attributes that are `private` leave the app as hashes only, as ids do."""
        self.private = frozenset(private)
        self._ruleset = ruleset
        self._rng = rng
        self._salt: bytes | None = None
        self._most = 0
        self._taken: list[Sample] = []
        self._spent: set[str] = set()
        ruleset.on_compiled = self.arm

    @property
    def salt(self) -> bytes | None:
        """What ids are hashed with; None while no samples are wanted."""
        return self._salt

    def ask(self, wanted: tuple[int, bytes] | None) -> None:
        """Note how many samples are wanted with the next report, and with which key; None for no more samples."""
        most, salt = wanted or (0, None)
        self._most = most
        if salt == self._salt:
            return
        self._salt, self._taken = salt, []
        self._spent.clear()
        if salt is not None:
            for compiled in list(self._ruleset.live.values()):
                self.arm(compiled)

    def arm(self, compiled: CompiledFlag) -> None:
        """Have the next decisions on a flag sampled."""
        if self._salt is not None and compiled.flag.key not in self._spent:
            compiled.check = Armed(self, compiled)

    def drain(self) -> tuple[bytes, list[Sample]] | None:
        """Return what was taken since the last call, and with which key; None while no samples are wanted.

        As many flags as samples may be sent are sampled again, drawn by lot from those that were.
        """
        salt = self._salt
        if salt is None:
            return None
        taken, self._taken = self._taken, []
        spent = list(self._spent)
        for key in self._rng.sample(spent, min(len(spent), self._most)):
            self._spent.discard(key)
            if (compiled := self._ruleset.live.get(key)) is not None:
                self.arm(compiled)
        return salt, taken[: self._most]

    def take(self, key: str, wanted: Wanted, attributes: dict[str, Any]) -> bool:
        """Take a sample, unless there are enough of them already, which it says."""
        salt = self._salt
        if salt is None or len(self._taken) >= self._most:
            return False
        sample = sample_of(key, wanted, attributes, salt)
        if sample is not None:
            self._taken.append(sample)
        return True

    def spent(self, key: str) -> None:
        """Note that a flag is not sampled any more until the next report."""
        if self._salt is not None:
            self._spent.add(key)


class Armed:
    """Stands in the place of a flag's `check` for a few decisions."""

    __slots__ = ("_compiled", "_left", "_sampler", "_wanted")

    def __init__(self, sampler: Sampler, compiled: CompiledFlag) -> None:
        self._sampler = sampler
        self._compiled = compiled
        self._left = FROM_ONE_FLAG
        self._wanted: Wanted | None = None

    def __call__(self, attributes: dict[str, Any]) -> Outcome | None:
        """Decide, as if nobody looked; whatever is wrong with a sample, the decision does not suffer from it."""
        with contextlib.suppress(Exception):
            self._look(attributes)
        return self._compiled.plain_check(attributes)

    def _look(self, attributes: dict[str, Any]) -> None:
        compiled = self._compiled
        self._left -= 1
        goes_on = False
        try:
            if self._wanted is None:
                self._wanted = wanted_of(compiled, self._sampler.private)
            goes_on = self._sampler.take(compiled.flag.key, self._wanted, attributes) and self._left > 0
        finally:
            if not goes_on:
                compiled.check = compiled.plain_check
                self._sampler.spent(compiled.flag.key)
