"""A relay as its settings make it: which upstream, which logs of it, and where what is learnt is kept."""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

from wigwag_proto.http_feed_io import Upstream
from wigwag_proto.supervisor import Patience
from wigwag_proto.tasks_io import Tasks
from wigwag_server.environment import Environment, MakeLeg
from wigwag_server.relay.leg import UpstreamLeg
from wigwag_server.relay.visible import KEYS


@dataclass(frozen=True, slots=True)
class Relay:
    """Makes the legs of a relay. `folder` is where it keeps its own copies."""

    upstream: Upstream
    folder: Path
    patience: Patience

    @property
    def keys_folder(self) -> Path:
        """Where the copy of the keys is kept.

        What is visible depends on the key that it was asked for with, at one and the same cursor. A relay with
        another key must not take what an earlier one was shown for what there is.
        """
        return self.folder / f"keys-{hashlib.sha256(self.upstream.key.encode()).hexdigest()[:12]}"

    def leg(self, name: str, tasks: Tasks) -> MakeLeg:
        """Return what makes the leg of an environment."""
        return self._leg(name, self.folder / f"{name}.journal", tasks)

    def keys_leg(self, tasks: Tasks) -> MakeLeg:
        """Return what makes the leg of the keys."""
        return self._leg(KEYS, self.keys_folder / f"{KEYS}.journal", tasks)

    def _leg(self, log: str, journal: Path, tasks: Tasks) -> MakeLeg:
        upstream = replace(self.upstream, log=log)

        def make(environment: Environment) -> UpstreamLeg:
            return UpstreamLeg(upstream, environment.replica, tasks, environment, journal, patience=self.patience)

        return make
