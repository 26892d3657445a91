"""How long to wait before the next try: exponential, with full jitter.

Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
"""

from dataclasses import dataclass, replace
from random import Random
from typing import Self


@dataclass(frozen=True, slots=True)
class Backoff:
    """An immutable policy that returns its successor. Seconds throughout.

    The n-th failure in a row waits between `floor_s` and the lesser of `cap_s` and `base_s * 2**n`, evenly spread.
    """

    base_s: float = 0.1
    cap_s: float = 30.0
    floor_s: float = 0.0
    failures: int = 0

    def after_failure(self, rng: Random) -> tuple[float, Self]:
        """Return the delay before the next try, and the policy for the try after it."""
        ceiling_s = min(self.cap_s, self.base_s * 2 ** min(self.failures, 32))
        delay_s = rng.uniform(self.floor_s, max(self.floor_s, ceiling_s))
        return delay_s, replace(self, failures=self.failures + 1)

    def reset(self) -> Self:
        """Return the policy as it is before any failure."""
        return replace(self, failures=0)


RECONNECT = Backoff(base_s=0.1, cap_s=30.0)
# A key that was refused may be put right by a person, so no refusal is final; but not soon.
REFUSED = Backoff(base_s=600.0, cap_s=3600.0, floor_s=300.0)
