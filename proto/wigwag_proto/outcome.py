"""The few results that one flag can have."""

from wigwag_proto.decision import Reason, Variant
from wigwag_proto.usage import Tally


class Outcome:
    """One of the few results that a flag can have, made once when it is compiled."""

    __slots__ = ("enabled", "name", "reason", "tally", "variant")

    def __init__(self, reason: Reason, variant: Variant | None, tally: Tally, *, enabled: bool) -> None:
        self.enabled = enabled
        self.reason = reason
        self.variant = variant
        self.name = None if variant is None else variant.name
        self.tally = tally
