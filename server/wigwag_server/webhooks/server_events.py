"""Events that are in no log, since they tell of the log being out of reach: sent by the server that they happened to.

What waits is on this server's disk, and survives a restart.
"""

import asyncio
import logging
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec

from wigwag_proto.codec import decode, encode
from wigwag_proto.commit import Commit, Epoch
from wigwag_proto.disk_io import write_atomically
from wigwag_proto.errors import Malformed
from wigwag_proto.tasks_io import Tasks
from wigwag_server.environment import Environment
from wigwag_server.webhooks.deliver import Deliverer
from wigwag_server.webhooks.events import Event, for_webhook
from wigwag_server.webhooks.queue import Item, Queue, ordering
from wigwag_server.webhooks.webhook import RECORD, Webhook, webhooks_of
from wigwag_server.webhooks.worker import Worker, now_ms

logger = logging.getLogger(__name__)


class ServerSender:
    """Made once a server. Follows `_system` as a listener."""

    def __init__(self, system: Environment, deliverer: Deliverer, tasks: Tasks, file: Path) -> None:
        self.counts: Counter[str] = Counter()
        self._system = system
        self._deliverer = deliverer
        self._tasks = tasks
        self._file = file
        self._queues: dict[str, Queue] = {}
        self._workers: dict[str, Worker] = {}
        self._changed = asyncio.Event()

    async def open(self) -> None:
        """Go on with what waited when this server was stopped."""
        try:
            data = await asyncio.to_thread(self._file.read_bytes)
            self._queues |= msgspec.convert(decode(data), dict[str, Queue])
        except FileNotFoundError:
            return
        except (OSError, Malformed, msgspec.ValidationError) as error:
            logger.error("the events in %s cannot be read: %s", self._file, error)  # noqa: TRY400 - no traceback
            return
        self._employ()

    def queue(self, webhook_id: str) -> Queue:
        """Return what waits for a webhook here."""
        return self._queues.get(webhook_id) or Queue()

    def tell(self, event: Event, records: Any) -> None:
        """Have an event sent to whom it concerns. `records` are the flags of its environment."""
        for webhook in webhooks_of(self._system.replica.records).values():
            wanted = for_webhook(event, webhook, records)
            if wanted is None:
                continue
            item = Item(
                id=event.id,
                type=event.type,
                environment=event.environment,
                at=event.at,
                event=msgspec.to_builtins(wanted),
                # Of what concerns no flag, the order in an environment is kept.
                keys=ordering(wanted.keys or (f"environment/{event.environment}",)),
            )
            self.counts["given_up"] += self._queues.setdefault(webhook.id, Queue()).add(item, now_ms())
            self._changed.set()
        self._employ()

    # As a listener of `_system`.

    def loaded(self) -> None:
        """Look anew."""
        self._employ()

    def committed(self, epoch: Epoch, commit: Commit) -> None:  # noqa: ARG002 - a listener's signature
        """Look anew when webhooks have changed."""
        if any(change.kind == RECORD for change in commit.changes):
            self._employ()

    async def run(self) -> None:
        """Keep what waits on the disk. Runs until cancelled."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            await self.save()

    async def save(self) -> None:
        """Write what waits."""
        data = encode({key: msgspec.to_builtins(queue) for key, queue in self._queues.items()})
        try:
            await asyncio.to_thread(write_atomically, self._file, data)
        except OSError as error:
            logger.error("events that wait are not on the disk: %s", error)  # noqa: TRY400 - no traceback

    def _employ(self) -> None:
        known = webhooks_of(self._system.replica.records)
        if self._system.replica.cursor is not None:
            for gone in self._queues.keys() - known.keys():
                del self._queues[gone]
                self._workers.pop(gone, None)
                self._changed.set()
        for webhook_id, queue in self._queues.items():
            if webhook_id not in self._workers:
                self._workers[webhook_id] = self._worker(webhook_id, queue)
            self._workers[webhook_id].wake()

    def _worker(self, webhook_id: str, queue: Queue) -> Worker:
        worker = Worker(
            queue,
            self._deliverer,
            webhook=lambda: webhooks_of(self._system.replica.records).get(webhook_id),
            read=_event,
            may_send=_always,
            changed=self._changed.set,
            counts=self.counts,
        )
        self._tasks.start(f"events for webhook {webhook_id}", worker.run())
        return worker


async def _event(item: Item, webhook: Webhook) -> Event | None:  # noqa: ARG001 - what it asks for was looked at before
    try:
        return msgspec.convert(item.event, Event)
    except msgspec.ValidationError:
        return None


async def _always() -> bool:
    return True
