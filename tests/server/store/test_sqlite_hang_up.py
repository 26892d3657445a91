"""Whoever asks an embedded store may hang up at any moment: those who ask next must not notice."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from wigwag_server.store.beside import open_beside
from wigwag_server.store.from_url import open_store


async def hung_up(ask: Callable[[], Awaitable[object]], turns: int) -> None:
    """Ask, and be gone after so many turns of the event loop."""
    task = asyncio.ensure_future(ask())
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_store_goes_on_after_readers_that_hung_up(tmp_path: Path) -> None:
    store = await open_store(f"sqlite:{tmp_path / 'flags.db'}", settle_s=0.1)
    for turns in range(12):
        await hung_up(lambda: store.load("production"), turns)
        assert await store.load("production") is None
    await store.close()


async def test_so_does_what_is_kept_beside_it(tmp_path: Path) -> None:
    roster, usage = await open_beside(f"sqlite:{tmp_path / 'flags.db'}", instances_limit=10)
    for turns in range(12):
        await hung_up(lambda: usage.asked("production"), turns)
        assert await usage.asked("production") == {}
    await roster.close()
    await usage.close()
