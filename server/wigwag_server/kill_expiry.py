"""Kills that end by themselves: at `until` the server lifts them."""

import asyncio
import logging
import time

from wigwag_proto.commit import Commit, Epoch
from wigwag_proto.errors import StoreUnavailable
from wigwag_server.admin.flag_commands import LiftExpiredKills, expiring_kills
from wigwag_server.environment import Environment

logger = logging.getLogger(__name__)

# The wall clock may be set while a kill is running: it is looked at again at least this often.
LOOK_S = 5.0


class KillExpiry:
    """Follows an environment as a listener. With several servers each tries, and all but one find nothing to do."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._changed = asyncio.Event()

    def loaded(self) -> None:
        """Look anew."""
        self._changed.set()

    def committed(self, epoch: Epoch, commit: Commit) -> None:  # noqa: ARG002 - a listener's signature
        """Look anew when a flag has changed."""
        self._changed.set()

    async def run(self) -> None:
        """Lift what has run out. Runs until cancelled."""
        while True:
            self._changed.clear()
            untils = [until for _, until in expiring_kills(self._environment.replica.records)]
            due_s = min(untils) / 1000 - time.time() if untils else None
            if due_s is not None and due_s <= 0:
                await self._lift()
            else:
                await self._wait(min(due_s, LOOK_S) if due_s is not None else None)

    async def _lift(self) -> None:
        try:
            cursor = await self._environment.commit(LiftExpiredKills())
            logger.info("no kill of %s that has run out is in force at %s", self._environment.name, cursor)
        except StoreUnavailable as error:
            logger.warning("kills of %s have run out and cannot be lifted yet: %s", self._environment.name, error)
            await asyncio.sleep(LOOK_S)

    async def _wait(self, timeout_s: float | None) -> None:
        try:
            async with asyncio.timeout(timeout_s):
                await self._changed.wait()
        except TimeoutError:
            pass
