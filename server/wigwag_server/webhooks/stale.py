"""Notices instances in which a kill, or a revival, is not in force some time after it was made."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from wigwag_proto.commit import Change, Commit, Epoch
from wigwag_proto.errors import StoreUnavailable
from wigwag_server.environment import Environment
from wigwag_server.instances.describe import describe, to_name
from wigwag_server.instances.instances import Instances
from wigwag_server.instances.propagation import Standing, propagation
from wigwag_server.webhooks.events import about_server
from wigwag_server.webhooks.server_events import ServerSender
from wigwag_server.webhooks.webhook import EventType
from wigwag_server.webhooks.worker import now_ms

logger = logging.getLogger(__name__)

# An instance whose link has died is told within 20 s; who has not confirmed after this is worth a look.
STALE_AFTER_S = 30.0
LOOK_S = 1.0
# For so long it is looked again where the store did not answer, or nobody has taken over yet who tells. If another
# server has told meanwhile, the event has the same id.
LOOK_AGAIN_S = 60.0
NAMED = 20


@dataclass(frozen=True, slots=True)
class Due:
    """What is to be looked at, and when (monotonic seconds)."""

    epoch: Epoch
    revision: int
    at: float


class StaleWatch:
    """Made once a server. Only the one that sends tells: all servers see the same roster."""

    def __init__(
        self, instances: Instances, sender: ServerSender, server_id: str, may_tell: Callable[[], bool]
    ) -> None:
        self.after_s = STALE_AFTER_S
        self._instances = instances
        self._sender = sender
        self._server_id = server_id
        self.may_tell = may_tell
        self._due: dict[str, list[Due]] = {}

    def follow(self, environment: Environment) -> None:
        """Look after one more environment."""
        environment.listeners.append(_Kills(self, environment))

    def made(self, environment: str, epoch: Epoch, revision: int) -> None:
        """Take note of a kill. Of a burst the first and the last are looked at, so that there are two at most."""
        waiting = self._due.setdefault(environment, [])
        del waiting[1:]
        waiting.append(Due(epoch, revision, time.monotonic() + self.after_s))

    async def run(self, environments: Mapping[str, Environment]) -> None:
        """Look. Runs until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            for name in list(self._due):
                if name not in environments:
                    del self._due[name]
                    continue
                waiting, now = self._due[name], time.monotonic()
                if not waiting or waiting[0].at > now:
                    continue
                if await self._looked(name, waiting[0]) or now > waiting[0].at + LOOK_AGAIN_S:
                    waiting.pop(0)

    async def _looked(self, name: str, due: Due) -> bool:
        """Look, and tell; return whether that could be done."""
        if not self.may_tell():
            return False
        try:
            look = await self._instances.look(name, due.revision)
            verdict = propagation(look, str(due.epoch), due.revision)
            if verdict.complete:
                return True
            names = await self._instances.names(name, to_name(verdict))
        except StoreUnavailable as error:
            logger.warning(
                "whether revision %d of %s is in force everywhere cannot be told: %s", due.revision, name, error
            )
            return False
        said = describe(verdict, look, names, name, due.revision)
        late = [
            each["name"]
            for standing in (Standing.PENDING, Standing.UNKNOWN, Standing.LOST)
            for each in said[standing.value]
        ]
        named = ", ".join(late[:NAMED]) + (" …" if len(late) > NAMED else "")
        event = about_server(
            EventType.STALE,
            name,
            now_ms(),
            id_=f"{name}.{due.epoch}.{due.revision}.stale",
            server=self._server_id,
            summary=f"revision {due.revision} of {name} is not confirmed after {self.after_s:g} s by: {named}",
            detail={"revision": due.revision, "counts": said["counts"], "instances": late[:NAMED]},
        )
        self._sender.tell(event, {})
        return True


class _Kills:
    """Tells of commits that kill or revive. A listener, behind the one that applies them."""

    def __init__(self, watch: StaleWatch, environment: Environment) -> None:
        self._watch = watch
        self._environment = environment
        self._killed: set[str] = set()

    def loaded(self) -> None:
        """Take the kills in force as they are."""
        flags = self._environment.replica.records.get("flag", {})
        self._killed = {key for key, flag in flags.items() if _is_killed(flag)}

    def committed(self, epoch: Epoch, commit: Commit) -> None:
        """Look whether it kills or revives."""
        changed = [self._changes(change) for change in commit.changes if change.kind == "flag"]
        if any(changed):
            self._watch.made(self._environment.name, epoch, commit.revision)

    def _changes(self, change: Change) -> bool:
        before, after = change.key in self._killed, _is_killed(change.value)
        (self._killed.add if after else self._killed.discard)(change.key)
        return before != after


def _is_killed(flag: object) -> bool:
    return isinstance(flag, Mapping) and flag.get("kill") is not None
