"""What somebody wants to see first who was just woken up: what is killed, who is connected, is the store there."""

import asyncio
from collections import Counter
from typing import Any

from aiohttp import web

from wigwag_server.ui.asking import ask
from wigwag_server.ui.flag_rows import kills_without_store, row
from wigwag_server.ui.page import Here, page

RECENT = 15
NAMED = 50


@page("Show how an environment is", "overview")
async def overview(here: Here) -> web.Response:
    """GET /ui/env/{environment}: kills in force, instances, the store, and what was changed last."""
    killed, connected, recent, ready = await asyncio.gather(
        here.get("/admin/flags", state="killed", limit=NAMED),
        here.get_if_can("/admin/instances", limit=NAMED),
        here.get_if_can("/admin/audit", limit=RECENT),
        ask(here.request, "GET", "/readyz"),
    )
    sums = {
        state: (await here.get("/admin/flags", limit=1, state=state))["total"] for state in ("on", "partial", "off")
    }
    emergencies = kills_without_store(killed["emergencies"])
    return await here.answer(
        "overview.html",
        killed=[row(plain, emergencies) for plain in killed["flags"]],
        killed_total=killed["total"],
        sums=sums,
        connected=connected,
        versions=_versions(connected),
        stale=[each for each in connected["instances"] if not each["current"]] if connected else [],
        recent=recent,
        health=ready.body["environments"][here.environment],
        ready=ready.body,
    )


@page("List the client instances", "overview")
async def instances(here: Here) -> web.Response:
    """GET /ui/env/{environment}/instances: who is connected, since when, and who is behind."""
    state = here.request.query.get("state", "")
    asked = {"state": state} if state in ("stream", "poll", "lost", "left", "unknown") else {}
    listed = await here.get("/admin/instances", limit=500, **asked)
    return await here.answer("instances.html", listed=listed, state=asked.get("state", ""))


def _versions(connected: Any) -> list[tuple[str, int]]:
    return Counter(each["sdk"] or "unknown" for each in connected["instances"]).most_common() if connected else []
