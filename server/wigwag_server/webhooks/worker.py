"""Sends what waits for one webhook, one after the other: a receiver that is slow holds up nobody else."""

import asyncio
import logging
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable

from wigwag_proto.errors import StoreUnavailable
from wigwag_server.webhooks.deliver import Deliverer
from wigwag_server.webhooks.events import Event
from wigwag_server.webhooks.queue import Item, Queue
from wigwag_server.webhooks.webhook import Webhook

logger = logging.getLogger(__name__)

RETRY_S = 1.0
# The clock may be set, and a webhook changed: it is looked at again at least this often.
LOOK_S = 5.0

Read = Callable[[Item, Webhook], Awaitable[Event | None]]


class Worker:
    """One for each webhook and queue."""

    def __init__(
        self,
        queue: Queue,
        deliverer: Deliverer,
        *,
        webhook: Callable[[], Webhook | None],
        read: Read,
        may_send: Callable[[], Awaitable[bool]],
        changed: Callable[[], None],
        counts: Counter[str],
    ) -> None:
        """`webhook` returns it as it is now, `changed` is told when the queue is another."""
        self.queue = queue
        self._deliverer = deliverer
        self._webhook = webhook
        self._read = read
        self._may_send = may_send
        self._changed = changed
        self._counts = counts
        self._news = asyncio.Event()
        self._hurried_at = 0
        self._rng = random.Random()  # noqa: S311 - jitter, not a secret

    def wake(self) -> None:
        """Look anew."""
        self._news.set()

    async def run(self) -> None:
        """Send. Runs until cancelled, or until there is no such webhook any more."""
        while (webhook := self._webhook()) is not None:
            self._news.clear()
            if webhook.retry_at > self._hurried_at:
                self._hurried_at = webhook.retry_at
                self.queue.hurry(now_ms())
            item = self.queue.due(now_ms())
            if not webhook.active or item is None:
                await self._wait(webhook)
            elif not await self._may_send():
                await asyncio.sleep(RETRY_S)
            else:
                await self._attempt(webhook, item)

    async def _attempt(self, webhook: Webhook, item: Item) -> None:
        try:
            event = await self._read(item, webhook)
        except StoreUnavailable:
            await asyncio.sleep(RETRY_S)
            return
        if event is None:
            self.queue.drop(item, now_ms(), "it is no longer asked for, or no longer in the audit log")
            self._changed()
            return
        result = await self._deliverer.send(webhook, event)
        if result.ok:
            self.queue.delivered(item, now_ms(), result.status, result.ms)
            self._counts["delivered"] += 1
        else:
            last = self.queue.failed(item, now_ms(), result.error, self._rng, result.status)
            self._counts["given_up" if last else "failed"] += 1
            if last or item.attempts == 0:
                what = "is given up" if last else "will be sent again"
                logger.warning("webhook %s: %s %s: %s", webhook.id, item.id, what, result.error)
        self._changed()

    async def _wait(self, webhook: Webhook) -> None:
        due_at = self.queue.next_due() if webhook.active else None
        timeout_s = None if due_at is None else min(LOOK_S, max(0.0, (due_at - now_ms()) / 1000))
        try:
            async with asyncio.timeout(timeout_s):
                await self._news.wait()
        except TimeoutError:
            pass


def now_ms() -> int:
    """Return Unix time in ms: what waits survives a restart, so monotonic time would not do."""
    return round(time.time() * 1000)
