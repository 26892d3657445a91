"""Kill a flag while somebody asks for it without a pause, and measure until the answers change."""

import asyncio
import time
from dataclasses import dataclass

import aiohttp

from examples.demo.children import DemoFailed
from examples.demo.flags import KILLED
from examples.demo.traffic import ask
from wigwag.cli.admin_client import AdminClient
from wigwag_proto.tasks_io import Tasks

PREMIUM = {"user": "user_1", "plan": "premium"}
WATCH_S = 1.0
PATIENCE_S = 5.0


@dataclass(frozen=True, slots=True)
class Measured:
    """Milliseconds from the sending of the kill. `since` answers came after the first that was off."""

    acknowledged_ms: float
    changed_ms: float
    since: int


async def kill_and_measure(admin: AdminClient, session: aiohttp.ClientSession, shop_url: str) -> Measured:
    """Kill the flag. Raises DemoFailed when it was not on before, or goes on being on."""
    answers: list[tuple[float, bool]] = []
    tasks = Tasks()
    tasks.start("watching", _watch(session, shop_url, answers))
    try:
        await asyncio.sleep(0.2)
        if not answers or not all(on for _, on in answers):
            raise DemoFailed(f"{KILLED} was not on for a premium user before the kill")
        sent_at = time.monotonic()
        await admin.kill(KILLED, "the demo")
        acknowledged_at = time.monotonic()
        changed_at = await _first_off(answers)
        await asyncio.sleep(WATCH_S)
    finally:
        await tasks.close()
    since = [on for at, on in answers if at > changed_at]
    if any(since):
        raise DemoFailed(f"{KILLED} was on again after the kill had arrived")
    return Measured((acknowledged_at - sent_at) * 1000, (changed_at - sent_at) * 1000, len(since))


async def _watch(session: aiohttp.ClientSession, shop_url: str, answers: list[tuple[float, bool]]) -> None:
    while True:
        page = await ask(session, shop_url, PREMIUM)
        answers.append((time.monotonic(), page[KILLED]))


async def _first_off(answers: list[tuple[float, bool]]) -> float:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        for at, on in answers:
            if not on:
                return at
        await asyncio.sleep(0.01)
    raise DemoFailed(f"the kill was acknowledged, but the shop's answers did not change within {PATIENCE_S:.0f} s")
