"""What a change of a flag would decide otherwise, for samples of contexts. Pure."""

from collections import Counter
from collections.abc import Iterable

import msgspec

from wigwag_proto.decision import Decision
from wigwag_proto.differences import same_json
from wigwag_proto.evaluate import LinkedFlag
from wigwag_proto.samples import Sample
from wigwag_server.samples.walk import Hashed, decide_sample


class Answer(msgspec.Struct, frozen=True, order=True):
    """On or off, and on which variant."""

    enabled: bool
    variant: str | None = None

    def __str__(self) -> str:
        """Return it in words."""
        return ("on" if self.enabled else "off") + (f" with variant {self.variant}" if self.variant is not None else "")


class Move(msgspec.Struct, frozen=True):
    """An answer before and after. `value`: it is the same variant, which has another value then."""

    before: Answer
    after: Answer
    value: bool = False

    @property
    def changes(self) -> bool:
        """Whether code would see a difference."""
        return self.before != self.after or self.value


class Comparison(msgspec.Struct, frozen=True):
    """How many samples have made each move; of the rest, how often it hung on which attribute that is not known."""

    moves: Counter[Move]
    unknown: int
    missing: Counter[str]

    @classmethod
    def of_none(cls) -> "Comparison":
        """Return that of no samples."""
        return cls(Counter(), 0, Counter())


def compare(before: LinkedFlag, after: LinkedFlag, samples: Iterable[Sample], key: bytes) -> Comparison:
    """Decide each sample by both."""
    hashed = Hashed(key)
    moves: Counter[Move] = Counter()
    missing: Counter[str] = Counter()
    unknown = 0
    for sample in samples:
        one, lacked = decide_sample(before, sample, hashed)
        other, lacked_too = decide_sample(after, sample, hashed)
        if lacked | lacked_too:
            unknown += 1
            missing.update(lacked | lacked_too)
        else:
            moves[_move(one, other)] += 1
    return Comparison(moves, unknown, missing)


def _move(one: Decision, other: Decision) -> Move:
    before, after = _answer(one), _answer(other)
    value = before == after and one.variant is not None and other.variant is not None
    return Move(before, after, value and not same_json(one.variant.value, other.variant.value))  # type: ignore[union-attr]


def _answer(decision: Decision) -> Answer:
    return Answer(decision.enabled, None if decision.variant is None else decision.variant.name)
