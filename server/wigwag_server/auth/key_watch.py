"""What goes on while keys come and go: streams end with the key that opened them, and the use of keys is written."""

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Mapping
from functools import partial

from wigwag_proto.commit import Commit, Epoch
from wigwag_proto.errors import StoreUnavailable
from wigwag_server.auth.keys import RECORD, KeyKind, Keys
from wigwag_server.auth.last_use import LastUse
from wigwag_server.environment import Environment
from wigwag_server.hub.hub import Hub
from wigwag_server.ofrep.notices import Notices
from wigwag_server.relay.key_log import KeyLogs
from wigwag_server.relay.visible import KEYS

logger = logging.getLogger(__name__)

# The wall clock may be set while a key is running out: it is looked at again at least this often.
LOOK_S = 5.0
WRITE_S = 60.0


class KeyWatch:
    """Looks after the keys of a server. Follows `_system` as a listener, after `Keys`."""

    def __init__(
        self,
        system: Environment,
        keys: Keys,
        uses: LastUse,
        *,
        hubs: Mapping[str, Hub],
        notices: Mapping[str, Notices],
        key_logs: KeyLogs,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`clock` returns Unix time in seconds."""
        self._system = system
        self._keys = keys
        self._uses = uses
        self._hubs = hubs
        self._notices = notices
        self._key_logs = key_logs
        self._clock = clock
        self._changed = asyncio.Event()

    def loaded(self) -> None:
        """Look anew."""
        self._changed.set()

    def committed(self, epoch: Epoch, commit: Commit) -> None:  # noqa: ARG002 - a listener's signature
        """Look anew when keys have changed."""
        if any(change.kind == RECORD for change in commit.changes):
            self._changed.set()

    async def end_streams(self) -> None:
        """End the streams of keys that were revoked or have run out. Runs until cancelled."""
        while True:
            self._changed.clear()
            now_ms = self._clock() * 1000
            if self._keys.known:
                self._end_streams(now_ms)
            ends = [key.expires_at for key in self._keys.all if key.expires_at and key.expires_at > now_ms]
            due_s = min(max(0.0, min(ends) / 1000 - self._clock()), LOOK_S) if ends else None
            try:
                async with asyncio.timeout(due_s):
                    await self._changed.wait()
            except TimeoutError:
                pass

    def _end_streams(self, now_ms: float) -> None:
        logs = [
            *((name, (name,), hub) for name, hub in self._hubs.items()),
            *((KEYS, tuple(scope), hub) for scope, hub in self._key_logs.scopes()),
        ]
        for name, scope, hub in logs:
            ended = hub.end_streams_of(partial(self._lost, now_ms, scope))
            if ended:
                logger.info("%d streams of %s ended with their key", ended, name)
        for notices in list(self._notices.values()):
            for key_id in {each.key_id for each in notices.listening}:
                if not self._keys.valid(key_id, now_ms):
                    notices.end(key_id)

    def _lost(self, now_ms: float, environments: Collection[str], key_id: str) -> bool:
        """Say whether a key would not be let in to follow these environments any more.

        The key of a relay is narrowed when one of its environments is deleted: what it follows is another log then.
        """
        key = self._keys.of_id(key_id)
        if key is None or key.expired(now_ms):
            return True
        return key.kind is KeyKind.RELAY and not set(environments) <= set(key.scope.environments)

    async def write_uses(self) -> None:
        """Write when keys were used. Runs until cancelled."""
        while True:
            await asyncio.sleep(WRITE_S)
            await self.write_uses_once()

    async def write_uses_once(self) -> None:
        """Write what is due, if the store takes it; else it is due the next time."""
        now_ms = self._clock() * 1000
        for hub in list(self._hubs.values()):
            self._uses.note({connection.key_id for connection in hub.connections if connection.key_id}, now_ms)
        for notices in list(self._notices.values()):
            self._uses.note({each.key_id for each in notices.listening}, now_ms)
        command = self._uses.due(self._system.replica.records)
        if command is None or self._system.degraded:
            return
        try:
            await self._system.commit(command)
        except StoreUnavailable as error:
            logger.warning("when keys were used cannot be written now: %s", error)
