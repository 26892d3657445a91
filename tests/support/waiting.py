"""Waiting for a condition, never for a time."""

import asyncio
from collections.abc import Awaitable, Callable

PATIENCE_S = 20.0
LOOK_EVERY_S = 0.005


async def until(condition: Callable[[], bool], what: str = "the condition", timeout_s: float = PATIENCE_S) -> None:
    """Return as soon as the condition holds; fail, saying what did not come about, after `timeout_s`."""
    try:
        async with asyncio.timeout(timeout_s):
            while not condition():
                await asyncio.sleep(LOOK_EVERY_S)
    except TimeoutError:
        raise AssertionError(f"waited {timeout_s} s in vain for {what}") from None


async def until_async(
    condition: Callable[[], Awaitable[bool]], what: str = "the condition", timeout_s: float = PATIENCE_S
) -> None:
    """Return as soon as the awaited condition holds."""
    try:
        async with asyncio.timeout(timeout_s):
            while not await condition():
                await asyncio.sleep(LOOK_EVERY_S)
    except TimeoutError:
        raise AssertionError(f"waited {timeout_s} s in vain for {what}") from None
