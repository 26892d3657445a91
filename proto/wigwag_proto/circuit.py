"""Circuits: after too many failures a flag is off in this process for a while, before anybody else has decided. Pure.

A closed circuit only counts, and costs a decision nothing. When it trips, the flag is compiled anew with one more step,
which asks the breaker: off for the cool-down, then one decision at a time is let through as usual, and how the run
behind it ends closes the circuit or begins the cool-down anew.
"""

from collections.abc import Callable

import msgspec

from wigwag_proto.runs import Ending

SLICES = 10  # of the time within which failures count
# So long a decision that was let through keeps others out; by then its run has ended, or there never was one.
PROBE_S = 5.0
MOST = 1000  # flags with a circuit: names may come out of variables


class Circuit(msgspec.Struct, frozen=True, kw_only=True):
    """When a flag goes off in this process: `errors` runs failed within `within_s`, and that was a `share` of them.

    It stays off for `cool_down_s`; then one run at a time is let through, until one ends well. Raises ValueError for
    what can never trip, or always would.
    """

    errors: int = 5
    within_s: float = 30.0
    share: float = 0.5
    cool_down_s: float = 60.0

    def __post_init__(self) -> None:
        """Check the values."""
        if self.errors < 1 or not 0 <= self.share <= 1 or not 0 < self.within_s <= 86_400 or self.cool_down_s < 0:
            raise ValueError(
                "a circuit needs errors of at least 1, a share from 0 to 1, within_s above 0 and up to a day, and "
                f"cool_down_s of at least 0, unlike {self!r}"
            )


class Breaker:
    """The circuit of one flag in one process. Times are monotonic seconds.

    Threads may ask and tell at the same moment: then a run can go uncounted, or two be let through where one was meant.
    """

    __slots__ = ("_clock", "_open_until", "_probe", "_probe_until", "_slices", "circuit", "reason", "tripped_at")

    def __init__(self, circuit: Circuit, clock: Callable[[], float]) -> None:
        self.circuit = circuit
        self.tripped_at: float | None = None
        self.reason = ""
        self._clock = clock
        # Number, runs, those that failed. Replaced and never altered: another thread may be walking through them.
        self._slices: tuple[list[int], ...] = ()
        self._open_until = 0.0
        self._probe: object = None
        self._probe_until = 0.0

    def lets(self, attributes: object) -> bool:
        """Say whether a decision on the tripped flag is made as usual, and if so, for nobody else for the time being.

        Who was let through is told by the object, so that two decisions for one bound context agree.
        """
        if self.tripped_at is None:  # a state that was pinned meanwhile asks on
            return True
        now = self._clock()
        if not self._open_to(attributes, now):
            return False
        if self._probe is not attributes:
            self._probe, self._probe_until = attributes, now + PROBE_S
        return True

    def would_let(self, attributes: object) -> bool:
        """Say what `lets` would, and keep nobody out."""
        return self.tripped_at is None or self._open_to(attributes, self._clock())

    def ended(self, ending: Ending, began_at: float) -> bool:
        """Take in how a run ended. Returns whether the circuit has tripped or closed with it."""
        if self.tripped_at is None:
            return ending is not Ending.CANCELLED and self._counted(failed=ending is Ending.ERROR)
        if began_at < self._open_until:
            return False  # begun before it tripped, or somebody else's: it says nothing about now
        self._probe, self._probe_until = None, 0.0
        if ending is Ending.ERROR:
            self._open_until = self._clock() + self.circuit.cool_down_s
        elif ending is Ending.SUCCESS:
            self.close()
            return True
        return False

    def close(self) -> None:
        """Begin anew."""
        self.tripped_at = None
        self._slices = ()

    def _open_to(self, attributes: object, now: float) -> bool:
        return now >= self._open_until and (self._probe is attributes or now >= self._probe_until)

    def _counted(self, *, failed: bool) -> bool:
        now, circuit = self._clock(), self.circuit
        number = int(now * SLICES / circuit.within_s)
        slices = self._slices
        if not slices or slices[-1][0] != number:
            slices = self._slices = (*(each for each in slices if each[0] >= number - SLICES), [number, 0, 0])
        slices[-1][1] += 1
        if not failed:
            return False
        slices[-1][2] += 1
        runs, errors = (sum(each[i] for each in slices) for i in (1, 2))
        if errors < circuit.errors or errors < circuit.share * runs:
            return False
        self.tripped_at, self._open_until = now, now + circuit.cool_down_s
        self._probe, self._probe_until = None, 0.0
        self.reason = f"{errors} of {runs} runs failed within {circuit.within_s:g} s in this process"
        return True


class Circuits:
    """The circuits of one process, by flag. `changed` is called with the key of one that has tripped or closed."""

    def __init__(self, changed: Callable[[str], None]) -> None:
        self.changed = changed
        self._breakers: dict[str, Breaker] = {}

    def breaker(self, key: str, circuit: Circuit, clock: Callable[[], float]) -> Breaker:
        """Return the one breaker of a flag. Of different circuits that code gives for it, the latest holds."""
        breaker = self._breakers.get(key)
        if breaker is None:
            breaker = Breaker(circuit, clock)
            return self._breakers.setdefault(key, breaker) if len(self._breakers) < MOST else breaker
        if breaker.circuit != circuit:
            breaker.circuit = circuit
            breaker._slices = ()  # noqa: SLF001  # of this module: they may be of another length
        return breaker

    def ended(self, key: str, breaker: Breaker, ending: Ending, began_at: float) -> None:
        """Take in how a run behind a flag ended."""
        if breaker.ended(ending, began_at) and self._breakers.get(key) is breaker:
            self.changed(key)

    def tripped(self) -> dict[str, float]:
        """Return the flags whose circuit is tripped, and since when (monotonic seconds)."""
        return {key: each.tripped_at for key, each in list(self._breakers.items()) if each.tripped_at is not None}

    def tripped_of(self, key: str) -> Breaker | None:
        """Return the one of a flag where it is tripped."""
        breaker = self._breakers.get(key)
        return breaker if breaker is not None and breaker.tripped_at is not None else None
