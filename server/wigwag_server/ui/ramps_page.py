"""All ramps, guards and schedules of an environment."""

import asyncio

from aiohttp import web

from wigwag_server.ui.page import Here, page

MOST_SHOWN = 200


@page("List ramps, guards and schedules", "ramps")
async def ramps(here: Here) -> web.Response:
    """GET /ui/env/{environment}/ramps: what moves by itself, what is watched, and what is to come."""
    rollouts, guards, schedules = await asyncio.gather(
        here.get("/admin/rollouts"), here.get("/admin/guards"), here.get("/admin/schedules")
    )
    return await here.answer(
        "ramps.html",
        rollouts=rollouts["rollouts"][:MOST_SHOWN],
        guards=guards["guards"][:MOST_SHOWN],
        schedules=schedules["schedules"][:MOST_SHOWN],
        more={
            "rollouts": max(0, len(rollouts["rollouts"]) - MOST_SHOWN),
            "guards": max(0, len(guards["guards"]) - MOST_SHOWN),
            "schedules": max(0, len(schedules["schedules"]) - MOST_SHOWN),
        },
        going=sum(each["status"] == "running" for each in rollouts["rollouts"]),
    )
