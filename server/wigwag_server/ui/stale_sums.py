"""How many flags of an environment should go away, counted once a minute at most.

To judge ten thousand flags reads all that is known of their use: too much for everybody who has the overview open, and
whatever is stale was so a minute ago.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

from aiohttp import web

KEPT_S = 60.0


class StaleSums:
    """Keeps what was counted lately."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[float, int]] = {}
        self._counting = asyncio.Lock()  # who comes meanwhile waits for that, and does not count too

    async def of(self, environment: str, count: Callable[[], Awaitable[int]]) -> int:
        """Return the number. Raises what counting raises."""
        async with self._counting:
            known = self._kept.get(environment)
            if known is None or time.monotonic() - known[0] > KEPT_S:
                known = self._kept[environment] = time.monotonic(), await count()
            return known[1]


STALE_SUMS = web.AppKey("stale_sums", StaleSums)
