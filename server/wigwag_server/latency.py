"""How long something takes, as Prometheus counts it: in buckets, each with all that took no longer."""

from collections.abc import Sequence

# From what a commit takes on a good day to what ends in an error.
BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Latency:
    """A histogram. Never reset."""

    def __init__(self, bounds_s: Sequence[float] = BOUNDS_S) -> None:
        self._bounds_s = bounds_s
        self._counts = [0] * (len(bounds_s) + 1)
        self.sum_s = 0.0

    def observe(self, took_s: float) -> None:
        """Count one."""
        self.sum_s += took_s
        place = next((n for n, bound in enumerate(self._bounds_s) if took_s <= bound), len(self._bounds_s))
        self._counts[place] += 1

    @property
    def buckets(self) -> list[tuple[str, float]]:
        """Each bound as text, and how many took no longer than that."""
        total, found = 0, []
        for bound, count in zip([*map(str, self._bounds_s), "+Inf"], self._counts, strict=True):
            total += count
            found.append((bound, float(total)))
        return found
