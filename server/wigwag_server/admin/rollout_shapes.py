"""The JSON of rollouts, guards, schedules and results, as types, for /openapi.json."""

from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import Meta

from wigwag_server.admin.control_shapes import Span
from wigwag_server.admin.rollout_bodies import MOST_SAMPLES, MOST_STAGES
from wigwag_server.admin.shapes import Body, Comment, Key
from wigwag_server.rollouts.plan import OnBreach, RollbackTo
from wigwag_server.rollouts.schedule import Missed, Status, What

Stage = Annotated[float, Meta(gt=0, le=100)]
Rate = Annotated[float, Meta(ge=0, le=1)] | None
Part = Annotated[float, Meta(ge=0, le=1000)] | None


class GuardBody(Body, frozen=True):
    """What the runs with the flag on must keep to; one of the first three is needed."""

    max_error_rate: Annotated[Rate, Meta(description="The share that may fail: 0.01 is 1 %.")] = None
    max_error_increase: Annotated[Rate, Meta(description="How much more may fail than with the flag off.")] = None
    max_p95_increase: Annotated[
        Part,
        Meta(description="By which part the 95th percentile of the duration may be longer: 0.5 is half as long again."),
    ] = None
    min_samples: Annotated[int, Meta(ge=1, le=MOST_SAMPLES, description="Runs on a side before it is judged.")] = 100
    false_alarm: Annotated[float, Meta(ge=1e-9, le=0.5, description="The promised probability of one, at most.")] = 0.01


class RolloutGuard(GuardBody, frozen=True):
    """And what is done about it."""

    on_breach: OnBreach = OnBreach.ROLLBACK
    rollback_to: RollbackTo = RollbackTo.ZERO


class RolloutBody(Body, frozen=True):
    """A ramp."""

    EXAMPLE: ClassVar[Any] = {"stages": [1, 10, 100], "interval": "1h", "guard": {"maxErrorIncrease": 0.0}}

    stages: Annotated[tuple[Stage, ...], Meta(min_length=1, max_length=MOST_STAGES, description="Ascending.")]
    interval: Annotated[Span, Meta(description="How long each stage lasts at least: 30m, 1h, 1d.")]
    guard: RolloutGuard | None = None
    comment: Comment = ""


class StandingBody(GuardBody, frozen=True):
    """A guard that is there without a rollout."""

    EXAMPLE: ClassVar[Any] = {"maxErrorIncrease": 0.01, "dryRun": True}

    window: Annotated[Span, Meta(description="Runs are judged in windows of this length.")] = "10m"
    cool_down: Annotated[Span, Meta(description="After it has acted it does not act again for so long.")] = "10m"
    dry_run: Annotated[bool, Meta(description="Only say what it would have done.")] = False
    comment: Comment = ""


class ScheduleBody(Body, frozen=True):
    """What is to be done, and when."""

    EXAMPLE: ClassVar[Any] = {"flag": "checkout", "what": "kill", "at": "2090-01-31T09:00", "timeZone": "Europe/Berlin"}

    flag: Key
    what: What
    at: Annotated[int | str, Meta(description="A time in `timeZone`, RFC 3339 with an offset, or Unix ms.")]
    time_zone: str = "UTC"
    patch: Annotated[dict[str, Any] | None, Meta(description="The fields that a change is to change.")] = None
    missed: Annotated[Missed, Meta(description="What becomes of it when no server could act at its time.")] = (
        Missed.SKIP
    )
    grace: Annotated[Span, Meta(description="Later than this it counts as missed.")] = "60s"
    comment: Comment = ""


class SchedulesQuery(msgspec.Struct, frozen=True):
    """Which of them."""

    flag: str = ""
    status: Status | msgspec.UnsetType = msgspec.UNSET


class RemovalQuery(msgspec.Struct, frozen=True):
    """Of a deletion."""

    comment: Comment = ""
