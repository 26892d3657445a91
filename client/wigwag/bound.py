"""Flags bound to one context and one state."""

from collections.abc import Callable
from typing import Any

from wigwag.guard import Guard, Kinds, Side
from wigwag_proto.circuit import Breaker, Circuit
from wigwag_proto.compile import CompiledFlag
from wigwag_proto.context import USER_ID, Context
from wigwag_proto.decision import Decision, Reason, Variant
from wigwag_proto.evaluate import decide
from wigwag_proto.flag import Flag
from wigwag_proto.outcome import Outcome
from wigwag_proto.ruleset import Ruleset
from wigwag_proto.runs import Ending
from wigwag_proto.states import State


class BoundFlags:
    """The flags for one context, as they were when it was bound: two look-ups in one request agree.

    Kills of every sort, and fail-safe, show through at once. Bind anew for each request or job: a binding that is
    kept keeps what later changes replaced.
    """

    __slots__ = ("_attributes", "_monotonic", "_ruleset", "_state")

    def __init__(self, ruleset: Ruleset, monotonic: Callable[[], float], attributes: dict[str, Any]) -> None:
        self._ruleset = ruleset
        self._monotonic = monotonic
        self._attributes = attributes
        self._state = ruleset.pin()

    def is_enabled(self, key: str, default: bool = False) -> bool:  # noqa: FBT001, FBT002  # keyword-only costs 13 ns
        """Return whether a flag is on; `default` where there is no such flag."""
        try:
            check = self._state.table[key].check
            outcome = check(self._attributes)
            if outcome is not None:
                outcome.tally.n += 1
                return outcome.enabled
        except Exception:  # noqa: BLE001, S110  # an unknown flag, or an exotic attribute
            pass
        result = self.answer(key, default=default)
        return default if result is None else result.enabled

    def variant(self, key: str) -> Variant | None:
        """Return the variant that the context is on; None where the flag is off, unknown, or has none."""
        try:
            check = self._state.table[key].check
            outcome = check(self._attributes)
            if outcome is not None:
                outcome.tally.n += 1
                return outcome.variant
        except Exception:  # noqa: BLE001, S110  # an unknown flag, or an exotic attribute
            pass
        result = self.answer(key, default=False)
        return None if result is None else result.variant

    def value(self, key: str, *, default: Any) -> Any:
        """Return the value of the variant that the context is on, else `default`. Do not modify what it returns."""
        found = self.variant(key)
        return default if found is None else found.value

    def explain(self, key: str, *, default: bool = False) -> Decision:
        """Return the decision with its reason and every step that led to it. Not counted as a use of the flag."""
        linked = look_up(self._state, key)
        if linked is None:
            return unknown(key, default=default)
        return decide(linked, self._attributes, self._stale_for(linked))

    def flag(self, key: str) -> Flag | None:
        """Return a flag as it was configured when this was bound, and killed if it is now; None where there is none."""
        linked = look_up(self._state, key)
        return None if linked is None else linked.flag

    def all(self) -> dict[str, Decision]:
        """Return the decision on every flag, by key. Not counted; takes about 10 µs for each flag."""
        return {key: self.explain(key) for key in list(self._state.table)}

    def track(
        self,
        key: str,
        *,
        error: bool = False,
        duration_s: float | None = None,
        enabled: bool | None = None,
        variant: str | None = None,
    ) -> None:
        """Count that the code behind a flag ran, and how it ended.

        `enabled` says which side ran, the code for "on" or that for "off", and `variant` for which variant; without
        `enabled`, both are what the flag decides.
        """
        ending = Ending.ERROR if error else Ending.SUCCESS
        side = self._side(key, enabled, variant)
        self._ruleset.runs.add(key, ending, duration_s, enabled=side.enabled, variant=side.variant)

    def guard(
        self,
        key: str,
        *,
        enabled: bool | None = None,
        variant: str | None = None,
        expected: Kinds = (),
        trip: Circuit | None = None,
    ) -> Guard:
        """Count, as `track` does, how the block under `with` ended and how long it took.

        An exception passes through, and counts as an error unless it is an `expected` one. With `trip`, too many of
        them turn the flag off in this process at once; see `Flags.guard`.
        """
        breaker = None if trip is None else self._ruleset.circuits.breaker(key, trip, self._monotonic)
        side = self._side(key, enabled, variant, breaker)
        return Guard(self._ruleset, self._monotonic, key, side, expected=expected, breaker=breaker)

    def _side(self, key: str, enabled: bool | None, variant: str | None, breaker: Breaker | None = None) -> Side:  # noqa: FBT001  # as it came
        if enabled is not None:
            return Side(enabled, variant)
        decision = self.explain(key, default=True)
        if decision.enabled and breaker is not None and not breaker.lets(self._attributes):
            return Side(enabled=False)
        return Side(decision.enabled, variant or (decision.variant.name if decision.variant else None))

    def _stale_for(self, linked: CompiledFlag) -> float:
        return self._ruleset.stale_for(self._monotonic()) if linked.check_at is not None else 0.0

    def answer(self, key: object, *, default: bool) -> Outcome | Decision | None:
        """Decide what the hot path could not, and count it. None where there is no such flag.

        That is: a flag that looks at time, one met by an attribute whose comparison raised, or an unknown name.
        """
        compiled = look_up(self._state, key)
        if compiled is None:
            self._ruleset.usage.count_unknown(key, default=default)
            return None
        stale_for = self._stale_for(compiled)
        try:
            if compiled.check_at is not None:
                outcome = compiled.check_at(self._attributes, stale_for)
                outcome.tally.n += 1
                return outcome
        except Exception:  # noqa: BLE001, S110  # an exotic attribute: ask the definition
            pass
        decision = decide(compiled, self._attributes, stale_for)
        if decision.enabled and compiled.breaker is not None:
            compiled.breaker.lets(self._attributes)  # `decide` keeps nobody else out
        compiled.usage.count(decision)
        return decision


def merged(context: Context | dict[str, Any] | None, user_id: str | None, attributes: dict[str, Any]) -> dict[str, Any]:
    """Return the attributes of a call: those of the context, then those named in the call."""
    if user_id is not None:
        attributes[USER_ID] = user_id
    if context is None:
        return attributes
    if isinstance(context, dict):  # not what the types say, but what it means is plain
        context = Context.from_plain(context)
    known = context.attributes if isinstance(context, Context) else {}
    return {**known, **attributes} if attributes else known


def look_up(state: State, key: object) -> CompiledFlag | None:
    """Return a flag of a state, or None where there is none of that name; callers may pass anything."""
    try:
        return state.table[key] if isinstance(key, str) else None
    except KeyError:
        return None


def unknown(key: object, *, default: bool) -> Decision:
    """Return the decision on a flag that does not exist."""
    name = key if isinstance(key, str) else f"<{type(key).__name__}>"
    return Decision(flag=name, enabled=default, reason=Reason.UNKNOWN_FLAG, steps=("there is no such flag",))
