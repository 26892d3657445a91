"""What somebody wants to see first who was just woken up: what is killed, what moves by itself, is the store there."""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from aiohttp import web
from markupsafe import Markup

from wigwag_server.admin.flag_state import FlagState
from wigwag_server.ui.asking import ask
from wigwag_server.ui.flag_rows import kills_without_store, row
from wigwag_server.ui.going import DAY_MS, ENDED, GOES_ON, Going, reaches_back
from wigwag_server.ui.page import Here, page
from wigwag_server.ui.ramp_chart import Line, key, line_of, ramp_chart
from wigwag_server.ui.stale_sums import STALE_SUMS
from wigwag_server.ui.sums import state_sums

RECENT = 15
NAMED = 50
# So many ramps are looked at one by one; of those that a guard has ended, the latest.
MOST_GOING, MOST_ENDED = 12, 4
STEPS = 50
MOST_NAMED = 3


@page("Show how an environment is", "overview")
async def overview(here: Here) -> web.Response:
    """GET /ui/env/{environment}: kills in force, ramps, instances, the store, and what was changed last."""
    killed, connected, recent, ready, hooks, ramps = await asyncio.gather(
        here.get("/admin/flags", state="killed", limit=NAMED),
        here.get_if_can("/admin/instances", limit=1),
        here.get_if_can("/admin/audit", limit=RECENT),
        ask(here.request, "GET", "/readyz"),
        here.get_if_can("/admin/webhooks"),
        _ramps(here),
    )
    emergencies = kills_without_store(killed["emergencies"])
    return await here.answer(
        "overview.html",
        killed=[row(plain, emergencies) for plain in killed["flags"]],
        killed_total=killed["total"],
        sums=await state_sums(here, {}),
        states=FlagState,
        stale_flags=await _stale_flags(here),
        connected=connected,
        versions=Counter(connected["sdks"]).most_common() if connected else [],
        recent=[_told(entry) for entry in recent["entries"]] if recent else None,
        health=ready.body["environments"][here.environment],
        ready=ready.body,
        failing=sum(each["state"] == "failing" for each in hooks["webhooks"]) if hooks else 0,
        **ramps,
    )


@page("List the client instances", "overview")
async def instances(here: Here) -> web.Response:
    """GET /ui/env/{environment}/instances: who is connected, since when, and who is behind."""
    state = here.request.query.get("state", "")
    asked = {"state": state} if state in ("stream", "poll", "lost", "left", "unknown") else {}
    listed = await here.get("/admin/instances", limit=500, **asked)
    return await here.answer("instances.html", listed=listed, state=asked.get("state", ""))


async def _ramps(here: Here) -> Mapping[str, Any]:
    """Return the ramps that go on, or that a guard has ended within a day, and a picture of them."""
    listed = await here.get_if_can("/admin/rollouts")
    if listed is None:
        return {"going": None, "more_going": 0, "ramp_chart": "", "ramp_key": key}
    goes_on = [each for each in listed["rollouts"] if each["status"] in GOES_ON]
    ended = [each for each in listed["rollouts"] if each["status"] in ENDED][:MOST_ENDED]
    looked = await asyncio.gather(*(_look(here, each["flag"]) for each in (*goes_on[:MOST_GOING], *ended)))
    now_ms = time.time() * 1000
    shown = [
        (Going(plain["flag"], plain), line)
        for plain, line, ended_at in looked
        if plain is not None and (plain["status"] in GOES_ON or now_ms - ended_at < DAY_MS)
    ]
    return {
        "going": [going for going, _ in shown],
        "more_going": max(0, len(goes_on) - MOST_GOING),
        "ramp_chart": _picture([line for _, line in shown], [going.plain for going, _ in shown], now_ms),
        "ramp_key": key,
    }


async def _look(here: Here, flag: str) -> tuple[Any, Line, int]:
    """Return a ramp with what was measured, its percentage over time, and when a guard has ended it (Unix ms)."""
    plain, known = await asyncio.gather(
        here.get_if_can(f"/admin/flags/{flag}/rollout"),
        here.get_if_can(f"/admin/flags/{flag}/history", limit=STEPS),
    )
    history = known["history"] if known else []
    share = plain["percentage"] if plain else 0
    ended_at = next((item["at"] for item in history if item["action"] in ENDED.values()), 0)
    return plain, line_of(flag, history, share), ended_at


def _picture(lines: Sequence[Line], ramps: Sequence[Mapping[str, Any]], now_ms: float) -> Markup:
    return ramp_chart(lines, reaches_back(ramps, now_ms), now_ms) if lines else Markup("")


async def _stale_flags(here: Here) -> int:
    async def count() -> int:
        return len((await here.get("/admin/stale"))["flags"])

    return await here.request.app[STALE_SUMS].of(here.environment, count)


def _told(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an entry of the audit log with the records that are named: a flag and its ramp are one."""
    named = list({each["key"]: each["kind"] for each in entry.get("changes") or ()}.items())
    return {**entry, "named": named[:MOST_NAMED], "more": len(named[MOST_NAMED:])}
