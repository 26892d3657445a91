"""All of webhooks, put together: made once a server."""

import asyncio
import secrets
from collections.abc import Mapping
from pathlib import Path

from wigwag_proto.tasks_io import Tasks
from wigwag_server.emergencies import Emergencies
from wigwag_server.environment import Environment
from wigwag_server.instances.instances import Instances
from wigwag_server.webhooks.deliver import Deliverer, Result
from wigwag_server.webhooks.events import Event
from wigwag_server.webhooks.queue import Item, Sent
from wigwag_server.webhooks.sender import LogSender, Watched
from wigwag_server.webhooks.server_events import ServerSender
from wigwag_server.webhooks.stale import StaleWatch
from wigwag_server.webhooks.standing import Standing, standing
from wigwag_server.webhooks.watch import ServerWatch
from wigwag_server.webhooks.webhook import EventType, Webhook
from wigwag_server.webhooks.worker import now_ms

CLOSE_S = 1.0


class Webhooks:
    """Sends what the audit logs tell, what happens to this server, and tests."""

    def __init__(
        self,
        system: Environment,
        environments: Mapping[str, Environment],
        tasks: Tasks,
        server_id: str,
        *,
        instances: Instances,
        file: Path,
        alone: bool,
        allow_private: bool,
    ) -> None:
        """`file` is where events of this server wait; `alone` says that no other server can be on the store."""
        self.deliverer = Deliverer(allow_private=allow_private)
        self._tasks = tasks
        self._server_id = server_id
        self.log = LogSender(system, environments, self.deliverer, tasks, server_id, alone=alone)
        self.own = ServerSender(system, self.deliverer, tasks, file)
        self.watch = ServerWatch(environments, self.own, server_id)
        self.stale = StaleWatch(instances, self.own, server_id, lambda: self.log.sending)
        self._environments = environments
        self._sending: asyncio.Task[None] | None = None
        system.listeners += [self.log, self.own]

    def follow(self, environment: Environment, emergencies: Emergencies) -> None:
        """Look after one more environment."""
        environment.listeners.append(Watched(self.log, environment))
        self.watch.follow(environment, emergencies)
        self.stale.follow(environment)

    async def start(self) -> None:
        """Begin."""
        await self.own.open()
        self._sending = self._tasks.start("webhooks", self.log.run())
        self._tasks.start("events of this server", self.own.run())
        self._tasks.start("watch over this server", self.watch.run())
        self._tasks.start("watch over instances", self.stale.run(self._environments))

    async def close(self) -> None:
        """Let another server go on; what waits here is on the disk."""
        if self._sending is not None:
            self._sending.cancel()  # what it was about to write would come after the farewell
            await asyncio.wait([self._sending], timeout=CLOSE_S)
        await self.log.close()
        await self.own.save()
        await self.deliverer.close()

    async def test(self, webhook: Webhook) -> tuple[str, Result]:
        """Send one event now, once; return its id, and how that went."""
        environment = webhook.environments[0] if webhook.environments else "production"
        event = Event(
            id=f"{environment}.{secrets.token_hex(8)}.test",
            type=EventType.TEST.value,
            at=now_ms(),
            environment=environment,
            summary="This is a test: the webhook works.",
            server=self._server_id,
        )
        return event.id, await self.deliverer.send(webhook, event)

    def waiting(self, webhook_id: str) -> list[Item]:
        """Return what waits for a webhook."""
        return [*self.log.queue(webhook_id).items, *self.own.queue(webhook_id).items]

    def recent(self, webhook_id: str) -> list[Sent]:
        """Return what became of the latest events, the newest first. Of servers' own events, only this one's."""
        sent = [*self.log.queue(webhook_id).recent, *self.own.queue(webhook_id).recent]
        return sorted(sent, key=lambda each: -each.ended_at)

    def standing(self, webhook: Webhook) -> Standing:
        """Return how a webhook fares, as far as this server knows."""
        return standing(webhook, self.waiting(webhook.id), self.recent(webhook.id))
