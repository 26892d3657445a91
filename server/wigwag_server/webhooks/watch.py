"""Notices what is to be told of a server itself: its store out of reach, its history overruled, its emergencies."""

import asyncio
import secrets
import time
from collections.abc import Mapping

from wigwag_proto.commit import Cursor
from wigwag_proto.snapshot import Emergency, Tables
from wigwag_server.emergencies import Emergencies
from wigwag_server.environment import Environment
from wigwag_server.webhooks.events import about_server
from wigwag_server.webhooks.server_events import ServerSender
from wigwag_server.webhooks.webhook import EventType
from wigwag_server.webhooks.worker import now_ms

LOOK_S = 1.0
# A store that is away for less than this, such as for a failover, is nothing to wake anybody for.
DEGRADED_AFTER_S = 10.0


class ServerWatch:
    """Made once a server."""

    def __init__(
        self,
        environments: Mapping[str, Environment],
        sender: ServerSender,
        server_id: str,
        *,
        degraded_after_s: float = DEGRADED_AFTER_S,
    ) -> None:
        self._environments = environments
        self._sender = sender
        self._server_id = server_id
        self._degraded_after_s = degraded_after_s
        self._since: dict[str, float] = {}  # when each environment was first seen to be degraded
        self._told: set[str] = set()

    def follow(self, environment: Environment, emergencies: Emergencies) -> None:
        """Look after one more environment."""
        environment.on_overruled.append(lambda _: self._overruled(environment, environment.replica.cursor))
        emergencies.on_declared.append(lambda emergency: self._declared(environment, emergency))
        emergencies.on_called_off.append(lambda key: self._called_off(environment, key))

    async def run(self) -> None:
        """Look at the stores. Runs until cancelled."""
        while True:
            self.look(time.monotonic())
            await asyncio.sleep(LOOK_S)

    def look(self, now: float) -> None:
        """Tell of environments that have lost their store for some time, or found it again."""
        for name, environment in self._environments.items():
            if not environment.degraded:
                self._since.pop(name, None)
                if name in self._told:
                    self._told.discard(name)
                    self._tell(EventType.RECOVERED, environment, f"a server follows the store of {name} again")
            elif now - self._since.setdefault(name, now) >= self._degraded_after_s and name not in self._told:
                self._told.add(name)
                error = environment.follower.last_error or "it does not answer"
                what = f"a server has lost the store of {name}: {error}. Streams and kills go on, edits do not."
                self._tell(EventType.DEGRADED, environment, what)
        for gone in self._since.keys() - self._environments.keys():
            del self._since[gone]
        self._told &= self._environments.keys()

    def _overruled(self, environment: Environment, cursor: Cursor | None) -> None:
        what = (
            f"the store of {environment.name} goes on without what was committed up to {cursor}. "
            "Kills are made again; other changes may be lost, and the audit log does not have them."
        )
        # All servers that notice it name it alike, so that a receiver can tell.
        self._tell(EventType.DIVERGENCE, environment, what, id_=f"{environment.name}.{cursor}.divergence")

    def _declared(self, environment: Environment, emergency: Emergency) -> None:
        flags: Tables = environment.replica.records
        event = about_server(
            EventType.EMERGENCY,
            environment.name,
            emergency.at,
            id_=f"{environment.name}.{emergency.id}.emergency",
            server=self._server_id,
            summary=f"{', '.join(emergency.keys[:10])} killed in {environment.name} without the store",
            by=emergency.by,
            reason=emergency.reason,
            keys=emergency.keys,
            detail={"emergency": emergency.id},
        )
        self._sender.tell(event, flags.get("flag", {}))

    def _called_off(self, environment: Environment, key: str) -> None:
        event = about_server(
            EventType.REVIVE,
            environment.name,
            now_ms(),
            id_=f"{environment.name}.{secrets.token_hex(8)}.revive",
            server=self._server_id,
            summary=f"{key} in {environment.name}: an emergency was called off",
            keys=(key,),
        )
        self._sender.tell(event, environment.replica.records.get("flag", {}))

    def _tell(self, event: EventType, environment: Environment, summary: str, *, id_: str | None = None) -> None:
        made = about_server(
            event,
            environment.name,
            now_ms(),
            id_=id_ or f"{environment.name}.{secrets.token_hex(8)}.{event}",
            server=self._server_id,
            summary=summary,
        )
        self._sender.tell(made, {})
