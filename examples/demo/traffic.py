"""Visitors of the shop: a steady stream of requests, and what they were answered lately."""

import asyncio
import random
import time
from collections import deque
from typing import Any

import aiohttp

from examples.demo.flags import FLAGS
from wigwag_proto.tasks_io import Tasks

REQUESTS_PER_S = 100
MOST_AT_ONCE = 50
WINDOW_S = 3.0


class Traffic:
    """Sends requests until cancelled. `answered` counts them; `counts` tells on and off of the last seconds."""

    def __init__(self, session: aiohttp.ClientSession, shop_url: str) -> None:
        self.answered = 0
        self.failed = 0
        self._session = session
        self._url = shop_url
        self._rng = random.Random(1)
        self._lately: deque[tuple[float, dict[str, Any]]] = deque()
        self._under_way = 0

    async def run(self) -> None:
        """Send a request every 10 ms, whether or not the one before is answered."""
        visits = Tasks()
        due = time.monotonic()
        try:
            while True:
                if self._under_way < MOST_AT_ONCE:
                    visits.start("visit", self._visit())
                due = max(due + 1 / REQUESTS_PER_S, time.monotonic() - 0.1)
                await asyncio.sleep(due - time.monotonic())
        finally:
            await visits.close()

    def forget(self) -> None:
        """Count anew from now on."""
        self._lately.clear()

    def counts(self) -> dict[str, tuple[int, int]]:
        """Return for each flag how many of the last seconds' answers said on, and how many off."""
        while self._lately and self._lately[0][0] < time.monotonic() - WINDOW_S:
            self._lately.popleft()
        pages = [page for _, page in self._lately]
        on = {key: sum(page[key] for page in pages) for key in FLAGS}
        return {key: (on[key], len(pages) - on[key]) for key in FLAGS}

    async def _visit(self) -> None:
        visitor = {
            "user": f"user_{self._rng.randrange(100_000)}",
            "plan": self._rng.choice(["free", "free", "premium"]),
            "beta": self._rng.choice(["true", "false", "false", "false"]),
        }
        self._under_way += 1
        try:
            page = await ask(self._session, self._url, visitor)
        except (aiohttp.ClientError, OSError):
            self.failed += 1
        else:
            self.answered += 1
            self._lately.append((time.monotonic(), page))
        finally:
            self._under_way -= 1


async def ask(session: aiohttp.ClientSession, shop_url: str, visitor: dict[str, str]) -> dict[str, Any]:
    """Return what the shop answers to one visitor."""
    async with session.get(shop_url, params=visitor) as response:
        response.raise_for_status()
        page: dict[str, Any] = await response.json()
        return page
