"""wigwag as a provider of OpenFeature, the vendor-neutral API. Needs the extra `openfeature`.

    api.set_provider(WigwagProvider(client))
    api.get_client().get_boolean_value("new_checkout", False, EvaluationContext("u1", {"plan": "premium"}))

How wigwag's decisions appear there is in docs/openfeature.md. One thing is as everywhere in wigwag: a boolean flag that
is killed or off is False, whatever default was asked with.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from openfeature.evaluation_context import EvaluationContext
from openfeature.event import ProviderEventDetails
from openfeature.exception import FlagNotFoundError, GeneralError, TypeMismatchError
from openfeature.flag_evaluation import FlagResolutionDetails, FlagValueType
from openfeature.flag_evaluation import Reason as StandardReason
from openfeature.hook import Hook
from openfeature.provider import AbstractProvider, Metadata
from openfeature.track import TrackingEventDetails

from wigwag.client import FlagClient
from wigwag.status import Source, Status
from wigwag_proto.bucketing import split_limits
from wigwag_proto.context import Context
from wigwag_proto.decision import Decision, Reason
from wigwag_proto.evaluate import pickable
from wigwag_proto.flag import Flag
from wigwag_proto.outcome import Outcome
from wigwag_proto.ruleset import FlagChange

logger = logging.getLogger(__name__)

T = TypeVar("T")
Structure = Sequence[FlagValueType] | Mapping[str, FlagValueType]

REASONS = {
    Reason.KILLED: StandardReason.DISABLED,
    Reason.DISABLED: StandardReason.DISABLED,
    Reason.FAIL_SAFE: StandardReason.STALE,
    Reason.CIRCUIT: StandardReason.DISABLED,
    Reason.PREREQUISITE: StandardReason.DEFAULT,
    Reason.BLACKLISTED: StandardReason.TARGETING_MATCH,
    Reason.WHITELISTED: StandardReason.TARGETING_MATCH,
    Reason.RULE_MISMATCH: StandardReason.DEFAULT,
    Reason.NO_BUCKET_KEY: StandardReason.DEFAULT,
    Reason.ROLLOUT: StandardReason.SPLIT,
    Reason.OVERRIDE: StandardReason.TARGETING_MATCH,
    Reason.RULE_MATCH: StandardReason.TARGETING_MATCH,
}
AFTER_READY_S = 0.2  # the SDK declares a provider ready after `initialize`; what is not so is said again then


class WigwagProvider(AbstractProvider):
    """Answers OpenFeature's clients by a `FlagClient`.

    In an async app, start the client first (`async with client:`), and close it yourself. A client that nobody has
    started is started by `initialize`, in a thread of its own, and closed by `shutdown`: that suits a program without
    an event loop. `hooks` run for every evaluation.
    """

    def __init__(self, client: FlagClient, *, hooks: Sequence[Hook] = ()) -> None:
        super().__init__()
        self._client = client
        self._hooks = list(hooks)
        self._started_here = False
        self._changed: list[str] = []
        self._ends: list[Callable[[], None]] = []

    def get_metadata(self) -> Metadata:
        """Name the provider."""
        return Metadata(name="wigwag")

    def get_provider_hooks(self) -> list[Hook]:
        """Return the hooks of every evaluation."""
        return list(self._hooks)

    def initialize(self, evaluation_context: EvaluationContext) -> None:  # noqa: ARG002  # each evaluation has its own
        """Follow the client. Raises GeneralError while no flags are known; the provider gets ready once they are."""
        if not self._ends:
            self._ends = [self._client.on_status(self._tell), self._client.on_change(self._note)]
        if self._client.start_in_thread():
            self._started_here = True
        status = self._client.status
        if status.source is Source.DEFAULTS:
            raise GeneralError(status.last_error or "no flags are known yet, neither from the server nor from disk")
        if status.source is Source.LAST_KNOWN:
            again = threading.Timer(AFTER_READY_S, lambda: self._tell(self._client.status))
            again.daemon = True
            again.start()

    def shutdown(self) -> None:
        """Let go of the client, and close it if it was started here."""
        for end in self._ends:
            end()
        self._ends = []
        if self._started_here:
            self._started_here = False
            # In a thread of its own: whoever calls this may stand on an event loop, which is not the client's.
            closing = threading.Thread(target=lambda: asyncio.run(self._client.close()), name="wigwag close")
            closing.start()
            closing.join()

    def track(
        self,
        tracking_event_name: str,
        evaluation_context: EvaluationContext | None = None,
        tracking_event_details: TrackingEventDetails | None = None,
    ) -> None:
        """Count a run of the code behind the flag that the event is named after.

        The attributes `error` (true: it failed) and `durationS` (seconds) are understood.
        """
        attributes = {} if tracking_event_details is None else tracking_event_details.attributes
        duration = attributes.get("durationS")
        self._client.track(
            tracking_event_name,
            _context(evaluation_context),
            error=attributes.get("error") is True,
            duration_s=duration if isinstance(duration, (int, float)) else None,
        )

    # Evaluations. The async ones, which the base class has, call these: nothing here waits.

    def resolve_boolean_details(
        self,
        flag_key: str,
        default_value: bool,  # noqa: FBT001  # the standard's signature
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[bool]:
        """Decide a flag: on or off, or the boolean value of its variant."""
        flag, result = self._decide(flag_key, default_value, evaluation_context)
        if not result.enabled:
            return _details(flag, result, value=False)
        if result.variant is None or result.variant.value is None:
            return _details(flag, result, value=True)
        return _details(flag, result, value=_as_bool(result.variant.value))

    def resolve_string_details(
        self, flag_key: str, default_value: str, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[str]:
        """Return the value of the variant, where it is text."""
        return self._resolve(flag_key, default_value, evaluation_context, _as_text)

    def resolve_integer_details(
        self, flag_key: str, default_value: int, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[int]:
        """Return the value of the variant, where it is a whole number."""
        return self._resolve(flag_key, default_value, evaluation_context, _as_int)

    def resolve_float_details(
        self, flag_key: str, default_value: float, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[float]:
        """Return the value of the variant, where it is a number."""
        return self._resolve(flag_key, default_value, evaluation_context, _as_float)

    def resolve_object_details(
        self, flag_key: str, default_value: Structure, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[Structure]:
        """Return the value of the variant, where it is an object or a list."""
        return self._resolve(flag_key, default_value, evaluation_context, _as_structure)

    def _resolve(
        self, key: str, default: T, context: EvaluationContext | None, read: Callable[[Any], T]
    ) -> FlagResolutionDetails[T]:
        flag, result = self._decide(key, default, context)
        if result.enabled and result.variant is not None:
            return _details(flag, result, value=read(result.variant.value))
        if result.enabled and not _has_variants(flag):
            raise TypeMismatchError(f"flag {key!r} is on or off, and has no value")
        return _details(flag, result, value=default)

    def _decide(self, key: str, default: Any, context: EvaluationContext | None) -> tuple[Flag, Outcome | Decision]:
        flags = self._client.watch(_context(context))
        flags.is_enabled(key, default is True)
        result, flag = flags.decided.get(key), flags.flag(key)
        if result is None or flag is None:
            raise FlagNotFoundError(f"there is no flag {key!r}")
        return flag, result

    # Events, on the event loop of the client.

    def _tell(self, status: Status) -> None:
        details = ProviderEventDetails(message=status.last_error)
        if status.source is Source.DEFAULTS:
            self.emit_provider_error(details)
        elif status.source is Source.LAST_KNOWN:
            self.emit_provider_stale(details)
        else:
            self.emit_provider_ready(ProviderEventDetails())

    def _note(self, change: FlagChange) -> None:
        """Gather the changes of one commit into one event: they are told one after another, in one go."""
        first = not self._changed
        if change.key not in self._changed:
            self._changed.append(change.key)
        if first:
            try:
                asyncio.get_running_loop().call_soon(self._tell_changes)
            except RuntimeError:  # a client without a server, in a program without an event loop
                self._tell_changes()

    def _tell_changes(self) -> None:
        changed, self._changed = self._changed, []
        self.emit_provider_configuration_changed(ProviderEventDetails(flags_changed=changed))


def _context(context: EvaluationContext | None) -> Context:
    """Return the context as wigwag knows it: the targeting key is the user id, where the attributes have none."""
    if context is None:
        return Context()
    key = context.targeting_key
    return Context.from_plain({**context.attributes, **({"targetingKey": key} if key else {})})


def _details(flag: Flag, result: Outcome | Decision, *, value: T) -> FlagResolutionDetails[T]:
    metadata: dict[str, bool | int | float | str] = {
        "wigwagReason": result.reason.value,
        "revision": flag.revision,
        "kind": str(flag.kind),
    }
    if flag.owner:
        metadata["owner"] = flag.owner
    return FlagResolutionDetails(
        value=value,
        reason=_reason(flag, result),
        variant=None if result.variant is None else result.variant.name,
        flag_metadata=metadata,
    )


def _reason(flag: Flag, result: Outcome | Decision) -> StandardReason:
    """Return the standard's reason. Its "static" means that the flag could not have been anything else."""
    if result.reason is not Reason.STATIC:
        return REASONS.get(result.reason, StandardReason.UNKNOWN)
    if len(pickable(split_limits([variant.weight for variant in flag.variants]))) > 1:
        return StandardReason.SPLIT
    dynamic = flag.overrides or flag.whitelist or flag.blacklist or flag.requires or flag.fail_safe_after
    return StandardReason.DEFAULT if dynamic else StandardReason.STATIC


def _has_variants(flag: Flag) -> bool:
    return bool(flag.variants) or any(override.variants for override in flag.overrides)


def _mismatch(value: Any, wanted: str) -> TypeMismatchError:
    return TypeMismatchError(f"the value is {type(value).__name__}, not {wanted}")


def _as_bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise _mismatch(value, "a boolean")


def _as_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    raise _mismatch(value, "text")


def _as_int(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != int(value):
        raise _mismatch(value, "a whole number")
    return int(value)


def _as_float(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _mismatch(value, "a number")
    return float(value)


def _as_structure(value: Any) -> Structure:
    if isinstance(value, (dict, list)):
        return value
    raise _mismatch(value, "an object or a list")
