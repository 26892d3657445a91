"""N clients of the kind that is replaced: each asks for the snapshot every so often, with an ETag."""

import asyncio
from contextlib import AsyncExitStack

import aiohttp

from bench.loads.load import Arrivals, Orders, run, say
from wigwag_proto.codec import decode
from wigwag_proto.commit import Cursor

FIRST_LOADS_AT_ONCE = 50


class Poller:
    """One client: a connection of its own, as in a process of its own, and the last answer."""

    def __init__(self, orders: Orders, session: aiohttp.ClientSession, arrivals: Arrivals) -> None:
        self.requests = 0
        self.enabled = False
        self._url = f"{orders.url}/v1/snapshot"
        self._flag = orders.flag
        self._session = session
        self._arrivals = arrivals
        self._etag = ""

    async def load(self) -> None:
        """Ask once. An answer in full counts from when it is decoded."""
        self.requests += 1
        async with self._session.get(self._url, headers={"If-None-Match": self._etag}) as response:
            if response.status == 304:
                return
            response.raise_for_status()
            snapshot = decode(await response.read())
            known, self._etag = self._etag, response.headers["ETag"]
        flag = snapshot["flags"][self._flag]
        self.enabled = flag["enabled"] and flag["kill"] is None
        if known:
            self._arrivals.record(Cursor.parse(snapshot["cursor"]).revision, enabled=self.enabled)

    async def run(self, first_at: float, interval_s: float) -> None:
        """Ask at `first_at` (loop time) and every `interval_s` after that, however long an answer takes."""
        loop = asyncio.get_running_loop()
        due = first_at
        while True:
            await asyncio.sleep(due - loop.time())
            await self.load()
            due += interval_s


async def pollers(orders: Orders) -> None:
    """Load once, poll at rest for one interval, say what that took, and report every change that has reached all."""
    arrivals = Arrivals(orders.clients)
    async with AsyncExitStack() as stack:
        headers = {"Authorization": f"Bearer {orders.key}"}
        sessions = [
            await stack.enter_async_context(aiohttp.ClientSession(headers=headers)) for _ in range(orders.clients)
        ]
        made = [Poller(orders, session, arrivals) for session in sessions]
        await _load_all(made)
        async with asyncio.TaskGroup() as tasks:
            start = asyncio.get_running_loop().time()
            for index, poller in enumerate(made):
                tasks.create_task(poller.run(start + index / len(made) * orders.interval_s, orders.interval_s))
            await _rest(made, orders.interval_s)


async def _load_all(made: list[Poller]) -> None:
    turn = asyncio.Semaphore(FIRST_LOADS_AT_ONCE)

    async def load(poller: Poller) -> None:
        async with turn:
            await poller.load()

    await asyncio.gather(*(load(poller) for poller in made))


async def _rest(made: list[Poller], interval_s: float) -> None:
    loop = asyncio.get_running_loop()
    before, since = sum(poller.requests for poller in made), loop.time()
    await asyncio.sleep(interval_s)
    say(
        ready=len(made),
        requests=sum(poller.requests for poller in made) - before,
        seconds=loop.time() - since,
    )


if __name__ == "__main__":
    run(pollers)
