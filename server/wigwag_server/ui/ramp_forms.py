"""What somebody fills in about ramps, guards and schedules, as the bodies that the API takes. Pure.

Forms speak of percent where the API speaks of shares. What is no number goes to the API as it was written: it says best
what is wrong with it.
"""

from collections.abc import Mapping
from math import isfinite
from typing import Any

from wigwag_proto.codec import decode
from wigwag_proto.errors import Malformed
from wigwag_server.ui.ramp_words import span
from wigwag_server.ui.words import plain_number

Plain = Mapping[str, Any]
Fields = dict[str, str]

STAGES = (1, 5, 10, 25, 50, 100)
# The field of the form, the field of the API, and how many times as large the form has it.
LIMITS = (
    ("error_rate", "maxErrorRate", 100),
    ("error_increase", "maxErrorIncrease", 100),
    ("slowdown", "maxP95Increase", 100),
    ("samples", "minSamples", 1),
    ("false_alarm", "falseAlarm", 100),
)
DEEDS = {
    "kill": "kill it",
    "revive": "revive it",
    "on": "turn it on",
    "off": "turn it off",
    "percentage": "set its percentage",
    "change": "change it, as JSON",
}
BREACHES = {
    "rollback": "go back to 0 %",
    "previous": "go back one stage",
    "pause": "pause",
    "kill": "kill the flag",
}


def ramp_body(form: Plain) -> dict[str, Any]:
    """Return the body that starts a ramp."""
    parts = _text(form, "stages").replace("%", " ").replace(";", " ").replace(",", " ").split()
    body: dict[str, Any] = {"stages": [_number(part) for part in parts], "interval": _interval(form, "interval")}
    guard = _limits(form)
    if any(guard.get(name) is not None for _, name, _ in LIMITS[:3]):
        breach = _text(form, "breach") or "rollback"
        where = {"previous": {"onBreach": "rollback", "rollbackTo": "previous"}}
        body["guard"] = {**guard, **where.get(breach, {"onBreach": breach})}
    return {**body, **_comment(form)}


def guard_body(form: Plain) -> dict[str, Any]:
    """Return the body that puts a guard on a flag."""
    spans = {"window": _interval(form, "window"), "coolDown": _interval(form, "cool_down")}
    return {**_limits(form), **spans, "dryRun": _text(form, "dry_run") == "true", **_comment(form)}


def schedule_body(form: Plain, flag: str) -> dict[str, Any]:
    """Return the body that schedules something. Raises Malformed for a change that is no JSON."""
    what = _text(form, "what")
    body: dict[str, Any] = {"flag": flag, "what": what, "at": _text(form, "at"), "missed": _text(form, "missed")}
    body["timeZone"] = _text(form, "zone") or "UTC"
    patches: dict[str, Any] = {"on": {"enabled": True}, "off": {"enabled": False}}
    if what == "percentage":
        patches[what] = {"rolloutPercentage": _number(_text(form, "percentage").replace(",", "."))}
    elif what == "change":
        patches[what] = _patch(_text(form, "patch"))
    if what in patches:
        body |= {"what": "change", "patch": patches[what]}
    return {**body, **_comment(form)}


def ramp_fields(rollout: Plain | None, percentage: float) -> Fields:
    """Return what the form for a ramp has in it at first: the one that there was, or what mostly fits.

    A ramp never takes a flag from users who have it, so the stages below where it is are left out. Where it is on for
    everyone, the percentage has to be lowered first, and all are there.
    """
    known = rollout["stages"] if rollout else STAGES
    there = ", ".join(f"{plain_number(each)}" for each in known if each >= percentage or percentage >= 100)
    fields = {"stages": there, "interval": _short(rollout["intervalMs"] if rollout else 3_600_000), "comment": ""}
    first: Plain = {"maxErrorIncrease": 0.0, "minSamples": 100, "falseAlarm": 0.01}
    guard = (rollout["guard"] or {}) if rollout else first
    breach = str(guard.get("onBreach", "rollback"))
    back = "previous" if breach == "rollback" and guard.get("rollbackTo") == "previous" else breach
    return {**fields, **_limit_fields(guard), "breach": back}


def guard_fields(guard: Plain | None) -> Fields:
    """Return what the form for a guard has in it at first."""
    known: Plain = guard or {"maxErrorRate": 0.05, "windowMs": 600_000, "coolDownMs": 600_000, "dryRun": True}
    spans = {"window": _short(known["windowMs"]), "cool_down": _short(known["coolDownMs"])}
    return {**_limit_fields(known), **spans, "dry_run": "true" if known["dryRun"] else "", "comment": ""}


def schedule_fields() -> Fields:
    """Return what the form for a schedule has in it at first."""
    return {
        "what": "kill",
        "at": "",
        "zone": "UTC",
        "missed": "skip",
        "percentage": "",
        "patch": '{"description": "…"}',
        "comment": "",
    }


def _limit_fields(guard: Plain) -> Fields:
    found: Fields = {}
    for field, name, times in LIMITS:
        value = guard.get(name)
        found[field] = "" if value is None else f"{plain_number(round(float(value) * times, 9))}"
    return found


def _limits(form: Plain) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for field, name, times in LIMITS:
        text = _text(form, field).replace("%", "").replace(",", ".").strip()
        value = _number(text)
        if text:
            found[name] = round(value / times, 12) if times > 1 and isinstance(value, (int, float)) else value
    return found


def _patch(text: str) -> Any:
    try:
        return decode(text.encode(errors="replace"))
    except Malformed as error:
        raise Malformed(f"no change that can be made: it is {error}") from None


def _comment(form: Plain) -> dict[str, str]:
    comment = _text(form, "comment")
    return {"comment": comment} if comment else {}


def _interval(form: Plain, name: str) -> str:
    """Return a span as the API takes it: people also write "10 min"."""
    return _text(form, name).removesuffix("in").strip()


def _short(milliseconds: float) -> str:
    return span(milliseconds).replace(" ", "").removesuffix("in")


def _number(text: str) -> Any:
    try:
        value = float(text)
    except ValueError:
        return text
    return plain_number(value) if isfinite(value) else text


def _text(form: Plain, name: str) -> str:
    value = form.get(name, "")
    return value.strip() if isinstance(value, str) else ""
