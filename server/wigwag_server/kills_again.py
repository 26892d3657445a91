"""Kills that were acknowledged stay in force, also when the store's history went on without them."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from wigwag_proto.commit import Change
from wigwag_proto.errors import StoreUnavailable
from wigwag_proto.snapshot import Tables
from wigwag_proto.tasks_io import Tasks
from wigwag_server.environment import Environment

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class KillAgain:
    """Put lost kills back, each as it was, on the flags that there still are and that nobody has killed since."""

    action: ClassVar[str] = "flag.kill-again"

    kills: Mapping[str, Any]

    def __call__(self, records: Tables, revision: int, at: int) -> Sequence[Change]:
        """Return the changes."""
        flags = records.get("flag", {})
        return [
            Change("flag", key, {**flags[key], "kill": kill, "updatedAt": at, "revision": revision})
            for key, kill in self.kills.items()
            if isinstance(flags.get(key), Mapping) and flags[key].get("kill") is None
        ]


class KillsAgain:
    """Looks after the kills of an environment whose state was overruled."""

    def __init__(self, environment: Environment, tasks: Tasks) -> None:
        self._environment = environment
        self._tasks = tasks

    def overruled(self, records: Tables) -> None:
        """Apply the kills among these records again."""
        flags = ((key, flag) for key, flag in records.get("flag", {}).items() if isinstance(flag, Mapping))
        kills = {key: flag["kill"] for key, flag in flags if flag.get("kill") is not None}
        if kills:
            self._tasks.start(f"kills of {self._environment.name} again", self._kill(kills))

    async def _kill(self, kills: Mapping[str, Any]) -> None:
        while True:
            try:
                cursor = await self._environment.commit(KillAgain(kills))
            except StoreUnavailable as error:
                logger.warning("kills that were lost cannot be applied again yet: %s", error)
                await self._environment.wait_until(lambda: not self._environment.degraded)
            else:
                logger.warning("kills that were lost are in force again at %s: %s", cursor, ", ".join(kills))
                return
