"""The routes."""

from aiohttp import web

from wigwag_server.admin import flags, instances, keys, kills, metrics, propagation, segments
from wigwag_server.services import SERVICES, Services
from wigwag_server.web import cors, ofrep
from wigwag_server.web.health import healthz, readyz
from wigwag_server.web.metrics import metrics as prometheus
from wigwag_server.web.middleware import problems
from wigwag_server.web.simple_flag import simple_flag
from wigwag_server.web.snapshot import snapshot
from wigwag_server.web.stream import stream
from wigwag_server.web.telemetry import telemetry


def build_app(services: Services) -> web.Application:
    """Put the application together."""
    app = web.Application(middlewares=[problems], client_max_size=services.settings.limits.body_bytes)
    app[SERVICES] = services
    app.on_response_prepare.append(cors.add_headers)
    app.add_routes(
        [
            web.get("/v1/stream", stream, allow_head=False),
            web.get("/v1/snapshot", snapshot),
            web.post("/ofrep/v1/evaluate/flags", ofrep.evaluate_flags),
            web.post("/ofrep/v1/evaluate/flags/{key}", ofrep.evaluate_flag),
            web.get("/ofrep/v1/events", ofrep.events, allow_head=False),
            web.options("/ofrep/{path:.*}", cors.preflight),
            web.get("/api/flags/{name}", simple_flag),
            web.options("/api/{path:.*}", cors.preflight),
            web.post("/v1/telemetry", telemetry),
            web.get("/healthz", healthz),
            web.get("/readyz", readyz),
            web.get("/metrics", prometheus),
            web.get("/admin/flags", flags.list_flags),
            web.get("/admin/flags/{name}", flags.show_flag),
            web.post("/admin/flags/{name}", flags.put_flag),
            web.delete("/admin/flags/{name}", flags.delete_flag),
            web.post("/admin/flags/{name}/kill", kills.kill_flag),
            web.post("/admin/flags/{name}/revive", kills.revive_flag),
            web.post("/admin/kill", kills.kill_flags),
            web.get("/admin/segments", segments.list_segments),
            web.get("/admin/segments/{name}", segments.show_segment),
            web.post("/admin/segments/{name}", segments.put_segment),
            web.delete("/admin/segments/{name}", segments.delete_segment),
            web.post("/admin/keys", keys.create_key),
            web.get("/admin/propagation/{revision}", propagation.show_propagation),
            web.get("/admin/instances", instances.list_instances),
            web.get("/admin/flags/{name}/metrics", metrics.show_metrics),
            web.get("/admin/usage", metrics.show_usage),
        ]
    )
    return app
