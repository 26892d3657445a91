"""Deciding on the server, with the same compiled flags that clients use."""

import time

from wigwag_proto.commit import Change, Commit, Epoch
from wigwag_proto.compile import CompiledFlag
from wigwag_proto.context import Context
from wigwag_proto.decision import Decision
from wigwag_proto.evaluate import decide
from wigwag_proto.flag import Kill
from wigwag_proto.outcome import Outcome
from wigwag_proto.ruleset import Ruleset
from wigwag_proto.snapshot import Emergency
from wigwag_server.environment import Environment


class Evaluator:
    """The flags of one environment, ready to be asked. Follows it as a listener."""

    def __init__(self, environment: Environment) -> None:
        self.ruleset = Ruleset()
        self._environment = environment
        self._emergencies: tuple[Emergency, ...] = ()

    def loaded(self) -> None:
        """Take in what differs."""
        self.ruleset.load(self._environment.replica.records, self._revision)

    def committed(self, epoch: Epoch, commit: Commit) -> None:  # noqa: ARG002 - a listener's signature
        """Take in what has changed."""
        self.ruleset.apply(commit.changes, commit.revision)

    def visible(self, *, to_browsers: bool) -> list[str]:
        """Return the keys of the flags that a key of this sort may ask for, sorted."""
        flags = self._flags()
        return sorted(key for key in flags if not to_browsers or flags[key].flag.client_visible)

    def find(self, key: str, *, to_browsers: bool) -> CompiledFlag | None:
        """Return a flag, or None where there is none or the caller is not to know of it."""
        found = self._flags().get(key)
        return None if found is None or (to_browsers and not found.flag.client_visible) else found

    def decide(self, compiled: CompiledFlag, context: Context) -> Outcome | Decision:
        """Decide, and count it."""
        stale_for = self.ruleset.stale_for(time.monotonic())
        attributes = context.attributes
        try:
            outcome = (
                compiled.check(attributes) if compiled.check_at is None else compiled.check_at(attributes, stale_for)
            )
        except Exception:  # noqa: BLE001  # an attribute that no rule can compare: ask the definition
            outcome = None
        if outcome is not None:
            outcome.tally.n += 1
            return outcome
        decision = decide(compiled, attributes, stale_for)
        compiled.usage.count(decision)
        return decision

    def affected(self, changes: tuple[Change, ...]) -> set[str]:
        """Return the flags that answer otherwise, perhaps, after these changes: also through segments and requires."""
        return self.ruleset.affected_by(changes)

    @property
    def _revision(self) -> int:
        cursor = self._environment.replica.cursor
        return cursor.revision if cursor else 0

    def _flags(self) -> dict[str, CompiledFlag]:
        """Return the flags, with the emergencies now in force and the time of the last proof."""
        self.ruleset.proven_at = self._environment.follower.proven_at
        emergencies = self._environment.replica.emergencies
        if emergencies is not self._emergencies:
            self._emergencies = emergencies
            self.ruleset.kill_out_of_band(
                {
                    key: Kill(by=each.by, reason=each.reason, at=each.at)
                    for each in emergencies
                    for key in each.keys
                    if key in self.ruleset.live
                }
            )
        return self.ruleset.live
