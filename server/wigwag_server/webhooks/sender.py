"""Exactly one of the servers on a store sends what the audit logs tell; another takes over where it does not go on.

Nothing is written while there is nothing to send. A server that sees that there is (a change that the sender has not
noted as read, or something that waits), and that the sender has not written anything since, takes its place. So no
clocks of different servers are compared, and no heartbeat is needed. The sender itself sends only for `LEASE_S` after
each of its writes, which is less than others wait. A request that is under way when the lease ends may be made twice;
its id is then the same.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import msgspec
from msgspec.structs import replace

from wigwag_proto.commit import Commit, Epoch
from wigwag_proto.errors import StoreUnavailable
from wigwag_proto.tasks_io import Tasks
from wigwag_server.environment import BOOKKEEPING, OUTBOX, Environment
from wigwag_server.webhooks.audit_reader import event_of, items_of, place_before, read_on
from wigwag_server.webhooks.deliver import Deliverer
from wigwag_server.webhooks.events import Event
from wigwag_server.webhooks.progress import NotMine, SaveProgress, Sender, read_queue, read_sender
from wigwag_server.webhooks.queue import Item, Queue
from wigwag_server.webhooks.webhook import RECORD, Webhook, webhooks_of
from wigwag_server.webhooks.worker import Worker, now_ms

logger = logging.getLogger(__name__)

LEASE_S = 10.0
TAKE_OVER_S = 15.0
BEAT_S = 4.0
RETRY_S = 1.0
LINGER_S = 0.02  # what happens within this is read and written together
RELEASE_S = 1.0


class Watched:
    """Tells the sender when an environment has moved. A listener."""

    def __init__(self, sender: "LogSender", environment: Environment) -> None:
        self._sender = sender
        self._environment = environment

    def loaded(self) -> None:
        """Look anew."""
        cursor = self._environment.replica.cursor
        self._sender.moved(self._environment.name, cursor.revision if cursor else 0)

    def committed(self, epoch: Epoch, commit: Commit) -> None:  # noqa: ARG002 - a listener's signature
        """Look anew where somebody has changed something."""
        if any(change.kind not in BOOKKEEPING for change in commit.changes):
            self._sender.moved(self._environment.name, commit.revision)


class LogSender:
    """Made once a server. Follows `_system` as a listener."""

    def __init__(
        self,
        system: Environment,
        environments: Mapping[str, Environment],
        deliverer: Deliverer,
        tasks: Tasks,
        server_id: str,
        *,
        alone: bool,
        take_over_s: float = TAKE_OVER_S,
    ) -> None:
        """`alone`: no other server can be on this store, so what is written there is of one that was stopped."""
        self.counts: Counter[str] = Counter()
        self._system = system
        self._environments = environments
        self._deliverer = deliverer
        self._tasks = tasks
        self._server_id = server_id
        self._take_over_s = 0.0 if alone else take_over_s
        self._latest: dict[str, int] = {}
        self._news = asyncio.Event()
        self._mine: Sender | None = None  # as it was written last, while this server sends
        self._held_until = 0.0
        self._quiet_since: float | None = None  # when there was work, and the sender had not written yet
        self._dirty = False
        self._closed = False
        self._unread: set[str] = set()
        self._workers: dict[str, Worker] = {}
        self._running: Tasks | None = None
        self._saving = asyncio.Lock()

    @property
    def sending(self) -> bool:
        """Whether this is the server that sends."""
        return self._mine is not None

    def queue(self, webhook_id: str) -> Queue:
        """Return what waits for a webhook, as far as this server knows."""
        worker = self._workers.get(webhook_id)
        return worker.queue if worker is not None else read_queue(self._system.replica.records, webhook_id)

    def moved(self, environment: str, revision: int) -> None:
        """Take note of a change."""
        self._latest[environment] = revision
        self._unread.add(environment)
        self._news.set()

    # As a listener of `_system`.

    def loaded(self) -> None:
        """Look anew."""
        self._quiet_since = None
        self._wake()

    def committed(self, epoch: Epoch, commit: Commit) -> None:  # noqa: ARG002 - a listener's signature
        """Look anew when webhooks have changed, or the sender has written something."""
        kinds = {change.kind for change in commit.changes}
        if OUTBOX in kinds:
            self._quiet_since = None
        if kinds & {OUTBOX, RECORD} and (RECORD in kinds or not self.sending):
            self._wake()

    def _wake(self) -> None:
        self._news.set()
        for worker in self._workers.values():
            worker.wake()

    async def run(self) -> None:
        """Send, or stand by. Runs until cancelled, or closed."""
        while not self._closed:
            self._news.clear()
            try:
                wait_s = await self._step()
            except NotMine as error:
                logger.info("%s", error)
                await self._stop()
                wait_s = RETRY_S
            except StoreUnavailable as error:
                logger.info("webhooks wait for the store: %s", error)
                wait_s = RETRY_S
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._news.wait()
            await asyncio.sleep(LINGER_S)

    async def close(self) -> None:
        """Let another server go on at once."""
        self._closed = True  # else it would take over from itself
        mine, self._mine = self._mine, None
        queues = self._plain_queues()
        await self._stop()
        if mine is None:
            return
        released = replace(mine, server="", beat=mine.beat + 1, idle=False)
        with suppress(StoreUnavailable, NotMine, TimeoutError):
            async with asyncio.timeout(RELEASE_S):
                await self._system.commit(SaveProgress((mine.server, mine.term), released, queues))

    async def _step(self) -> float | None:
        """Do what is due, and return when to look again. Raises StoreUnavailable, NotMine."""
        webhooks = webhooks_of(self._system.replica.records)
        if not webhooks or self._closed:
            await self._stop()
            return None
        if self._mine is None:
            wait_s = self._to_wait()
            if wait_s is None or wait_s > 0:
                return wait_s
            await self._take()
        elif not self._still_mine():
            raise NotMine("another server sends the webhooks now")
        await self._read(webhooks)
        self._employ(webhooks)
        waiting = not self._idle()
        overdue = waiting and time.monotonic() > self._held_until - LEASE_S + BEAT_S
        if self._dirty or overdue:
            await self._save()
        return BEAT_S if waiting else None

    def _to_wait(self) -> float | None:
        """Return for how long the sender may go on in silence; None: there is nothing to do."""
        written = read_sender(self._system.replica.records)
        if written.has_all(self._latest):
            self._quiet_since = None
            return None
        if not written.server:
            return 0.0
        now = time.monotonic()
        if self._quiet_since is None:
            self._quiet_since = now
        return max(0.0, self._quiet_since + self._take_over_s - now)

    def _still_mine(self) -> bool:
        assert self._mine is not None
        written = read_sender(self._system.replica.records)
        return (written.server, written.term) == (self._mine.server, self._mine.term)

    async def _take(self) -> None:
        written = read_sender(self._system.replica.records)
        asked_at = time.monotonic()
        mine = replace(written, server=self._server_id, term=written.term + 1, beat=written.beat + 1, idle=False)
        await self._system.commit(SaveProgress((written.server, written.term), mine, {}))
        logger.info("this server sends the webhooks now")
        self._mine = mine
        self._held_until = asked_at + LEASE_S
        self._quiet_since = None
        self._unread = set(self._environments)

    async def _read(self, webhooks: Mapping[str, Webhook]) -> None:
        """Read on in the logs in which something has happened."""
        while self._unread:
            name = self._unread.pop()
            log = self._environments.get(name)
            if log is None:
                continue
            try:
                await self._read_log(log, webhooks)
            except BaseException:
                self._unread.add(name)
                raise

    async def _read_log(self, log: Environment, webhooks: Mapping[str, Webhook]) -> None:
        assert self._mine is not None
        seen = log.replica.cursor.revision if log.replica.cursor else 0
        place = self._mine.places.get(log.name)
        if place is None:
            place = await place_before(log, min(each.created_at for each in webhooks.values()))
        more = True
        while more:
            page, place, more = await read_on(log, place)
            for webhook in webhooks.values():
                queue = self._worker(webhook.id).queue
                for item in items_of(log, page, webhook):
                    self.counts["given_up"] += queue.add(item, now_ms())
        if (place, seen) != (self._mine.places.get(log.name), self._mine.seen.get(log.name)):
            # Of environments that there are no more, nothing needs to be known.
            places = {name: known for name, known in self._mine.places.items() if name in self._environments}
            revisions = {name: known for name, known in self._mine.seen.items() if name in self._environments}
            self._mine = replace(self._mine, places={**places, log.name: place}, seen={**revisions, log.name: seen})
            self._dirty = True

    def _worker(self, webhook_id: str) -> Worker:
        worker = self._workers.get(webhook_id)
        if worker is None:
            queue = read_queue(self._system.replica.records, webhook_id)
            worker = self._workers[webhook_id] = Worker(
                queue,
                self._deliverer,
                webhook=lambda: webhooks_of(self._system.replica.records).get(webhook_id),
                read=self._event,
                may_send=self._may_send,
                changed=self._queue_changed,
                counts=self.counts,
            )
            if self._running is None:
                self._running = self._tasks.group()
            self._running.start(f"webhook {webhook_id}", worker.run())
        return worker

    def _employ(self, webhooks: Mapping[str, Webhook]) -> None:
        """Have a worker for each webhook; one whose webhook was deleted finds nothing to do."""
        for webhook_id in webhooks:
            self._worker(webhook_id).wake()
        for gone in self._workers.keys() - webhooks.keys():
            del self._workers[gone]

    async def _event(self, item: Item, webhook: Webhook) -> Event | None:
        return await event_of(item, self._environments, webhook)

    async def _may_send(self) -> bool:
        """Say whether this is the server that sends; where it has not written for long, it asks the store."""
        if self._mine is None:
            return False
        if time.monotonic() < self._held_until:
            return True
        try:
            await self._save()
        except (StoreUnavailable, NotMine):
            self._news.set()
            return False
        return self._mine is not None

    def _queue_changed(self) -> None:
        self._dirty = True
        self._news.set()

    def _idle(self) -> bool:
        return not any(worker.queue.items for worker in self._workers.values())

    def _plain_queues(self) -> dict[str, Any]:
        return {key: msgspec.to_builtins(worker.queue) for key, worker in self._workers.items()}

    async def _save(self) -> None:
        """Write how far it is, which also makes sure that nobody else sends. Raises StoreUnavailable, NotMine."""
        async with self._saving:
            if self._mine is None:
                raise NotMine("another server sends the webhooks now")
            self._dirty = False
            asked_at = time.monotonic()
            mine = replace(self._mine, beat=self._mine.beat + 1, idle=self._idle())
            try:
                await self._system.commit(SaveProgress((mine.server, mine.term), mine, self._plain_queues()))
            except BaseException:
                self._dirty = True
                raise
            # What was read meanwhile is in the next one.
            self._mine = replace(self._mine, beat=mine.beat) if self._mine is not None else None
            self._held_until = asked_at + LEASE_S

    async def _stop(self) -> None:
        """Send nothing any more: what waits is in the store, as far as it was written."""
        self._mine, self._dirty = None, False
        self._workers.clear()
        running, self._running = self._running, None
        if running is not None:
            await running.close()
