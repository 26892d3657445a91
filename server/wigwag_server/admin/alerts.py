"""What an alerting system says, as far as a kill needs it: why, and whether it is an alert at all. Pure.

Understood are Prometheus Alertmanager, Grafana, PagerDuty (V3 webhooks), Datadog and what most others send: an object
with a title, a summary or a message somewhere near its top. Whatever is not understood is an alert without a reason:
a kill that fails because of the form of a message would be the worse mistake.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from wigwag_server.admin.bodies import LONGEST_REASON

# Members that name an alert, and those that say what it is about; the first that is there counts.
NAMES = ("alertname", "ruleName", "rule_name", "monitor_name", "alarmName", "AlarmName")
TEXTS = ("reason", "summary", "title", "message", "description", "text", "body", "NewStateReason")
# Where these may be, from the outside in.
PLACES = (
    ("commonLabels",),
    ("commonAnnotations",),
    (),
    ("event", "data"),
    ("incident",),
    ("data",),
    ("alert",),
    ("alerts", 0, "labels"),
    ("alerts", 0, "annotations"),
    ("groupLabels",),
)
STATES = ("status", "state", "alert_transition", "transition", "NewStateValue")
OVER = frozenset({"resolved", "ok", "recovered", "normal", "closed", "inactive", "no_data_recovered"})
# PagerDuty sends everything that happens to an incident, also that somebody has written a note.
RAISED = frozenset({"incident.triggered", "incident.reopened"})


def reason_of(message: Any) -> str:
    """Return why something is to be killed, in one line of bounded length; empty where it is not said."""
    if isinstance(message, str):
        return _line(message)
    places = [place for place in (_at(message, path) for path in PLACES) if isinstance(place, Mapping)]
    name = next(_texts(places, NAMES), "")
    text = next((each for each in _texts(places, TEXTS) if each != name), "")
    return _line(f"{name}: {text}" if name and text else name or text)


def is_over(message: Any) -> bool:
    """Say whether a message tells of anything but the beginning of an alert: its end, or a note about it."""
    event = _at(message, ("event", "event_type"))
    if isinstance(event, str):
        return event not in RAISED
    return any(state.lower() in OVER for state in _texts([message] if isinstance(message, Mapping) else [], STATES))


def _texts(places: list[Mapping[str, Any]], names: tuple[str, ...]) -> Iterator[str]:
    for place in places:
        for name in names:
            value = place.get(name)
            if isinstance(value, str) and value.strip():
                yield value.strip()


def _at(message: Any, path: tuple[str | int, ...]) -> Any:
    for step in path:
        if isinstance(step, str) and isinstance(message, Mapping):
            message = message.get(step)
        elif isinstance(step, int) and isinstance(message, list) and len(message) > step:
            message = message[step]
        else:
            return None
    return message


def _line(text: str) -> str:
    """Return it as one line: what a chat message or a table can show."""
    clean = "".join(each if each.isprintable() else " " for each in text)
    line = " ".join(clean.split())
    return line if len(line) <= LONGEST_REASON else line[: LONGEST_REASON - 1] + "…"
