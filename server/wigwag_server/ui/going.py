"""What goes on by itself, as the overview shows it: each ramp, where it is, and what comes next. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wigwag_server.ui.words import percent

Plain = Mapping[str, Any]
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
# The picture reaches back to when the oldest began, within these.
SHORTEST_MS, LONGEST_MS = HOUR_MS, 30 * DAY_MS
GOES_ON = ("running", "paused")
# What a guard has made of a ramp, and what the history of the flag calls that.
ENDED = {"rolledBack": "rollout.rollback", "killed": "rollout.kill"}


@dataclass(frozen=True, slots=True)
class Going:
    """A ramp that runs or is paused, or that a guard has just ended."""

    flag: str
    plain: Plain

    @property
    def stage(self) -> str:
        """Where it is."""
        stages, at = self.plain["stages"], self.plain["stage"]
        share = percent(self.plain["percentage"])
        if self.plain["status"] in ENDED:
            return share
        return f"{share}, stage {at + 1} of {len(stages)}" if at >= 0 else f"{share}, before the first of {len(stages)}"

    @property
    def after(self) -> str:
        """What comes next, if it goes on."""
        stages, at = self.plain["stages"], self.plain["stage"] + 1
        return percent(stages[at]) if at < len(stages) else "the end"

    @property
    def next_at(self) -> int | None:
        """When that is due (Unix ms); None where it is not a matter of time."""
        due = self.plain["status"] == "running" and self.plain["stageAt"] and self.plain["nextInMs"]
        return self.plain["stageAt"] + self.plain["intervalMs"] if due else None


def reaches_back(rollouts: Sequence[Plain], now_ms: float) -> float:
    """Return from when on the picture is to be drawn (Unix ms)."""
    begun = min((each["startedAt"] for each in rollouts), default=now_ms)
    return now_ms - min(LONGEST_MS, max(SHORTEST_MS, (now_ms - begun) * 1.05))
