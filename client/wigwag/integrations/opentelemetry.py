"""Decisions as events on spans, by OpenTelemetry's conventions for feature flags. Needs the extra `otel`.

    app = FlagsMiddleware(TracedFlagsMiddleware(app), client)      # for every request
    flags = TracedFlags(client.bind(user_id="u1"))                 # or by hand

Each decision adds an event `feature_flag.evaluation` to the span that is current then. Where none is recorded, it costs
next to nothing more than without. An app that goes through OpenFeature has hooks for this in its SDK.

Source: OpenTelemetry semantic conventions, "Feature flags" (attributes `feature_flag.*`, `error.type`).
"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from opentelemetry import trace
from opentelemetry.util.types import AttributeValue

from wigwag.bound import BoundFlags
from wigwag.watched import MOST_DECIDED, WatchedFlags
from wigwag_proto.context import USER_ID
from wigwag_proto.decision import Decision, Reason, Variant
from wigwag_proto.outcome import Outcome

EVENT = "feature_flag.evaluation"
Scope = MutableMapping[str, Any]
AsgiApp = Callable[[Any, Any, Any], Awaitable[None]]

# The convention's names for why; wigwag's own stand in `wigwag.reason`.
REASONS = {
    Reason.KILLED: "disabled",
    Reason.DISABLED: "disabled",
    Reason.FAIL_SAFE: "stale",
    Reason.CIRCUIT: "disabled",
    Reason.PREREQUISITE: "default",
    Reason.BLACKLISTED: "targeting_match",
    Reason.WHITELISTED: "targeting_match",
    Reason.RULE_MISMATCH: "default",
    Reason.NO_BUCKET_KEY: "default",
    Reason.ROLLOUT: "split",
    Reason.OVERRIDE: "targeting_match",
    Reason.RULE_MATCH: "targeting_match",
    Reason.STATIC: "static",
}


class TracedFlags(WatchedFlags):
    """Flags bound for one context, in the same state, whose decisions show on the current span.

    With `context_id` the user id is on the events too: it is personal data, so it is not unless asked for.
    """

    __slots__ = ("_context_id",)

    def __init__(self, flags: BoundFlags, *, context_id: bool = False) -> None:
        super().__init__(flags)
        self._state = flags._state  # noqa: SLF001  # of the same class: what was pinned stays pinned
        if isinstance(flags, WatchedFlags):
            self.decided = flags.decided  # whoever watches those counts what is decided here
        self._context_id = context_id

    def is_enabled(self, key: str, default: bool = False) -> bool:  # noqa: FBT001, FBT002  # as in BoundFlags
        """Return whether a flag is on; `default` where there is no such flag."""
        result = self._decide(key, default=default)
        enabled = default if result is None else result.enabled
        self._tell(key, result, value=enabled)
        return enabled

    def variant(self, key: str) -> Variant | None:
        """Return the variant that the context is on; None where the flag is off, unknown, or has none."""
        result = self._decide(key, default=False)
        found = None if result is None else result.variant
        self._tell(key, result, value=None if found is None else found.value)
        return found

    def _decide(self, key: str, *, default: bool) -> Outcome | Decision | None:
        try:
            outcome = self._state.table[key].check(self._attributes)
            if outcome is not None:
                outcome.tally.n += 1
                if len(self.decided) < MOST_DECIDED:
                    self.decided.setdefault(key, outcome)
                return outcome
        except Exception:  # noqa: BLE001, S110  # an unknown flag, or an exotic attribute
            pass
        return self.answer(key, default=default)

    def _tell(self, key: object, result: Outcome | Decision | None, *, value: Any) -> None:
        span = trace.get_current_span()
        if span.is_recording():
            span.add_event(EVENT, self._described(str(key)[:128], result, value))

    def _described(self, key: str, result: Outcome | Decision | None, value: Any) -> dict[str, AttributeValue]:
        said: dict[str, AttributeValue] = {"feature_flag.key": key, "feature_flag.provider.name": "wigwag"}
        if result is None:
            said |= {"feature_flag.result.reason": "error", "error.type": "flag_not_found"}
        else:
            said |= {"feature_flag.result.reason": REASONS[result.reason], "wigwag.reason": str(result.reason)}
            if result.variant is not None:
                said["feature_flag.result.variant"] = result.variant.name
            flag = self.flag(key)
            if flag is not None:
                said["feature_flag.version"] = str(flag.revision)
        if isinstance(value, (bool, int, float, str)):  # objects have no place in attributes of span events
            said["feature_flag.result.value"] = value
        user_id = self._attributes.get(USER_ID) if self._context_id else None
        if user_id is not None:
            said["feature_flag.context.id"] = str(user_id)
        return said


class TracedFlagsMiddleware:
    """Has the flags of every request show on its spans. Stands inside `FlagsMiddleware`, which makes them."""

    def __init__(self, app: AsgiApp, *, context_id: bool = False) -> None:
        self.app = app
        self._context_id = context_id

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Serve one request, web socket or lifespan."""
        flags = scope.get("state", {}).get("flags")
        if isinstance(flags, BoundFlags):
            traced = TracedFlags(flags, context_id=self._context_id)
            scope = {**scope, "state": {**scope["state"], "flags": traced}}
        await self.app(scope, receive, send)
