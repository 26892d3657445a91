"""What moves and watches a flag: its ramp, its guard, what is scheduled, and what came of both sides of it."""

import asyncio
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from aiohttp import web

from wigwag_proto.errors import Malformed
from wigwag_server.problems import Problem
from wigwag_server.ui import ramp_forms
from wigwag_server.ui.flag_rows import kills_without_store, row
from wigwag_server.ui.page import Here, page, see
from wigwag_server.ui.results import shown_results

SPANS = {"1h": "hour", "24h": "day", "7d": "week", "30d": "month"}
VERBS = {"pause": "paused", "resume": "resumed", "abort": "aborted"}


@page("Show what moves and watches a flag", "ramps")
async def ramp(here: Here) -> web.Response:
    """GET /ui/env/{environment}/flags/{name}/ramp."""
    return await _show(here)


@page("Start a ramp", "ramps", form=True)
async def start(here: Here) -> web.Response:
    """POST /ui/env/{environment}/flags/{name}/ramp."""
    body = ramp_forms.ramp_body(here.form)
    return await _sent(here, "ramp", f"/admin/flags/{here.name()}/rollout", body, "started")


@page("Pause, resume or abort a ramp", "ramps", form=True)
async def steer(here: Here) -> web.Response:
    """POST /ui/env/{environment}/flags/{name}/ramp/steer: `verb` says which."""
    verb = here.field("verb")
    if verb not in VERBS:
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY, "A rollout can be paused, resumed or aborted. Nothing was changed."
        )
    await here.do("POST", f"/admin/flags/{here.name()}/rollout/{verb}", {"comment": here.field("comment")})
    return see(here.path("flags", here.name(), "ramp", done=VERBS[verb]))


@page("Put a guard on a flag", "ramps", form=True)
async def put_guard(here: Here) -> web.Response:
    """POST /ui/env/{environment}/flags/{name}/guard."""
    body = ramp_forms.guard_body(here.form)
    return await _sent(here, "guard", f"/admin/flags/{here.name()}/guard", body, "guarded")


@page("Take the guard of a flag away", "ramps", form=True)
async def remove_guard(here: Here) -> web.Response:
    """POST /ui/env/{environment}/flags/{name}/guard/remove."""
    await here.do("DELETE", f"/admin/flags/{here.name()}/guard", comment=here.field("comment"))
    return see(here.path("flags", here.name(), "ramp", done="unguarded"))


@page("Schedule something", "ramps", form=True)
async def add_schedule(here: Here) -> web.Response:
    """POST /ui/env/{environment}/flags/{name}/schedules."""
    try:
        body = ramp_forms.schedule_body(here.form, here.name())
    except Malformed as error:
        wrong = Problem(HTTPStatus.BAD_REQUEST, f"What you wrote is {error}. Nothing was scheduled.")
        return await _show(here, "schedule", wrong)
    return await _sent(here, "schedule", "/admin/schedules", body, "scheduled")


@page("Cancel what is scheduled", "ramps", form=True)
async def cancel_schedule(here: Here) -> web.Response:
    """POST /ui/env/{environment}/schedules/{id}/cancel: then back to the flag, or to the list."""
    identity = here.request.match_info["id"]
    await here.do("DELETE", f"/admin/schedules/{identity}", comment=here.field("comment"))
    flag = here.field("flag")
    return see(here.path(*(("flags", flag, "ramp") if flag else ("ramps",)), done="cancelled"))


async def _sent(here: Here, form: str, path: str, body: Mapping[str, Any], done: str) -> web.Response:
    """Do it. Refused, the page is shown again with all that was filled in."""
    try:
        await here.do("POST", path, body)
    except Problem as problem:
        return await _show(here, form, problem)
    return see(here.path("flags", here.name(), "ramp", done=done))


async def _show(here: Here, form: str = "", problem: Problem | None = None) -> web.Response:
    key = here.name()
    over = here.request.query.get("over", "24h")
    over = over if over in SPANS else "24h"
    plain = await here.get(f"/admin/flags/{key}")
    whole, rollout, guard, scheduled, results = await asyncio.gather(
        here.get("/admin/flags", limit=1),
        here.get_if_can(f"/admin/flags/{key}/rollout"),
        here.get_if_can(f"/admin/flags/{key}/guard"),
        here.get("/admin/schedules", flag=key),
        here.get_if_can(f"/admin/flags/{key}/results", over=over),
    )
    given = {
        "ramp": ramp_forms.ramp_fields(rollout, plain.get("rolloutPercentage", 100)),
        "guard": ramp_forms.guard_fields(guard),
        "schedule": ramp_forms.schedule_fields(),
    }
    if form:
        given[form] = {name: here.field(name) for name in given[form]}
    return await here.answer(
        "ramp.html",
        problem.status if problem else HTTPStatus.OK,
        row=row(plain, kills_without_store(whole["emergencies"])),
        flag=plain,
        rollout=rollout,
        going=bool(rollout) and rollout["status"] in ("running", "paused"),
        guard=guard,
        schedules=scheduled["schedules"],
        results=shown_results(results),
        over=over,
        spans=SPANS,
        given=given,
        deeds=ramp_forms.DEEDS,
        breaches=ramp_forms.BREACHES,
        refused_form=form,
        problem=problem,
    )
