"""The audit log: who did what, when, from where and why."""

from aiohttp import web

from wigwag_proto.differences import differences
from wigwag_server.ui.page import Here, page

SHOWN = 50
NAMES = ("who", "action", "kind", "key", "from", "to", "before")


@page("Read the audit log", "audit")
async def audit(here: Here) -> web.Response:
    """GET /ui/env/{environment}/audit: the newest first, found by person, action and record."""
    query = here.request.query
    asked = {name: query[name] for name in NAMES if query.get(name)}
    if "key" in asked:
        asked.setdefault("kind", "flag")
    else:
        asked.pop("kind", None)
    found = await here.get("/admin/audit", limit=SHOWN, **asked)
    for entry in found["entries"]:
        for each in entry.get("changes", ()):
            each["fields"] = differences(each["kind"], each["before"], each["after"])
    later = {name: value for name, value in asked.items() if name != "before"}
    return await here.answer(
        "audit.html",
        entries=found["entries"],
        asked=asked,
        next=here.path("audit", **later, before=found["next"]) if found["next"] else "",
    )


@page("Verify the audit log", "audit")
async def verify(here: Here) -> web.Response:
    """GET /ui/env/{environment}/audit/verify: whether the chain of links is whole."""
    return await here.answer("verified.html", verdict=await here.get("/admin/audit/verify"))
