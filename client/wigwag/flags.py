"""Asking flags: the calls that application code makes, on every request, many times.

They never wait, never raise and never log. Each looks up a compiled flag in a dict, runs it, and adds one to a count.
The lines inside the `try`s, here and in `wigwag.bound` and `wigwag.watched`, are the hot path, and repeated on purpose:
a call costs as much as the decision itself.
"""

from collections.abc import Callable
from typing import Any

from wigwag.bound import BoundFlags, merged
from wigwag.guard import Guard, Kinds, Side
from wigwag.watched import WatchedFlags
from wigwag_proto.circuit import Circuit
from wigwag_proto.context import Context
from wigwag_proto.decision import Decision, Variant
from wigwag_proto.ruleset import Ruleset
from wigwag_proto.runs import Ending


class Flags:
    """The flags as they are now.

    Every call takes a `Context`, or the user id and attributes by their JSON names, or both (then the latter add to
    the context). "Off" is False for `is_enabled`, whose default is for unknown flags alone, and the caller's own
    default for `value`.
    """

    def __init__(self, ruleset: Ruleset, monotonic: Callable[[], float]) -> None:
        self._ruleset = ruleset
        self._monotonic = monotonic
        self._live = ruleset.live

    def is_enabled(
        self,
        key: str,
        context: Context | None = None,
        /,
        default: bool = False,  # noqa: FBT001, FBT002  # as keywords only, these two would cost 20 ns a call
        user_id: str | None = None,
        **attributes: Any,
    ) -> bool:
        """Return whether a flag is on; `default` where there is no such flag."""
        try:
            if context is None:
                if user_id is not None:
                    attributes["userId"] = user_id
            elif user_id is None and not attributes:
                attributes = context.attributes
            else:
                attributes = merged(context, user_id, attributes)
            check = self._live[key].check
            outcome = check(attributes)
            if outcome is not None:
                outcome.tally.n += 1
                return outcome.enabled
        except Exception:  # noqa: BLE001, S110  # an unknown flag, or an exotic attribute
            pass
        result = self._bound(context, user_id, attributes).answer(key, default=default)
        return default if result is None else result.enabled

    def variant(
        self, key: str, context: Context | None = None, /, *, user_id: str | None = None, **attributes: Any
    ) -> Variant | None:
        """Return the variant that the context is on; None where the flag is off, unknown, or has none."""
        return self._bound(context, user_id, attributes).variant(key)

    def value(
        self,
        key: str,
        context: Context | None = None,
        /,
        *,
        default: Any,
        user_id: str | None = None,
        **attributes: Any,
    ) -> Any:
        """Return the value of the variant that the context is on, else `default`. Do not modify what it returns."""
        return self._bound(context, user_id, attributes).value(key, default=default)

    def explain(
        self,
        key: str,
        context: Context | None = None,
        /,
        *,
        default: bool = False,
        user_id: str | None = None,
        **attributes: Any,
    ) -> Decision:
        """Return the decision with its reason and every step that led to it. Not counted as a use of the flag."""
        return self._bound(context, user_id, attributes).explain(key, default=default)

    def all(
        self, context: Context | None = None, /, *, user_id: str | None = None, **attributes: Any
    ) -> dict[str, Decision]:
        """Return the decision on every flag, by key. Not counted; takes about 10 µs for each flag."""
        return self._bound(context, user_id, attributes).all()

    def bind(self, context: Context | None = None, /, *, user_id: str | None = None, **attributes: Any) -> BoundFlags:
        """Return the same calls for one context, pinned to the state now in force."""
        return self._bound(context, user_id, attributes)

    def watch(
        self, context: Context | None = None, /, *, user_id: str | None = None, **attributes: Any
    ) -> WatchedFlags:
        """Return the same as `bind`, which also counts how the request or job ended, for each flag asked in it.

        Use it as a context manager around the request or job. The middleware for web frameworks does.
        """
        return WatchedFlags(self._bound(context, user_id, attributes))

    def track(
        self,
        key: str,
        context: Context | None = None,
        /,
        *,
        error: bool = False,
        duration_s: float | None = None,
        enabled: bool | None = None,
        variant: str | None = None,
    ) -> None:
        """Count that the code behind a flag ran, and how it ended.

        `enabled` says which side ran: the code for "on", or that for "off"; `variant`, for which variant. Without
        `enabled`, both are what the flag decides for `context`; and where there is no context either, it is "on".
        """
        if context is not None and enabled is None:
            self._bound(context, None, {}).track(key, error=error, duration_s=duration_s, variant=variant)
            return
        ending = Ending.ERROR if error else Ending.SUCCESS
        self._ruleset.runs.add(key, ending, duration_s, enabled=enabled is not False, variant=variant)

    def guard(
        self,
        key: str,
        context: Context | None = None,
        /,
        *,
        enabled: bool | None = None,
        variant: str | None = None,
        expected: Kinds = (),
        trip: Circuit | None = None,
    ) -> Guard:
        """Count, as `track` does, how the block under `with` ended and how long it took.

        An exception passes through, and counts as an error unless it is an `expected` one. With `trip`, too many of
        them turn the flag off in this process at once, for a while; see `Circuit`. The guard says in `enabled` (and
        `variant`) which code is to run:

            with flags.guard("checkout", context, trip=Circuit(errors=5, within_s=30, cool_down_s=60)) as run:
                new_checkout() if run.enabled else old_checkout()
        """
        if context is not None and enabled is None:
            return self._bound(context, None, {}).guard(key, variant=variant, expected=expected, trip=trip)
        breaker = None if trip is None else self._ruleset.circuits.breaker(key, trip, self._monotonic)
        side = Side(enabled is not False, variant)
        return Guard(self._ruleset, self._monotonic, key, side, expected=expected, breaker=breaker)

    def _bound(self, context: Context | None, user_id: str | None, attributes: dict[str, Any]) -> BoundFlags:
        return BoundFlags(self._ruleset, self._monotonic, merged(context, user_id, attributes))
