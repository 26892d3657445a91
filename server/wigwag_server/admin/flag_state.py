"""What a flag is, in a word: what people look for when they search. Pure."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from wigwag_proto.bucketing import rollout_limit

# What lets in some of those who get to a flag, and not others.
NARROWING = ("rules", "overrides", "blacklist", "requires")


class FlagState(StrEnum):
    """For whom a flag is on. `damaged` is one whose record cannot be read."""

    KILLED = "killed"
    OFF = "off"
    PARTIAL = "partial"
    ON = "on"
    DAMAGED = "damaged"


def flag_state(flag: Any, *, killed: bool = False) -> FlagState:
    """Return the state of a plain flag; `killed` says that a kill is in force which does not stand in it.

    `off` is not enabled, or at 0 % with nobody in the whitelist and no override; `on` is at 100 % with no rules,
    overrides, blacklist and required flags; `partial` is everything between.
    """
    if killed or (isinstance(flag, Mapping) and flag.get("kill") is not None):
        return FlagState.KILLED
    if not isinstance(flag, Mapping):
        return FlagState.DAMAGED
    if flag.get("enabled") is not True:
        return FlagState.OFF
    percentage = flag.get("rolloutPercentage", 100)
    if isinstance(percentage, bool) or not isinstance(percentage, (int, float)):
        return FlagState.DAMAGED
    limit = rollout_limit(percentage)
    if limit <= 0 and not flag.get("whitelist") and not flag.get("overrides"):
        return FlagState.OFF
    if limit >= rollout_limit(100) and not any(flag.get(field) for field in NARROWING):
        return FlagState.ON
    return FlagState.PARTIAL
