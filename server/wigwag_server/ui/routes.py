"""The addresses of the pages."""

from aiohttp import web

from wigwag_server.ui import (
    approvals_page,
    audit_page,
    dashboard,
    environments_page,
    flag_actions,
    flag_page,
    flags_page,
    keys_page,
    revive_page,
    segments_page,
    sign_in,
    webhooks_page,
)
from wigwag_server.ui.page import HTML, Here, page, see
from wigwag_server.ui.site import SITE, Site, file_answer
from wigwag_server.ui.stale_sums import STALE_SUMS, StaleSums
from wigwag_server.ui.sums import SUMS, Sums
from wigwag_server.web.operation import operation

IN = "/ui/env/{environment}"


def add_pages(app: web.Application) -> None:
    """Add them to an application."""
    app[SITE] = Site()
    app[SUMS] = Sums()
    app[STALE_SUMS] = StaleSums()
    app.add_routes(
        [
            web.get("/ui", home),
            web.get("/ui/", home),
            web.get("/ui/static/{version}/{name}", static_file),
            web.get("/ui/login", sign_in.show_sign_in),
            web.post("/ui/login", sign_in.sign_in),
            web.get("/ui/login/{link}", sign_in.show_link),
            web.post("/ui/login/{link}", sign_in.use_link),
            web.post("/ui/logout", sign_in.sign_out),
            web.get(IN, dashboard.overview),
            web.get(f"{IN}/instances", dashboard.instances),
            web.get(f"{IN}/flags", flags_page.flags),
            web.get(f"{IN}/kill", flags_page.ask_kill),
            web.post(f"{IN}/kill", flags_page.kill),
            web.get(f"{IN}/kills/{{revision}}", flags_page.show_kill),
            web.get(f"{IN}/revive", revive_page.ask_revive),
            web.post(f"{IN}/revive", revive_page.revive),
            web.get(f"{IN}/new-flag", flag_page.new_flag),
            web.post(f"{IN}/new-flag", flag_actions.create),
            web.get(f"{IN}/flags/{{name}}", flag_page.flag),
            web.post(f"{IN}/flags/{{name}}", flag_actions.save),
            web.get(f"{IN}/flags/{{name}}/spark", flag_page.spark),
            web.post(f"{IN}/flags/{{name}}/revive", flag_actions.revive),
            web.post(f"{IN}/flags/{{name}}/switch", flag_actions.switch),
            web.post(f"{IN}/flags/{{name}}/rollout", flag_actions.rollout),
            web.post(f"{IN}/flags/{{name}}/revert", flag_actions.revert),
            web.post(f"{IN}/flags/{{name}}/delete", flag_actions.delete),
            web.get(f"{IN}/segments", segments_page.segments),
            web.post(f"{IN}/segments", segments_page.create),
            web.get(f"{IN}/segments/{{name}}", segments_page.segment),
            web.post(f"{IN}/segments/{{name}}", segments_page.save),
            web.post(f"{IN}/segments/{{name}}/revert", segments_page.revert),
            web.post(f"{IN}/segments/{{name}}/delete", segments_page.delete),
            web.get(f"{IN}/audit", audit_page.audit),
            web.get(f"{IN}/audit/verify", audit_page.verify),
            web.get(f"{IN}/approvals", approvals_page.approvals),
            web.post(f"{IN}/approvals/{{id}}", approvals_page.decide),
            web.get(f"{IN}/keys", keys_page.keys),
            web.post(f"{IN}/keys", keys_page.create),
            web.post(f"{IN}/keys/{{id}}/rotate", keys_page.rotate),
            web.post(f"{IN}/keys/{{id}}/revoke", keys_page.revoke),
            web.get(f"{IN}/webhooks", webhooks_page.webhooks),
            web.post(f"{IN}/webhooks", webhooks_page.create),
            web.get(f"{IN}/webhooks/{{id}}", webhooks_page.webhook),
            web.post(f"{IN}/webhooks/{{id}}", webhooks_page.save),
            web.post(f"{IN}/webhooks/{{id}}/test", webhooks_page.test),
            web.post(f"{IN}/webhooks/{{id}}/retry", webhooks_page.retry),
            web.post(f"{IN}/webhooks/{{id}}/switch", webhooks_page.switch),
            web.post(f"{IN}/webhooks/{{id}}/rotate", webhooks_page.rotate),
            web.post(f"{IN}/webhooks/{{id}}/delete", webhooks_page.delete),
            web.get(f"{IN}/environments", environments_page.environments),
            web.post(f"{IN}/environments", environments_page.create),
            web.post(f"{IN}/environments/{{name}}", environments_page.edit),
            web.post(f"{IN}/environments/{{name}}/delete", environments_page.delete),
            web.get(f"{IN}/compare", environments_page.compare),
            web.post(f"{IN}/promote", environments_page.promote),
        ]
    )


@page("Go to the flags", "flags")
async def home(here: Here) -> web.Response:
    """GET /ui/: those of production, or of the first environment that the token may look into."""
    allowed = here.caller.scope.environments
    return see(here.of(here.environment if not allowed or here.environment in allowed else allowed[0], "flags"))


@operation("Give a file that pages are made of", needs=(), takes=None, gives={200: HTML})
async def static_file(request: web.Request) -> web.Response:
    """GET /ui/static/{version}/{name}: nobody is asked who they are, since it says nothing of what is in the store."""
    return file_answer(request.app[SITE], request.match_info["version"], request.match_info["name"])
