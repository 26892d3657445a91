"""A flag's page: what it does, why, since when, and everything that can be done to it."""

import asyncio
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from aiohttp import web

from wigwag_proto.codec import decode
from wigwag_proto.errors import Malformed
from wigwag_proto.rule_checks import ALL_OPERATORS
from wigwag_proto.validate import FLAG_FIELDS
from wigwag_server.problems import Problem
from wigwag_server.ui.charts import chart, sparkline
from wigwag_server.ui.flag_rows import kills_without_store, row
from wigwag_server.ui.flags_page import KINDS
from wigwag_server.ui.page import Here, page
from wigwag_server.ui.site import SITE
from wigwag_server.ui.stale_page import LABELS

HISTORY = 20
SPANS = {"1h": "hour", "24h": "day", "7d": "week", "30d": "month"}
CONTEXT = '{"userId": "u1"}'
NEW = {"enabled": False, "rolloutPercentage": 100}


@page("Show a flag", "flags")
async def flag(here: Here) -> web.Response:
    """GET /ui/env/{environment}/flags/{name}."""
    return await show_flag(here)


@page("Make a flag", "flags")
async def new_flag(here: Here) -> web.Response:
    """GET /ui/env/{environment}/new-flag: a key, and what everybody should know of it."""
    return await here.answer("new_flag.html", kinds=KINDS, wrong=None, given={})


@page("Show the use of a flag as a line", "flags")
async def spark(here: Here) -> web.Response:
    """GET /ui/env/{environment}/flags/{name}/spark: how often it was decided in the last hour, for the list."""
    usage = await here.get_if_can(f"/admin/flags/{here.name()}/metrics", over="1h")
    svg = sparkline(usage) if usage and usage["total"] else ""
    body = here.request.app[SITE].answer("spark.html", svg=svg, usage=usage)
    body.headers["Cache-Control"] = "private, max-age=20"
    return body


async def show_flag(
    here: Here,
    status: HTTPStatus = HTTPStatus.OK,
    *,
    draft: str | None = None,
    problem: Problem | None = None,
    preview: Any = None,
) -> web.Response:
    """Return the page; with what somebody wrote and why it was refused, so that nothing of it is lost."""
    key = here.name()
    plain = await here.get(f"/admin/flags/{key}")
    whole, history, usage, needed_by, moving, life, uses = await asyncio.gather(
        here.get("/admin/flags", limit=1),
        _history(here, key),
        _usage(here, key),
        _needed_by(here, key),
        _moving(here, key),
        here.get_if_can("/admin/stale", flag=key),
        here.get_if_can(f"/admin/flags/{key}/references"),
    )
    shown = row(plain, kills_without_store(whole["emergencies"]))
    config = {name: plain[name] for name in FLAG_FIELDS if name in plain}
    return await here.answer(
        "flag.html",
        status,
        row=shown,
        flag=plain,
        config=config,
        operators=ALL_OPERATORS,
        kinds=KINDS,
        history=history,
        usage=usage,
        chart=chart(usage, history["history"] if history else ()) if usage else "",
        spans=SPANS,
        over=_over(here),
        needed_by=needed_by,
        **moving,
        life=life["flags"][0] if life and life["flags"] else None,
        labels=LABELS,
        uses=uses,
        segments=sorted(set(segments_of(plain))),
        tried=await _tried(here, key),
        context=here.request.query.get("context", CONTEXT),
        draft=draft,
        problem=problem,
        preview=preview,
        basis=here.field("revision") or plain["revision"],
    )


async def _moving(here: Here, key: str) -> dict[str, Any]:
    """Return what moves and watches the flag by itself."""
    rollout, guard, scheduled = await asyncio.gather(
        here.get_if_can(f"/admin/flags/{key}/rollout"),
        here.get_if_can(f"/admin/flags/{key}/guard"),
        here.get("/admin/schedules", flag=key, status="pending"),
    )
    return {"rollout": rollout, "guard": guard, "schedules": scheduled["schedules"]}


async def _history(here: Here, key: str) -> Any:
    before = here.request.query.get("before", "")
    asked = {"before": before} if before.isdecimal() else {}
    return await here.get_if_can(f"/admin/flags/{key}/history", limit=HISTORY, **asked)


async def _usage(here: Here, key: str) -> Any:
    return await here.get_if_can(f"/admin/flags/{key}/metrics", over=_over(here))


async def _needed_by(here: Here, key: str) -> list[str]:
    """Return the flags that require this one: they are what stands in the way of deleting it."""
    if not here.can("edit"):
        listed = await here.get("/admin/flags", limit=10_000)
        return await asyncio.to_thread(_requiring, listed["flags"], key)
    try:
        await here.do("DELETE", f"/admin/flags/{key}", dryRun="true")
    except Problem as problem:
        found: list[str] = problem.extra.get("neededBy", [])
        return found
    return []


def _requiring(flags: list[Any], key: str) -> list[str]:
    return [
        each["key"]
        for each in flags
        if isinstance(each, Mapping) and any(need.get("flag") == key for need in each.get("requires") or ())
    ]


async def _tried(here: Here, key: str) -> Any:
    """Return the decision for the context that is asked about, or what is wrong with it."""
    text = here.request.query.get("context")
    if text is None:
        return None
    try:
        context = decode(text.encode())
        return (await here.do("POST", f"/admin/flags/{key}/explain", {"context": context})).body
    except Malformed as error:
        return {"wrong": f"The context is {error}."}
    except Problem as problem:
        return {"wrong": " ".join([problem.detail, *(each["detail"] for each in problem.violations)])}


def _over(here: Here) -> str:
    over = here.request.query.get("over", "24h")
    return over if over in SPANS else "24h"


def segments_of(flag: Mapping[str, Any]) -> list[str]:
    rules = [
        *(flag.get("rules") or ()),
        *(each for arm in flag.get("overrides") or () for each in arm.get("rules", ())),
    ]
    found: list[str] = []
    for each in rules:
        if each.get("operator") in ("inSegment", "notInSegment"):
            value = each.get("value")
            found += value if isinstance(value, list) else [value]
    return [each for each in found if isinstance(each, str)]
