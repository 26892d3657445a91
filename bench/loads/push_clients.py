"""N real `FlagClient`s in one process, each with its own connections, replica and compiled flags."""

import asyncio

from bench.loads.load import Arrivals, Orders, forever, run, say
from wigwag import FlagChange, FlagClient, Settings

PATIENCE_S = 60.0
STARTS_AT_ONCE = 50


async def push_clients(orders: Orders) -> None:
    """Start the clients, say that they are ready, and report every change that has reached all of them."""
    settings = Settings(cache_dir=None, start_timeout_s=PATIENCE_S)
    clients = [FlagClient(orders.url, orders.key, settings=settings) for _ in range(orders.clients)]
    arrivals = Arrivals(orders.clients)
    turn = asyncio.Semaphore(STARTS_AT_ONCE)
    try:
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.gather(*(_follow(client, orders.flag, arrivals, turn) for client in clients))
        say(ready=len(clients))
        await forever()
    finally:
        await asyncio.gather(*(client.close() for client in clients))


async def _follow(client: FlagClient, flag: str, arrivals: Arrivals, turn: asyncio.Semaphore) -> None:
    def changed(change: FlagChange) -> None:
        if change.key == flag:
            # Asked first, timed after: what counts is that the client answers by it.
            arrivals.record(change.revision, enabled=client.is_enabled(flag))

    async with turn:
        await client.start()
        while not client.status.connected:  # noqa: ASYNC110 - a status has no event to wait for
            await asyncio.sleep(0.005)
    client.on_change(changed)


if __name__ == "__main__":
    run(push_clients)
