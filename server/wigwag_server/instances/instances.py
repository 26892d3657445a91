"""All that a server knows of client instances: one roster for all servers, and a presence for each environment."""

import asyncio
import logging
import os
import socket
import time
from collections import OrderedDict
from collections.abc import Generator
from contextlib import contextmanager, suppress
from http import HTTPStatus

from wigwag_proto.errors import StoreUnavailable
from wigwag_proto.replica import Replica
from wigwag_proto.telemetry import Instance
from wigwag_server.instances.presence import Presence
from wigwag_server.instances.roster import Look, Roster
from wigwag_server.problems import Problem

logger = logging.getLogger(__name__)

BEAT_S = 1.0
LINGER_S = 0.02  # what happens within this is written together
REAP_EVERY_S = 30.0
CLOSE_S = 1.0
# One reading serves everybody who asks within this, or within five times what it took, if that is longer: ten
# thousand instances that are watched by many must not keep the server from its work.
LOOK_EVERY_S = 0.02
LOOKS_KEPT = 64
WATCHERS = 100


class Instances:
    """Made once a server. `run` writes into the roster what the presences have noted."""

    def __init__(self, roster: Roster, server_id: str, *, limit: int) -> None:
        self.roster = roster
        self._server_id = server_id
        self._server_name = f"{socket.gethostname()}:{os.getpid()}"
        self._limit = limit
        self._presences: dict[str, Presence] = {}
        self._news = asyncio.Event()
        self._reaped_at: dict[str, float] = {}
        self._well = True
        self._closed = False
        self._turn = asyncio.Lock()  # a sign of life after the farewell would look like a death later
        self._watchers = 0
        self._looks: OrderedDict[tuple[str, int | None], _Looking] = OrderedDict()

    def follow(self, replica: Replica) -> Presence:
        """Return a presence for one more environment, to be made a listener of it."""
        presence = Presence(replica, self.roster, self._news.set, limit=self._limit)
        self._presences[presence.name] = presence
        self._news.set()
        return presence

    def forget(self, environment: str) -> None:
        """Do without an environment that was deleted."""
        self._presences.pop(environment, None)

    def of(self, environment: str) -> Presence:
        """Return the presence of an environment."""
        return self._presences[environment]

    async def run(self) -> None:
        """Write what has been noted, and a sign of life. Runs until cancelled."""
        while not self._closed:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), BEAT_S)
            await asyncio.sleep(LINGER_S)
            self._news.clear()
            async with self._turn:
                for presence in list(self._presences.values()):
                    if not self._closed:
                        await self._flush(presence)
            if not self._well:
                await asyncio.sleep(BEAT_S)

    async def close(self) -> None:
        """Say that this server has stopped, so that nobody takes it for dead; not for longer than a second."""
        try:
            self._closed = True
            async with asyncio.timeout(CLOSE_S), self._turn:
                for presence in self._presences.values():
                    await presence.close(self._server_id, self._server_name)
        except (StoreUnavailable, TimeoutError) as error:
            logger.warning("the roster of instances was not told that this server stops: %s", error)

    async def frozen(self, environment: str, revision: int) -> None:
        """Wait until the roster is frozen for a revision that this server has just heard of, if it is to be."""
        presence = self._presences[environment]
        while presence.freezing(revision) and self._well:  # noqa: ASYNC110 - it lasts for milliseconds
            await asyncio.sleep(LINGER_S)

    @contextmanager
    def watching(self) -> Generator[None]:
        """Have one more watcher, while there is room. Raises Problem (503)."""
        if self._watchers >= WATCHERS:
            detail = f"{WATCHERS} watch already, which is all that this server takes. Ask without a stream."
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, headers={"Retry-After": "5"})
        self._watchers += 1
        try:
            yield
        finally:
            self._watchers -= 1

    async def look(self, environment: str, revision: int | None = None) -> Look:
        """Return the roster, as it was a moment ago. Raises StoreUnavailable."""
        asked = environment, revision
        looking = self._looks.get(asked)
        if looking is None or looking.stale(time.monotonic()):
            looking = self._looks[asked] = _Looking(self.roster, *asked)
            self._looks.move_to_end(asked)
            if len(self._looks) > LOOKS_KEPT:
                self._looks.popitem(last=False)
        return await asyncio.shield(looking.task)

    async def names(self, environment: str, ids: list[str]) -> dict[str, Instance]:
        """Return who these instances are. Raises StoreUnavailable."""
        return await self.roster.names(environment, ids)

    async def _flush(self, presence: Presence) -> None:
        try:
            await presence.flush(self._server_id, self._server_name)
            now = time.monotonic()
            if now - self._reaped_at.get(presence.name, 0.0) > REAP_EVERY_S:
                self._reaped_at[presence.name] = now
                await self.roster.reap(presence.name)
        except StoreUnavailable as error:
            if self._well:
                logger.warning("the roster of instances is not written: %s", error)
            self._well = False
            self._news.set()
        else:
            if not self._well:
                logger.info("the roster of instances is written again")
            self._well = True


class _Looking:
    """One reading of the roster, shared by all who ask for it."""

    def __init__(self, roster: Roster, environment: str, revision: int | None) -> None:
        self._revision = revision
        self._begun_at = time.monotonic()
        self._ended_at: float | None = None
        self.task = asyncio.ensure_future(roster.look(environment, revision))
        self.task.add_done_callback(self._ended)

    def stale(self, now: float) -> bool:
        """Say whether the next one who asks is to read anew."""
        if self._ended_at is None:
            return False
        if self.task.cancelled() or self.task.exception() is not None:
            return True
        if self._revision is not None and self.task.result().frozen is None:
            return True  # it may be frozen by now, and that makes a difference
        return now - self._ended_at > max(LOOK_EVERY_S, 5 * (self._ended_at - self._begun_at))

    def _ended(self, task: "asyncio.Future[Look]") -> None:
        self._ended_at = time.monotonic()
        if not task.cancelled():
            task.exception()  # retrieved here: whoever asked may have gone
