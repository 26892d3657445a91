"""What a person writes of rollouts, guards and schedules, checked whole before anything is stored."""

import secrets
import time
from collections.abc import Mapping
from typing import Any

from wigwag_proto.problems import Problems, Violation, shown, unknown_name
from wigwag_proto.validate import check_key
from wigwag_server.admin.bodies import refuse
from wigwag_server.admin.times import LENGTH, span_ms
from wigwag_server.rollouts.evidence import Guard
from wigwag_server.rollouts.plan import OnBreach, RollbackTo, Rollout
from wigwag_server.rollouts.schedule import UTC, Missed, Schedule, What, read_time
from wigwag_server.rollouts.standing import Standing

MOST_STAGES = 50
SHORTEST_INTERVAL_MS = 1000
LONGEST_INTERVAL_MS = 30 * 86_400_000
SHORTEST_WINDOW_MS, LONGEST_WINDOW_MS = 60_000, 86_400_000 // 2
MOST_SAMPLES = 1_000_000_000
LIMITS = ("maxErrorRate", "maxErrorIncrease", "maxP95Increase")
BOUNDS: Mapping[str, tuple[float, float]] = {
    "maxErrorRate": (0, 1),
    "maxErrorIncrease": (0, 1),
    "maxP95Increase": (0, 1000),
    "minSamples": (1, MOST_SAMPLES),
    "falseAlarm": (1e-9, 0.5),
}
GUARD = tuple(BOUNDS)
ROLLOUT_GUARD = (*GUARD, "onBreach", "rollbackTo")
ROLLOUT = ("stages", "interval", "guard", "comment")
STANDING = (*GUARD, "window", "coolDown", "dryRun", "comment")
SCHEDULE = ("flag", "what", "at", "timeZone", "patch", "missed", "grace", "comment")
# A guard without an end looks again and again: what it promises is promised for one window.
STANDING_FALSE_ALARM = 0.0001


def read_rollout_body(body: Mapping[str, Any], by: str, found: list[Violation]) -> Rollout:
    """Return the rollout, not begun. Raises Problem (422), also for what was `found` before."""
    problems = Problems()
    problems.is_object("", body, ROLLOUT, ("stages", "interval"))
    stages = body.get("stages")
    if "stages" in body:
        _check_stages(problems, stages)
    interval = _span(problems, "interval", body.get("interval", "1h"), SHORTEST_INTERVAL_MS, LONGEST_INTERVAL_MS)
    plain = body.get("guard")
    guard, on_breach, rollback_to = None, OnBreach.ROLLBACK, RollbackTo.ZERO
    if plain is not None and problems.is_object("/guard", plain, ROLLOUT_GUARD):
        guard = _guard(problems, "/guard", plain, Guard().false_alarm)
        on_breach = OnBreach(_one_of(problems, "/guard/onBreach", plain.get("onBreach", on_breach), OnBreach))
        rollback_to = RollbackTo(_one_of(problems, "/guard/rollbackTo", plain.get("rollbackTo", "zero"), RollbackTo))
    refuse("Nothing was started.", [*found, *problems.found])
    return Rollout(
        id=secrets.token_hex(8),
        stages=tuple(stages or ()),
        interval_ms=interval,
        guard=guard,
        on_breach=on_breach,
        rollback_to=rollback_to,
        by=by,
    )


def read_standing_body(body: Mapping[str, Any], by: str, found: list[Violation]) -> Standing:
    """Return the guard. Raises Problem (422), also for what was `found` before."""
    problems = Problems()
    problems.is_object("", body, STANDING)
    guard = _guard(problems, "", body, STANDING_FALSE_ALARM)
    window = _span(problems, "window", body.get("window", "10m"), SHORTEST_WINDOW_MS, LONGEST_WINDOW_MS)
    cool_down = _span(problems, "coolDown", body.get("coolDown", "10m"), 0, LONGEST_INTERVAL_MS)
    dry_run = body.get("dryRun", False)
    problems.is_boolean("/dryRun", dry_run)
    refuse("The guard was not set.", [*found, *problems.found])
    return Standing(guard=guard, window_ms=window, cool_down_ms=cool_down, dry_run=dry_run, by=by)


def read_schedule_body(body: Mapping[str, Any], by: str, comment: str, found: list[Violation]) -> Schedule:
    """Return the schedule. Raises Problem (422), also for what was `found` before."""
    problems = Problems()
    problems.is_object("", body, SCHEDULE, ("flag", "what", "at"))
    flag = body.get("flag", "-")
    wrong = check_key(flag) if isinstance(flag, str) else "it must be a string"
    if wrong is not None:
        problems.add("/flag", f"{shown(flag)} cannot be a key: {wrong}")
    what = What(_one_of(problems, "/what", body.get("what", What.KILL), What))
    missed = Missed(_one_of(problems, "/missed", body.get("missed", Missed.SKIP), Missed))
    patch = body.get("patch")
    if what is What.CHANGE and not (isinstance(patch, Mapping) and patch):
        problems.add("/patch", "must be an object with the fields that change, as in a PATCH of the flag")
    if what is not What.CHANGE and patch is not None:
        problems.add("/patch", f'goes with "what": "change", not with {shown(str(what))}')
    zone = body.get("timeZone", UTC)
    at: int | str = read_time(body.get("at"), zone) if "at" in body else 0
    if isinstance(at, str):
        problems.add("/at", at)
    elif "at" in body and at <= time.time() * 1000:
        problems.add("/at", "must be a time to come")
    grace = _span(problems, "grace", body.get("grace", "60s"), 1000, LONGEST_INTERVAL_MS)
    refuse("Nothing was scheduled.", [*found, *problems.found])
    return Schedule(
        id=secrets.token_hex(8),
        flag=flag,
        what=what,
        at=int(at),
        time_zone=zone,
        local=str(body.get("at")),
        patch=patch or {},
        missed=missed,
        grace_ms=grace,
        by=by,
        comment=comment,
    )


def _check_stages(problems: Problems, stages: Any) -> None:
    if not problems.is_list("/stages", stages):
        return
    if not 1 <= len(stages) <= MOST_STAGES:
        problems.add("/stages", f"must have 1 to {MOST_STAGES} percentages")
        return
    before = 0.0
    for index, stage in enumerate(stages):
        pointer = f"/stages/{index}"
        if not problems.is_number(pointer, stage):
            return
        if not before < stage <= 100 or round(stage, 3) != stage:
            problems.add(pointer, "must be more than the stage before, at most 100, with at most three decimals")
            return
        before = stage


def _guard(problems: Problems, pointer: str, plain: Mapping[str, Any], false_alarm: float) -> Guard:
    if all(plain.get(name) is None for name in LIMITS):
        problems.add(pointer, f"needs one of {', '.join(LIMITS)}: what is it to look at?")
    rate = _number(problems, pointer, plain, "maxErrorRate", None)
    increase = _number(problems, pointer, plain, "maxErrorIncrease", None)
    slower = _number(problems, pointer, plain, "maxP95Increase", None)
    samples = _number(problems, pointer, plain, "minSamples", 100)
    alarm = _number(problems, pointer, plain, "falseAlarm", false_alarm)
    if isinstance(samples, float):
        problems.add(f"{pointer}/minSamples", "must be a whole number")
    return Guard(
        max_error_rate=rate,
        max_error_increase=increase,
        max_p95_increase=slower,
        min_samples=int(samples or 1),
        false_alarm=alarm or false_alarm,
    )


def _number(problems: Problems, pointer: str, plain: Mapping[str, Any], name: str, default: Any) -> Any:
    least, most = BOUNDS[name]
    value = plain.get(name, default)
    if value is None:
        return default
    if not problems.is_number(f"{pointer}/{name}", value):
        return default
    if not least <= value <= most:
        problems.add(f"{pointer}/{name}", f"must be from {least:,g} to {most:,g}")
        return default
    return value


def _span(problems: Problems, name: str, value: Any, least: int, most: int) -> int:
    found = span_ms(value)
    if found is None or not least <= found <= most:
        problems.add(f"/{name}", f"must be {LENGTH}, from {least // 1000:,} s to {most // 1000:,} s")
        return most
    return found


def _one_of(problems: Problems, pointer: str, value: Any, kind: Any) -> str:
    known = [str(each) for each in kind]
    if isinstance(value, str) and value in known:
        return value
    problems.add(pointer, unknown_name("value", value, known))
    return known[0]
