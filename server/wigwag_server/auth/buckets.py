"""How often somebody may do something: token buckets, one for each name, in bounded memory. Pure."""

from collections import OrderedDict

MOST = 10_000


class Buckets:
    """Each name may do `burst` things at once, and then `per_s` a second. Time is in monotonic seconds.

    Of more than `most` names, the ones that were quiet for longest are forgotten: their buckets are full again.
    """

    def __init__(self, burst: float, per_s: float, most: int = MOST) -> None:
        self._burst = burst
        self._per_s = per_s
        self._most = most
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()  # what is left, and when that was so

    def take(self, name: str, now: float) -> float:
        """Take one if there is one, and return 0; else return in how many seconds there will be one."""
        left, then = self._left.pop(name, (self._burst, now))
        left = min(self._burst, left + max(0.0, now - then) * self._per_s)
        wait_s = 0.0 if left >= 1 else (1 - left) / self._per_s
        self._left[name] = (left if wait_s else left - 1, now)
        if len(self._left) > self._most:
            self._left.popitem(last=False)
        return wait_s

    def __len__(self) -> int:
        """Return how many names are remembered."""
        return len(self._left)
