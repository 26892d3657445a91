"""The routes."""

from aiohttp import web

from wigwag_server.admin import (
    alert_kill,
    approvals,
    audit,
    changes,
    environments,
    explanations,
    flags,
    histories,
    instances,
    keys,
    kills,
    lives,
    login_links,
    metrics,
    propagation,
    ramp_lists,
    references,
    results,
    revivals,
    rollouts,
    schedules,
    segments,
    time_travel,
    transfers,
    webhooks,
)
from wigwag_server.services import SERVICES, Services
from wigwag_server.ui.routes import add_pages
from wigwag_server.web import cors, ofrep
from wigwag_server.web.api_description import API, ApiDescription, docs_page, openapi_json
from wigwag_server.web.health import healthz, readyz
from wigwag_server.web.metrics import metrics as prometheus
from wigwag_server.web.middleware import identify, problems
from wigwag_server.web.session_cookies import sessions
from wigwag_server.web.simple_flag import simple_flag
from wigwag_server.web.snapshot import snapshot
from wigwag_server.web.stream import stream
from wigwag_server.web.telemetry import telemetry


def build_app(services: Services) -> web.Application:
    """Put the application together."""
    app = web.Application(middlewares=[problems, sessions], client_max_size=services.settings.limits.body_bytes)
    app[SERVICES] = services
    app.on_response_prepare.append(cors.add_headers)
    app.on_response_prepare.append(identify)
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
            web.get("/openapi.json", openapi_json),
            web.get("/docs", docs_page),
            web.get("/admin/flags", flags.list_flags),
            web.get("/admin/flags/{name}", flags.show_flag),
            web.post("/admin/flags/{name}", flags.put_flag),
            web.patch("/admin/flags/{name}", flags.patch_flag),
            web.delete("/admin/flags/{name}", flags.delete_flag),
            web.post("/admin/flags/{name}/archive", lives.archive_flag),
            web.post("/admin/flags/{name}/restore", lives.restore_flag),
            web.get("/admin/flags/{name}/references", references.flag_references),
            web.get("/admin/state", time_travel.show_state),
            web.get("/admin/differences", time_travel.show_differences),
            web.post("/admin/rewind", time_travel.rewind),
            web.get("/admin/stale", lives.list_stale),
            web.get("/admin/code-references", references.list_references),
            web.put("/admin/code-references", references.put_references),
            web.delete("/admin/code-references", references.delete_references),
            web.get("/admin/flags/{name}/history", histories.flag_history),
            web.post("/admin/flags/{name}/revert/{revision}", histories.revert_flag),
            web.post("/admin/flags/{name}/explain", explanations.explain_flag),
            web.post("/admin/explain", explanations.explain_flags),
            web.post("/admin/flags/{name}/kill", kills.kill_flag),
            web.post("/admin/flags/{name}/revive", revivals.revive_flag),
            web.post("/admin/kill", kills.kill_flags),
            web.post("/admin/revive", revivals.revive_flags),
            web.post("/v1/kill", alert_kill.kill_by_alert),
            web.post("/admin/flags/{name}/rollout", rollouts.start_rollout),
            web.get("/admin/flags/{name}/rollout", rollouts.show_rollout),
            web.post("/admin/flags/{name}/rollout/pause", rollouts.pause_rollout),
            web.post("/admin/flags/{name}/rollout/resume", rollouts.resume_rollout),
            web.post("/admin/flags/{name}/rollout/abort", rollouts.abort_rollout),
            web.post("/admin/flags/{name}/guard", rollouts.put_guard),
            web.get("/admin/flags/{name}/guard", rollouts.show_guard),
            web.delete("/admin/flags/{name}/guard", rollouts.delete_guard),
            web.get("/admin/flags/{name}/results", results.show_results),
            web.get("/admin/rollouts", ramp_lists.list_rollouts),
            web.get("/admin/guards", ramp_lists.list_guards),
            web.get("/admin/schedules", schedules.list_schedules),
            web.post("/admin/schedules", schedules.add_schedule),
            web.delete("/admin/schedules/{id}", schedules.cancel_schedule),
            web.get("/admin/segments", segments.list_segments),
            web.get("/admin/segments/{name}", segments.show_segment),
            web.post("/admin/segments/{name}", segments.put_segment),
            web.patch("/admin/segments/{name}", segments.patch_segment),
            web.delete("/admin/segments/{name}", segments.delete_segment),
            web.get("/admin/segments/{name}/history", histories.segment_history),
            web.post("/admin/segments/{name}/revert/{revision}", histories.revert_segment),
            web.post("/admin/keys", keys.create_key),
            web.get("/admin/keys", keys.list_keys),
            web.get("/admin/keys/{id}", keys.show_key),
            web.delete("/admin/keys/{id}", keys.revoke_key),
            web.post("/admin/keys/{id}/rotate", keys.rotate_key),
            web.get("/admin/environments", environments.list_environments),
            web.post("/admin/environments", environments.create_environment),
            web.get("/admin/environments/{name}", environments.show_environment),
            web.patch("/admin/environments/{name}", environments.edit_environment),
            web.delete("/admin/environments/{name}", environments.delete_environment),
            web.get("/admin/environments/{name}/compare/{other}", transfers.compare),
            web.post("/admin/environments/{name}/promote", transfers.promote),
            web.get("/admin/export", transfers.export),
            web.post("/admin/import", transfers.import_),
            web.get("/admin/approvals", approvals.list_approvals),
            web.get("/admin/approvals/{id}", approvals.show_approval),
            web.post("/admin/approvals/{id}/approve", approvals.approve),
            web.post("/admin/approvals/{id}/reject", approvals.reject),
            web.post("/admin/approvals/{id}/withdraw", approvals.withdraw),
            web.post("/admin/login-links", login_links.create_login_link),
            web.get("/admin/changes", changes.watch_changes),
            web.get("/admin/audit", audit.read_audit),
            web.get("/admin/audit/verify", audit.verify_audit),
            web.get("/admin/propagation/{revision}", propagation.show_propagation),
            web.get("/admin/instances", instances.list_instances),
            web.get("/admin/flags/{name}/metrics", metrics.show_metrics),
            web.get("/admin/usage", metrics.show_usage),
            web.get("/admin/webhooks", webhooks.list_webhooks),
            web.post("/admin/webhooks", webhooks.create_webhook),
            web.get("/admin/webhooks/{id}", webhooks.show_webhook),
            web.patch("/admin/webhooks/{id}", webhooks.edit_webhook),
            web.delete("/admin/webhooks/{id}", webhooks.delete_webhook),
            web.post("/admin/webhooks/{id}/rotate", webhooks.rotate_webhook),
            web.post("/admin/webhooks/{id}/test", webhooks.test_webhook),
            web.post("/admin/webhooks/{id}/retry", webhooks.retry_webhook),
            web.get("/admin/webhooks/{id}/deliveries", webhooks.list_deliveries),
        ]
    )
    add_pages(app)
    app[API] = ApiDescription(app.router)
    return app
