"""How a relay follows its upstream: by the very feed that apps use, into the replica that it serves."""

import asyncio
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from wigwag_proto.commit import Commit, Cursor, Epoch
from wigwag_proto.follower import ClientClaims, Event, Standing, Start
from wigwag_proto.http_feed_io import HttpFeed, Upstream
from wigwag_proto.replica import Replica
from wigwag_proto.snapshot import Snapshot
from wigwag_proto.supervisor import Link, Patience, Supervisor
from wigwag_proto.tasks_io import Tasks
from wigwag_server.following import Moves
from wigwag_server.relay.journal import Journal, restore

logger = logging.getLogger(__name__)

# The upstream's heart beats for relays every second (`hub.RELAY_BEAT_S`): three that are missed are a lost link.
DEGRADED_AFTER_S = 3.0
CLAIM_EVERY_S = 5.0


class Owner(Protocol):
    """Whoever owns the replica is told when it has moved."""

    def loaded(self) -> None:
        """Take note that the replica was replaced as a whole."""

    def committed(self, epoch: Epoch, commit: Commit) -> None:
        """Take note of a commit that the replica has applied."""

    def emergencies_changed(self, ended: tuple[str, ...]) -> None:
        """Take note that others are in force, and which (by their ids) are not any more."""


class UpstreamLeg:
    """Keeps a replica up to date with one log of the upstream. What it learns is on the disk before it is told."""

    def __init__(
        self, upstream: Upstream, replica: Replica, tasks: Tasks, owner: Owner, journal: Path, *, patience: Patience
    ) -> None:
        self.replica = replica
        self.supervisor = Supervisor(replica, patience)
        self.missed = 0
        self._url = upstream.url
        self._tasks = tasks
        self._owner = owner
        self._path = journal
        self._journal = Journal(journal)
        self._moves = Moves()
        self._closed = False
        self._in_force: set[str] = set()
        self._degraded: bool | None = None  # None: nothing was said yet
        self._claimed_at = float("-inf")
        self._feed = HttpFeed(
            upstream,
            self.supervisor,
            on_loaded=self._loaded,
            on_commit=self._committed,
            on_emergencies=self._emergencies_changed,
            on_progress=self._progressed,
        )

    # What is known of the upstream.

    @property
    def follower(self) -> "UpstreamLeg":
        """What is known of the upstream."""
        return self

    @property
    def proven_at(self) -> float | None:
        """When the upstream last proved this state, as the client counts it: never later than that was asked for."""
        return self.supervisor.proven_at

    @property
    def standing(self) -> Standing:
        """Followed, as long as there is a way to the upstream."""
        return Standing.UNKNOWN if self.degraded(time.monotonic()) else Standing.FOLLOWED

    @property
    def last_error(self) -> str | None:
        """What last went wrong with the upstream."""
        failure = self.supervisor.last_failure
        return failure.message if failure is not None else None

    def degraded(self, now: float) -> bool:
        """Say whether the state was not lately proven, or the upstream itself says that it cannot prove its own."""
        proven_at = self.supervisor.proven_at
        if proven_at is None or (self.supervisor.upstream_degraded and self.supervisor.link is Link.OPEN):
            return True
        polls_s = 2 * self.supervisor.patience.poll_interval_s if self.supervisor.polling else 0.0
        return now - proven_at > max(DEGRADED_AFTER_S, polls_s)

    # What the environment asks for.

    async def restore(self, snapshot: Snapshot | None) -> None:
        """Take what the journal has beyond the snapshot from this disk, and the emergencies of both."""
        if snapshot is not None:
            self.replica.add_emergencies(snapshot.emergencies)
        await asyncio.to_thread(restore, self._path, self.replica)
        self._in_force = {each.id for each in self.replica.emergencies}

    def handle(self, event: Event) -> None:
        """Begin, or pass on what a client claims to hold; all else is about a store."""
        match event:
            case Start():
                self._tasks.start(f"upstream of {self.replica.environment}", self._feed.start())
            case ClientClaims(cursor):
                self._pass_on(cursor)

    async def wait_until(self, condition: Callable[[], bool], timeout_s: float | None = None) -> bool:
        """Wait until something about the replica or the upstream is so; say whether it came to be in time."""
        return await self._moves.wait_until(condition, timeout_s)

    async def first_answer(self, patience_s: float) -> None:
        """Wait a while for the state to be proven. An upstream that cannot be reached is what a relay is there for."""
        await self.wait_until(lambda: self.proven_at is not None or self._failed_first(), patience_s)

    def _failed_first(self) -> bool:
        return self.supervisor.settled and self.supervisor.last_failure is not None

    def close(self) -> None:
        """Stop: nothing is told any more."""
        self._closed = True

    async def closed(self) -> None:
        """Close the connections."""
        await self._feed.close()
        self._journal.close()

    def _pass_on(self, cursor: Cursor) -> None:
        """Have the upstream look into it, who may look further up: only a store can tell that it has lost something."""
        now = time.monotonic()
        if not self._closed and self.supervisor.link is Link.OPEN and now - self._claimed_at > CLAIM_EVERY_S:
            self._claimed_at = now
            self._tasks.start(f"claim on {self.replica.environment}", self._feed.claim(cursor))

    # What the feed reports.

    def _loaded(self) -> None:
        if not self._closed:
            self._journal.loaded(self.replica)
            self._owner.loaded()

    def _committed(self, commit: Commit) -> None:
        cursor = self.replica.cursor
        if not self._closed and cursor is not None:
            self._journal.committed(self.replica, cursor.epoch, commit)
            self._owner.committed(cursor.epoch, commit)

    def _emergencies_changed(self) -> None:
        now = {each.id for each in self.replica.emergencies}
        ended, self._in_force = tuple(sorted(self._in_force - now)), now
        if not self._closed:
            self._journal.emergencies(self.replica, ended)
            self._owner.emergencies_changed(ended)

    def _progressed(self) -> None:
        self._moves.tell()
        degraded = self.degraded(time.monotonic())
        if self._closed or degraded == self._degraded or (degraded and self.last_error is None):
            return
        first, self._degraded = self._degraded is None, degraded
        name = self.replica.environment
        if degraded:
            how = "cannot be followed yet" if first else "is not followed any more"
            serving = self.replica.cursor or "nothing"
            logger.warning(
                "%s of %s %s, and served as last known (%s): %s", name, self._url, how, serving, self.last_error
            )
        else:
            logger.info("%s follows %s at %s", name, self._url, self.replica.cursor)
