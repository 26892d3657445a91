"""The logs of keys that relays follow: one for each set of environments, made when the first relay asks."""

from collections.abc import Callable, Collection

from wigwag_proto.commit import Commit, Epoch
from wigwag_proto.follower import Standing
from wigwag_proto.replica import Applied, Replica
from wigwag_proto.tasks_io import Tasks
from wigwag_server.environment import Environment
from wigwag_server.following import Standpoint
from wigwag_server.hub.hub import Hub
from wigwag_server.relay.visible import KEYS, visible_commit, visible_snapshot

MakeHub = Callable[[Standpoint], Hub]


class KeyLog:
    """What is visible of `_system` to relays of the same environments; as current as that is."""

    def __init__(self, system: Environment, environments: Collection[str], always: Collection[str]) -> None:
        self.replica = Replica(KEYS)
        self._system = system
        self._environments = environments
        self._always = always

    @property
    def proven_at(self) -> float | None:
        """When `_system` was last proven."""
        return self._system.follower.proven_at

    @property
    def standing(self) -> Standing:
        """How `_system` stands."""
        return self._system.follower.standing

    @property
    def last_error(self) -> str | None:
        """What is wrong with `_system`."""
        return self._system.follower.last_error

    @property
    def missed(self) -> int:
        """Nothing: it is made here."""
        return 0

    def degraded(self, now: float) -> bool:
        """Say whether `_system` was not lately proven."""
        return self._system.follower.degraded(now)

    def load(self) -> bool:
        """Take what is visible of the state of `_system`, and say whether it is later than what was held."""
        if self._system.replica.cursor is None:
            return False
        return self.replica.load(visible_snapshot(self._system.replica.snapshot(), self._environments, self._always))

    def apply(self, epoch: Epoch, commit: Commit) -> Commit | None:
        """Apply what is visible of a commit, and return that; None where it does not fit."""
        seen = visible_commit(commit, self._environments, self.replica.records)
        return seen if self.replica.apply(epoch, seen) is Applied.NEW else None


class KeyLogs:
    """All of them, with a hub each. Follows `_system` as a listener, after the keys themselves."""

    def __init__(self, system: Environment, tasks: Tasks, make_hub: MakeHub, always: Collection[str] = ()) -> None:
        """`always` are environments that are there without a record."""
        self._system = system
        self._tasks = tasks
        self._make_hub = make_hub
        self._always = always
        self._logs: dict[frozenset[str], tuple[KeyLog, Hub]] = {}

    @property
    def hubs(self) -> list[Hub]:
        """Where relays follow them."""
        return [hub for _, hub in self._logs.values()]

    def scopes(self) -> list[tuple[frozenset[str], Hub]]:
        """Return the environments of each, and where it is followed."""
        return [(scope, hub) for scope, (_, hub) in self._logs.items()]

    def of(self, environments: Collection[str]) -> tuple[KeyLog, Hub]:
        """Return the log for relays of these environments. `_system` must be known."""
        scope = frozenset(environments)
        if scope not in self._logs:
            log = KeyLog(self._system, scope, self._always)
            hub = self._make_hub(log)
            self._logs[scope] = log, hub
            if log.load():
                hub.loaded()
            self._tasks.start(f"hub of the keys of {', '.join(sorted(scope))}", hub.run())
        return self._logs[scope]

    def loaded(self) -> None:
        """Load all anew."""
        for log, hub in self._logs.values():
            if log.load():
                hub.loaded()

    def committed(self, epoch: Epoch, commit: Commit) -> None:
        """Pass on what is visible."""
        for log, hub in self._logs.values():
            if (seen := log.apply(epoch, commit)) is not None:
                hub.committed(epoch, seen)
            elif log.load():
                hub.loaded()
