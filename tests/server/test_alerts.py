"""What alerting systems send, in their own form, and what is made of it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wigwag_server.admin.alerts import is_over, reason_of
from wigwag_server.admin.bodies import LONGEST_REASON

ALERTMANAGER: dict[str, Any] = {
    "version": "4",
    "groupKey": '{}:{alertname="HighErrorRate"}',
    "status": "firing",
    "receiver": "wigwag",
    "groupLabels": {"alertname": "HighErrorRate"},
    "commonLabels": {"alertname": "HighErrorRate", "service": "checkout"},
    "commonAnnotations": {"summary": "5xx above 5 % for 2 minutes"},
    "externalURL": "http://alertmanager.example",
    "alerts": [{"status": "firing", "labels": {"alertname": "HighErrorRate"}, "annotations": {"summary": "x"}}],
}
GRAFANA: dict[str, Any] = {
    "status": "firing",
    "title": "[FIRING:1] Checkout errors",
    "message": "**Firing** value: 7.1",
    "state": "alerting",
    "commonLabels": {"alertname": "Checkout errors"},
    "commonAnnotations": {},
    "alerts": [],
}
PAGERDUTY: dict[str, Any] = {
    "event": {
        "id": "5ac64822-4adc-4fda-ade0-410becf0de4f",
        "event_type": "incident.triggered",
        "resource_type": "incident",
        "data": {"id": "PGR0VU2", "type": "incident", "title": "Payments are failing", "status": "triggered"},
    }
}
DATADOG = {"title": "[Triggered] p99 of checkout", "body": "%%% p99 > 2 s %%%", "alert_transition": "Triggered"}


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (ALERTMANAGER, "HighErrorRate: 5xx above 5 % for 2 minutes"),
        (GRAFANA, "Checkout errors: [FIRING:1] Checkout errors"),
        (PAGERDUTY, "Payments are failing"),
        (DATADOG, "[Triggered] p99 of checkout"),
        ({"reason": "by hand", "title": "no"}, "by hand"),
        ({"alerts": [{"labels": {"alertname": "A"}, "annotations": {"description": "d"}}]}, "A: d"),
        ("plain\r\ntext\0", "plain text"),
        ({"text": 5, "message": " "}, ""),
        ([1, 2], ""),
        (None, ""),
        (7, ""),
    ],
)
def test_the_reason_is_found_where_each_system_puts_it(message: Any, reason: str) -> None:
    assert reason_of(message) == reason
    assert not is_over(message)


@pytest.mark.parametrize(
    "message",
    [
        {**ALERTMANAGER, "status": "resolved"},
        {**GRAFANA, "state": "ok"},
        {**DATADOG, "alert_transition": "Recovered"},
        {"event": {**PAGERDUTY["event"], "event_type": "incident.resolved"}},
        {"event": {**PAGERDUTY["event"], "event_type": "incident.annotated"}},
        {"event": {"event_type": "pagey.ping"}},
        {"NewStateValue": "OK"},
    ],
)
def test_the_end_of_an_alert_or_a_note_about_it_is_no_alert(message: Any) -> None:
    assert is_over(message)


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["event", "data", "alerts", "status", "title", "commonLabels", "x"]), inner)
    ),
)


@given(json_values | st.text(max_size=3000).map(lambda text: {"summary": text}))
def test_whatever_comes_gives_one_line_of_bounded_length(message: Any) -> None:
    reason = reason_of(message)
    assert len(reason) <= LONGEST_REASON
    assert reason.isprintable()
    assert is_over(message) in (True, False)
