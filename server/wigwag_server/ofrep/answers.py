"""Decisions in the words of OFREP. Pure.

Source: OFREP 0.3.0. Some of its clients need more than it asks for: `variant` and `reason` on every success,
`errorDetails` on every failure.
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from wigwag_proto.codec import encode
from wigwag_proto.context import Context
from wigwag_proto.decision import Decision, Reason
from wigwag_proto.flag import Flag
from wigwag_proto.outcome import Outcome

# OFREP knows five reasons. Ours, which says more, is in the metadata.
REASONS: Mapping[Reason, str] = {
    Reason.UNKNOWN_FLAG: "UNKNOWN",
    Reason.KILLED: "DISABLED",
    Reason.DISABLED: "DISABLED",
    Reason.FAIL_SAFE: "DISABLED",
    Reason.CIRCUIT: "DISABLED",
    Reason.PREREQUISITE: "TARGETING_MATCH",
    Reason.BLACKLISTED: "TARGETING_MATCH",
    Reason.WHITELISTED: "TARGETING_MATCH",
    Reason.RULE_MISMATCH: "TARGETING_MATCH",
    Reason.NO_BUCKET_KEY: "SPLIT",
    Reason.ROLLOUT: "SPLIT",
    Reason.OVERRIDE: "TARGETING_MATCH",
    Reason.RULE_MATCH: "TARGETING_MATCH",
    Reason.STATIC: "STATIC",
}


def success(flag: Flag, decided: Outcome | Decision) -> dict[str, Any]:
    """Return a decision. A flag whose variants carry values has no `value` while it is off: the code's default counts.

    Any other flag is its own answer: true or false.
    """
    carries_values = any(variant.value is not None for variant in flag.variants) or any(
        variant.value is not None for override in flag.overrides for variant in override.variants
    )
    plain: dict[str, Any] = {
        "key": flag.key,
        "reason": _reason(decided),
        "variant": decided.variant.name if decided.variant else ("on" if decided.enabled else "off"),
        "metadata": {"wigwagReason": decided.reason.value, "revision": flag.revision},
    }
    if decided.enabled and decided.variant is not None and decided.variant.value is not None:
        plain["value"] = decided.variant.value
    elif not carries_values:
        plain["value"] = decided.enabled
    return plain


def _reason(decided: Outcome | Decision) -> str:
    if decided.variant is not None and REASONS[decided.reason] == "STATIC":
        return "SPLIT"
    return REASONS[decided.reason]


def failure(code: str, details: str, key: str | None = None) -> dict[str, Any]:
    """Return what went wrong."""
    return {**({} if key is None else {"key": key}), "errorCode": code, "errorDetails": details}


def etag_of(flags: Iterable[Mapping[str, Any]], context: Context, streams_until: int) -> str:
    """Return the ETag of a bulk answer: of the decisions, the context they are for, and the stream's URL.

    A client goes on with the URL that it has after a 304, so once there is another the answer must be a 200.
    """
    found = hashlib.sha256(encode(list(flags)))
    found.update(encode(sorted((key, repr(value)) for key, value in context.attributes.items())))
    found.update(str(streams_until).encode())
    return found.hexdigest()[:32]
