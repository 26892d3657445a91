"""How pages say what a ramp, a guard and a schedule do. Pure."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from wigwag_server.ui.words import percent, plain_number

Plain = Mapping[str, Any]

STATUSES = {
    "running": "Running",
    "paused": "Paused",
    "rolledBack": "Rolled back",
    "killed": "Killed",
    "aborted": "Aborted",
    "done": "Done",
    "pending": "Pending",
    "skipped": "Skipped",
    "failed": "Failed",
    "cancelled": "Cancelled",
}
# Which of them need a look: those have a colour.
LOOKS = {
    "running": "running",
    "pending": "waiting",
    "paused": "held",
    "killed": "killed",
    "rolledBack": "damaged",
    "skipped": "damaged",
    "failed": "damaged",
}
BREACHES = {"pause": "it pauses", "kill": "it kills the flag"}
SPANS = ((604_800_000, "w"), (86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1000, "s"))
POINT = 0.01
DEEDS = {"kill": "Kill", "revive": "Revive", "change": "Change"}


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of a ramp, and whether it is behind, in force, or to come."""

    percentage: float
    place: str


def stages(rollout: Plain) -> list[Stage]:
    """Return the stages of a ramp with where it stands among them."""
    now, over = rollout["stage"], rollout["status"] == "done"
    return [
        Stage(each, "behind" if index < now or over else "now" if index == now else "ahead")
        for index, each in enumerate(rollout["stages"])
    ]


def next_stage(rollout: Plain) -> float | None:
    """Return the percentage that comes next; None after the last."""
    after = rollout["stage"] + 1
    return rollout["stages"][after] if after < len(rollout["stages"]) else None


def verdict(rollout: Plain) -> str:
    """Say in a sentence how a ramp is judged, or why it does not go on."""
    if rollout["reason"]:
        reason = str(rollout["reason"])
        return f"{reason[:1].upper()}{reason[1:]}."
    if rollout["guard"] is None:
        return "Nothing is measured: it goes by time alone."
    if rollout["status"] != "running":
        return "Nothing spoke against it."
    if rollout.get("waitsFor"):
        return f"Too little to judge yet: {rollout['waitsFor']}."
    return "Nothing speaks against it so far."


def limits(guard: Plain) -> list[str]:
    """Return what the runs with the flag on must keep to."""
    return list(_limits(guard))


def _limits(guard: Plain) -> Iterator[str]:
    if (rate := guard.get("maxErrorRate")) is not None:
        yield f"at most {_share(rate)} of the runs fail"
    if (increase := guard.get("maxErrorIncrease")) is not None:
        points = _share(increase).replace("%", "percentage point" if increase == POINT else "percentage points")
        yield (
            f"at most {points} more fail than with the flag off" if increase else "no more fail than with the flag off"
        )
    if (slower := guard.get("maxP95Increase")) is not None:
        yield (
            f"the 95th percentile is at most {_share(slower)} longer than with the flag off"
            if slower
            else ("the 95th percentile is no longer than with the flag off")
        )


def on_breach(guard: Plain) -> str:
    """Return what a ramp does when its guard is broken."""
    if guard.get("onBreach") in BREACHES:
        return BREACHES[guard["onBreach"]]
    return "it goes back " + ("one stage" if guard.get("rollbackTo") == "previous" else "to 0 %")


def span(milliseconds: float) -> str:
    """Return a length of time, in the largest unit that it is a whole number of."""
    for size, unit in SPANS:
        if milliseconds >= size and milliseconds % size == 0:
            return f"{milliseconds / size:.0f} {unit}"
    return f"{milliseconds / 1000:g} s"


def deed(schedule: Plain) -> str:
    """Return what a schedule does, in few words."""
    patch = schedule.get("patch") or {}
    if schedule["what"] != "change":
        return DEEDS[schedule["what"]]
    if patch == {"enabled": True}:
        return "Turn on"
    if patch == {"enabled": False}:
        return "Turn off"
    if list(patch) == ["rolloutPercentage"] and isinstance(patch["rolloutPercentage"], (int, float)):
        return f"Set to {percent(patch['rolloutPercentage'])}"
    return f"Change {', '.join(patch)}"


def status(known: str) -> Markup:
    """Return a status as an element."""
    look = LOOKS.get(known, "over")
    return Markup('<span class="state {}">{}</span>').format(look, STATUSES.get(known, known))


def between(low: float, high: float, rate: float, top: float) -> Markup:
    """Return an interval as a bar on a scale from 0 to `top`, with the measured share marked on it."""
    scale = 100 / top if top else 0
    return Markup(
        '<svg class="between" viewBox="0 0 100 12" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="from-to" x="{:.2f}" y="4" width="{:.2f}" height="4"/>'
        '<rect class="measured" x="{:.2f}" y="0" width="1" height="12"/></svg>'
    ).format(low * scale, max(0.5, (high - low) * scale), min(99.0, rate * scale))


def rate(share: float | None) -> str:
    """Return a share of runs in percent; of nothing there is none."""
    return "–" if share is None else _share(share)


def _share(share: float) -> str:
    """Return a share as precisely as somebody set or measured it: 0.00125 is 0.125 %."""
    return f"{plain_number(float(f'{share * 100:.3g}'))} %"


FILTERS: Mapping[str, Callable[..., Any]] = {
    "stages": stages,
    "next_stage": next_stage,
    "verdict": verdict,
    "limits": limits,
    "on_breach": on_breach,
    "span": span,
    "deed": deed,
    "status": status,
    "rate": rate,
}
