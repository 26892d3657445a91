"""What moves rollouts, guards and schedules on, as commands: each checks that the record is as its maker saw it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, ClassVar

import msgspec

from wigwag_proto.bucketing import rollout_limit
from wigwag_proto.commit import Change
from wigwag_proto.flag import Kill
from wigwag_proto.snapshot import Tables
from wigwag_server.admin.find import find_record
from wigwag_server.environment import Command
from wigwag_server.problems import Problem
from wigwag_server.rollouts import plan, schedule, standing
from wigwag_server.rollouts.plan import Rollout, Step, interference, read_rollout
from wigwag_server.rollouts.schedule import Schedule, read_schedule
from wigwag_server.rollouts.standing import Standing, read_standing

WIGWAG = "wigwag"


@dataclass(frozen=True, slots=True)
class Begin:
    """Start a rollout. It moves nothing yet: the first stage is a step like all others."""

    action: ClassVar[str] = "rollout.start"

    key: str
    rollout: Rollout

    def __call__(self, records: Tables, revision: int, at: int) -> Sequence[Change]:  # noqa: ARG002
        """Return the change. Raises Problem: 404, 409 where it cannot begin."""
        flag = find_record(records, "flag", self.key)
        known = read_rollout(records.get(plan.RECORD, {}).get(self.key))
        if known is not None and known.status in (plan.Status.RUNNING, plan.Status.PAUSED):
            detail = f"A rollout of '{self.key}' is {known.status} already. Abort it first (POST …/rollout/abort)."
            raise Problem(HTTPStatus.CONFLICT, detail)
        percentage = flag.get("rolloutPercentage", 100)
        rollout = msgspec.structs.replace(self.rollout, percentage=percentage, started_at=at)
        if (wrong := interference(rollout, flag)) is not None:
            raise Problem(HTTPStatus.CONFLICT, f"Nothing was started: {_as_it_is(wrong)} A rollout moves nothing else.")
        if rollout_limit(percentage) > rollout_limit(rollout.stages[0]):
            detail = (
                f"'{self.key}' is at {percentage:g} %, and the first stage of {rollout.stages[0]:g} % would take it "
                "from users who have it. Leave out the stages below, or set the percentage to 0 first."
            )
            raise Problem(HTTPStatus.CONFLICT, detail)
        return [_record(plan.RECORD, self.key, rollout)]


@dataclass(frozen=True, slots=True)
class Steer:
    """Pause, resume or abort on behalf of a person. `turn` returns the next state, or says why there is none."""

    action: str
    key: str
    turn: Callable[[Rollout, Mapping[str, Any]], Rollout | str]

    def __call__(self, records: Tables, revision: int, at: int) -> Sequence[Change]:  # noqa: ARG002
        """Return the change; none where it is so already. Raises Problem: 404, 409."""
        flag = find_record(records, "flag", self.key)
        known = find_rollout(records, self.key)
        turned = self.turn(known, flag)
        if isinstance(turned, str):
            raise Problem(HTTPStatus.CONFLICT, turned)
        return [] if turned == known else [_record(plan.RECORD, self.key, turned)]


@dataclass(frozen=True, slots=True)
class Move:
    """Make a step that was found due, unless another server was faster or somebody has come between."""

    key: str
    seen: Rollout
    step: Step

    @property
    def action(self) -> str:
        """The step's own."""
        return self.step.action

    def __call__(self, records: Tables, revision: int, at: int) -> Sequence[Change]:
        """Return the changes; none when there is nothing to do any more."""
        if read_rollout(records.get(plan.RECORD, {}).get(self.key)) != self.seen:
            return []
        flag = records.get("flag", {}).get(self.key)
        pauses = self.step.rollout.status is plan.Status.PAUSED
        if flag is None or (not pauses and interference(self.seen, flag) is not None):
            return []
        record = _record(plan.RECORD, self.key, self.step.rollout)
        fields: dict[str, Any] = {}
        if self.step.percentage is not None:
            fields["rolloutPercentage"] = self.step.percentage
        if self.step.kill:
            fields["kill"] = msgspec.to_builtins(Kill(by=WIGWAG, reason=self.step.kill, at=at))
        if not fields:
            return [record]
        return [Change("flag", self.key, {**flag, **fields, "updatedAt": at, "revision": revision}), record]


@dataclass(frozen=True, slots=True)
class Forget:
    """Drop what concerns a flag that is gone."""

    kind: str
    key: str

    @property
    def action(self) -> str:
        """As the audit log names it, such as `rollout.forget`."""
        return f"{self.kind}.forget"

    def __call__(self, records: Tables, revision: int, at: int) -> Sequence[Change]:  # noqa: ARG002
        """Return the change; none where the flag is there again."""
        gone = self.key in records.get(self.kind, {}) and self.key not in records.get("flag", {})
        return [Change(self.kind, self.key, None)] if gone else []


@dataclass(frozen=True, slots=True)
class SetStanding:
    """Put a guard on a flag, in place of the one that there is; None takes it away."""

    key: str
    standing: Standing | None

    @property
    def action(self) -> str:
        """As the audit log names it."""
        return "guard.set" if self.standing else "guard.remove"

    def __call__(self, records: Tables, revision: int, at: int) -> Sequence[Change]:  # noqa: ARG002
        """Return the change. Raises Problem (404)."""
        find_record(records, "flag", self.key)
        if self.standing is None:
            return [Change(standing.RECORD, self.key, None)] if self.key in records.get(standing.RECORD, {}) else []
        return [_record(standing.RECORD, self.key, msgspec.structs.replace(self.standing, set_at=at))]


@dataclass(frozen=True, slots=True)
class Trip:
    """Kill what a standing guard has found bad, or note that it would have been killed."""

    key: str
    seen: Standing
    reason: str
    at: int

    @property
    def action(self) -> str:
        """As the audit log names it."""
        return "guard.would-kill" if self.seen.dry_run else "guard.kill"

    def __call__(self, records: Tables, revision: int, at: int) -> Sequence[Change]:
        """Return the changes; none when there is nothing to do any more."""
        flag = records.get("flag", {}).get(self.key)
        if read_standing(records.get(standing.RECORD, {}).get(self.key)) != self.seen or not isinstance(flag, Mapping):
            return []
        noted = _record(
            standing.RECORD, self.key, msgspec.structs.replace(self.seen, acted_at=self.at, reason=self.reason)
        )
        if self.seen.dry_run or flag.get("kill") is not None:
            return [noted]
        kill = msgspec.to_builtins(Kill(by=WIGWAG, reason=self.reason, at=at))
        return [Change("flag", self.key, {**flag, "kill": kill, "updatedAt": at, "revision": revision}), noted]


@dataclass(frozen=True, slots=True)
class Plan:
    """Schedule something. Of those that are over, only the latest are remembered."""

    action: ClassVar[str] = "schedule.add"

    schedule: Schedule
    most: int

    def __call__(self, records: Tables, revision: int, at: int) -> Sequence[Change]:  # noqa: ARG002
        """Return the changes. Raises Problem: 404, 409 when there are too many."""
        find_record(records, "flag", self.schedule.flag)
        known = [each for plain in records.get(schedule.RECORD, {}).values() if (each := read_schedule(plain))]
        pending = [each for each in known if each.status is schedule.Status.PENDING]
        if len(pending) >= self.most:
            detail = f"{len(pending)} schedules are pending already, which is the limit. Cancel some."
            raise Problem(HTTPStatus.CONFLICT, detail)
        over = sorted((each for each in known if each not in pending), key=lambda each: -(each.ended_at or 0))
        forgotten = [Change(schedule.RECORD, each.id, None) for each in over[self.most :]]
        made = msgspec.structs.replace(self.schedule, created_at=at)
        return [_record(schedule.RECORD, made.id, made), *forgotten]


@dataclass(frozen=True, slots=True)
class End:
    """Have a pending schedule end, with what it was to do where it is done now. Both are one commit."""

    seen: Schedule
    status: schedule.Status
    command: Command | None = None
    detail: str = ""

    @property
    def action(self) -> str:
        """As the audit log names it, such as `schedule.done`."""
        return f"schedule.{self.status}"

    def __call__(self, records: Tables, revision: int, at: int) -> Sequence[Change]:
        """Return the changes; none when it has ended already. Raises what the command raises."""
        known = read_schedule(records.get(schedule.RECORD, {}).get(self.seen.id))
        if known is None or known.status is not schedule.Status.PENDING:
            return []
        done = self.command(records, revision, at) if self.command else ()
        ended = msgspec.structs.replace(known, status=self.status, ended_at=at, detail=self.detail)
        return [*done, _record(schedule.RECORD, known.id, ended)]


def find_rollout(records: Tables, key: str) -> Rollout:
    """Return the rollout of a flag. Raises Problem (404)."""
    rollout = read_rollout(records.get(plan.RECORD, {}).get(key))
    if rollout is None:
        raise Problem(HTTPStatus.NOT_FOUND, f"There is no rollout of '{key}'. POST …/rollout starts one.")
    return rollout


def _record(kind: str, key: str, value: msgspec.Struct) -> Change:
    return Change(kind, key, msgspec.to_builtins(value))


def _as_it_is(wrong: str) -> str:
    return wrong.replace("was turned off", "is off").replace("was killed", "is killed") + "."
