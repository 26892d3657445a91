"""Decisions show on spans by the conventions, and are counted as they are without."""

from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.client.integrations.flags import HALF, client_of, endings, uses
from wigwag.integrations.asgi import FlagsMiddleware
from wigwag.integrations.opentelemetry import REASONS, TracedFlags, TracedFlagsMiddleware
from wigwag_proto.decision import Reason


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def tracer(exporter: InMemorySpanExporter) -> Any:
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return provider.get_tracer("tests")


def events(exporter: InMemorySpanExporter) -> list[dict[str, Any]]:
    found = [event for span in exporter.get_finished_spans() for event in span.events]
    assert {event.name for event in found} <= {"feature_flag.evaluation"}
    return [dict(event.attributes or {}) for event in found]


def test_each_decision_is_an_event_with_the_attributes_of_the_conventions(
    tracer: Any, exporter: InMemorySpanExporter
) -> None:
    variants = [{"name": "blue", "weight": 1, "value": "#00f"}]
    client = client_of(on=True, killed={"enabled": True, "killSwitch": True}, split={**HALF, "variants": variants})
    with tracer.start_as_current_span("pay"):
        flags = TracedFlags(client.bind(user_id="7"), context_id=True)
        assert flags.is_enabled("on")
        flags.is_enabled("missing", default=True)
        side = flags.variant("split")
    on, missing, split = events(exporter)
    common = {"feature_flag.provider.name": "wigwag", "feature_flag.context.id": "7"}
    assert on.pop("feature_flag.version")
    assert on == {
        **common,
        "feature_flag.key": "on",
        "feature_flag.result.value": True,
        "feature_flag.result.reason": "static",
        "wigwag.reason": "STATIC",
    }
    assert missing == {
        **common,
        "feature_flag.key": "missing",
        "feature_flag.result.value": True,
        "feature_flag.result.reason": "error",
        "error.type": "flag_not_found",
    }
    assert (split["feature_flag.result.reason"], split["wigwag.reason"]) == ("split", "ROLLOUT")
    assert split.get("feature_flag.result.variant") == (side.name if side else None)
    assert uses(client) == {"on": 1, "missing": 1, "split": 1}


def test_user_ids_are_not_told_unasked_and_nothing_is_where_no_span_is(
    tracer: Any, exporter: InMemorySpanExporter
) -> None:
    flags = TracedFlags(client_of(on=True).bind(user_id="secret"))
    assert flags.is_enabled("on")
    with tracer.start_as_current_span("pay"):
        flags.is_enabled("on")
    (event,) = events(exporter)
    assert "secret" not in str(event)


def test_every_reason_has_its_name_in_the_conventions() -> None:
    assert set(REASONS) == set(Reason) - {Reason.UNKNOWN_FLAG}


async def test_the_middleware_traces_requests_and_outcomes_are_still_counted(
    tracer: Any, exporter: InMemorySpanExporter
) -> None:
    client = client_of(on=True)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert scope["state"]["flags"].is_enabled("on")
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def nothing(*_: Any) -> Any:
        return {"type": "http.disconnect"}

    with tracer.start_as_current_span("request"):
        wrapped = FlagsMiddleware(TracedFlagsMiddleware(app), client)
        await wrapped({"type": "http", "path": "/", "headers": []}, nothing, nothing)
    assert [event["feature_flag.key"] for event in events(exporter)] == ["on"]
    assert endings(client) == {("on", True): (1, 0, 0)}
