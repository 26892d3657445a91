"""Commits are traced where that is asked for, and only there."""

from pathlib import Path

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.support.server import running


async def test_each_commit_is_a_span(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    # The provider of a process can be set but once, so the tests do not set it.
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    async with running(f"sqlite:{tmp_path / '1.db'}") as server:
        await server.put("checkout")
    assert exporter.get_finished_spans() == ()
    async with running(f"sqlite:{tmp_path / '2.db'}", otel=True) as server:
        await server.put("checkout")
        flag = await server.kill("checkout")
    spans = [dict(span.attributes or {}) for span in exporter.get_finished_spans() if span.name == "wigwag.commit"]
    assert {
        "wigwag.environment": "production",
        "wigwag.action": "flag.kill",
        "wigwag.revision": flag["revision"],
    } in spans
    assert "_system" in [each["wigwag.environment"] for each in spans]
