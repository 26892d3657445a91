"""What a decision says: on or off, why, and on which variant."""

from enum import StrEnum
from typing import Any

import msgspec


class Reason(StrEnum):
    """Why a flag is on or off, in the order in which the steps are tried (see `wigwag_proto.evaluate`)."""

    UNKNOWN_FLAG = "UNKNOWN_FLAG"
    KILLED = "KILLED"
    DISABLED = "DISABLED"
    FAIL_SAFE = "FAIL_SAFE"
    CIRCUIT = "CIRCUIT"
    PREREQUISITE = "PREREQUISITE"
    BLACKLISTED = "BLACKLISTED"
    WHITELISTED = "WHITELISTED"
    RULE_MISMATCH = "RULE_MISMATCH"
    NO_BUCKET_KEY = "NO_BUCKET_KEY"
    ROLLOUT = "ROLLOUT"
    OVERRIDE = "OVERRIDE"
    RULE_MATCH = "RULE_MATCH"
    STATIC = "STATIC"


class Variant(msgspec.Struct, frozen=True):
    """The arm of a split that a context is on. `value` is the flag's own JSON, shared: do not modify it."""

    name: str
    value: Any = None


class Decision(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """One decision with everything that led to it.

    `override` names the override that took over, and `rule` is the index of the first rule that did not match.
    `prerequisite` is the required flag that was not on. `bucket` (rollout) and `split` (variants) are 0–99,999,
    or None where that step was not taken. `revision` is the one that last changed the flag. `steps` says in words
    what was tried, in order.
    """

    flag: str
    enabled: bool
    reason: Reason
    variant: Variant | None = None
    override: str | None = None
    rule: int | None = None
    prerequisite: str | None = None
    bucket: int | None = None
    split: int | None = None
    revision: int = 0
    steps: tuple[str, ...] = ()
