"""Traces of commits by OpenTelemetry, where that is asked for. Needs the extra `otel`.

Where spans go is told by the variables that OpenTelemetry has for this, such as `OTEL_EXPORTER_OTLP_ENDPOINT`.
"""

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from wigwag_server.settings import BadSetting

# Opens a span for a commit: the environment and the action. What is called with the revision ends up on it.
Note = Callable[[int], None]
Tracing = Callable[[str, str], AbstractContextManager[Note]]


def no_tracing(environment: str, action: str) -> AbstractContextManager[Note]:  # noqa: ARG001 - a Tracing
    """Trace nothing."""
    return nullcontext(_forget)


def open_telemetry() -> Tracing:
    """Return what traces by OpenTelemetry's tracer in force. Raises BadSetting where it is not installed."""
    try:
        from opentelemetry import trace  # noqa: PLC0415 - optional
    except ImportError:
        raise BadSetting("--otel needs OpenTelemetry: pip install 'wigwag[server,otel]'") from None
    tracer = trace.get_tracer("wigwag_server")

    @contextmanager
    def span(environment: str, action: str) -> Generator[Note]:
        attributes = {"wigwag.environment": environment, "wigwag.action": action}
        with tracer.start_as_current_span("wigwag.commit", attributes=attributes) as opened:
            yield lambda revision: opened.set_attribute("wigwag.revision", revision)

    return span


def export_spans() -> None:
    """Have this process send its spans by OTLP. Raises BadSetting where what that takes is not installed."""
    try:
        from opentelemetry import trace  # noqa: PLC0415 - optional
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    except ImportError:
        raise BadSetting("--otel needs OpenTelemetry: pip install 'wigwag[server,otel]'") from None
    provider = TracerProvider(resource=Resource.create({"service.name": "wigwag-server"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)


def _forget(revision: int) -> None:
    """Take the place of a note where nothing is traced."""
