"""How many flags should go away, counted once a minute for each state of an environment.

To judge ten thousand flags reads all that is known of their use: too much for everybody who has the overview open, and
whatever is stale was so a minute ago.
"""

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from aiohttp import web

MOST_KEPT = 64
KEPT_S = 60.0


class StaleSums:
    """Keeps what was counted lately."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, str], tuple[float, int]] = OrderedDict()

    async def of(self, state: tuple[str, str], count: Callable[[], Awaitable[int]]) -> int:
        """Return the number. `state` is the environment, and its cursor."""
        known = self._kept.get(state)
        if known is None or time.monotonic() - known[0] > KEPT_S:
            known = self._kept[state] = time.monotonic(), await count()
            self._kept.move_to_end(state)
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        return known[1]


STALE_SUMS = web.AppKey("stale_sums", StaleSums)
