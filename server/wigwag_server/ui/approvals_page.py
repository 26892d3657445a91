"""Changes that wait for a second person."""

from aiohttp import web

from wigwag_server.ui.asking import ask
from wigwag_server.ui.page import Here, page, see

STATUSES = ("pending", "applied", "rejected", "withdrawn", "outdated", "expired")


@page("List changes that wait for approval", "approvals")
async def approvals(here: Here) -> web.Response:
    """GET /ui/env/{environment}/approvals: of this environment, the newest first."""
    status = here.request.query.get("status", "pending")
    asked = {"environment": here.environment, **({"status": status} if status in STATUSES else {})}
    listed = (await ask(here.request, "GET", "/admin/approvals", asked)).body["approvals"]
    return await here.answer("approvals.html", listed=listed, status=status, statuses=STATUSES)


@page("Decide on a change", "approvals", form=True)
async def decide(here: Here) -> web.Response:
    """POST /ui/env/{environment}/approvals/{id}: approve, reject or withdraw it."""
    decision = here.field("decision")
    word = decision if decision in ("approve", "reject", "withdraw") else "reject"
    path = f"/admin/approvals/{here.request.match_info['id']}/{word}"
    await ask(here.request, "POST", path, body={"comment": here.field("comment")})
    done = {"approve": "approved", "reject": "rejected", "withdraw": "withdrawn"}[word]
    return see(here.path("approvals", done=done))
