"""The list of flags: found, filtered, sorted, and chosen for a kill."""

import asyncio
import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from aiohttp import web

from wigwag_server.problems import Problem
from wigwag_server.ui.flag_rows import LABELS, SORTS, in_order, kills_without_store, row
from wigwag_server.ui.page import Here, page, see
from wigwag_server.ui.sums import state_sums

# So many rows make a page of well under 100 KiB; the rest comes as somebody scrolls.
SHOWN = 60
# As many at most when a page is fetched again that has grown.
MOST_SHOWN = 1200
ALL = 10_000
ASKED = ("q", "state", "kind", "owner", "tag", "sort")
KINDS = ("release", "experiment", "ops", "permission")


@page("List the flags", "flags")
async def flags(here: Here) -> web.Response:
    """GET /ui/env/{environment}/flags: found by words, filtered, sorted; a page at a time."""
    asked = _asked(here.request.query)
    found, start, total = await _part(here, asked)
    sums = await state_sums(here, {name: asked[name] for name in asked if name not in ("sort", "state")})
    everything = await here.get("/admin/flags", limit=1)
    emergencies = kills_without_store(everything["emergencies"])
    rows = [row(plain, emergencies) for plain in found]
    after = start + len(rows)
    return await here.answer(
        "flags.html",
        asked={name: asked.get(name, "") for name in ASKED},
        rows=rows,
        total=total,
        everything=everything["total"],
        sums=sums,
        labels=LABELS,
        kinds=KINDS,
        sorts=SORTS,
        start=start,
        more=here.path("flags", **{**asked, "start": after}) if after < total else "",
        before=here.path("flags", **{**asked, "start": max(0, start - SHOWN) or None}) if start else "",
    )


@page("Ask why flags are to be killed", "flags")
async def ask_kill(here: Here) -> web.Response:
    """GET /ui/env/{environment}/kill: which flags, and the one button."""
    keys = list(dict.fromkeys(here.request.query.getall("key", [])))
    if not keys:
        detail = "No flag is chosen. Tick the flags that are to be killed, then press Kill."
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail)
    return await here.answer("kill.html", keys=keys)


@page("Kill flags", "flags", form=True)
async def kill(here: Here) -> web.Response:
    """POST /ui/env/{environment}/kill: all of them in one revision; then on to where it can be watched arriving."""
    keys = here.fields("key")
    body: dict[str, Any] = {"keys": keys, "reason": here.field("reason")}
    if minutes := here.field("minutes"):
        body["until"] = _until(minutes)
    done = await here.do("POST", "/admin/kill", body)
    if done.status == HTTPStatus.ACCEPTED:
        return await here.answer("emergency.html", HTTPStatus.ACCEPTED, declared=done.body, keys=keys)
    revision = done.cursor.split(":")[1]
    return see(here.path("kills", revision, key=keys[:20], many=len(keys)))


@page("Watch a kill arrive", "flags")
async def show_kill(here: Here) -> web.Response:
    """GET /ui/env/{environment}/kills/{revision}: in how many instances it is in force, and by name where not."""
    keys = here.request.query.getall("key", [])
    revision = here.request.match_info["revision"]
    proof = await here.get(f"/admin/propagation/{revision}")
    many = here.request.query.get("many", "")
    number = int(many) if many.isascii() and many.isdecimal() and len(many) < 6 else len(keys)
    revived = "revived" in here.request.query
    return await here.answer("killed.html", keys=keys, many=number, revision=revision, proof=proof, revived=revived)


def _asked(query: Mapping[str, str]) -> dict[str, str]:
    asked = {name: query[name] for name in ASKED if query.get(name)}
    if asked.get("sort") not in SORTS[1:]:
        asked.pop("sort", None)
    return asked


async def _part(here: Here, asked: Mapping[str, str]) -> tuple[list[Any], int, int]:
    """Return the flags of this page, where it begins, and how many there are in all."""
    start, shown = _number(here, "start", 0, 1_000_000), max(SHOWN, _number(here, "shown", SHOWN, MOST_SHOWN))
    search = {name: value for name, value in asked.items() if name != "sort"}
    sort = asked.get("sort", "key")
    listed = await here.get("/admin/flags", limit=ALL if sort != "key" else min(ALL, start + shown), **search)
    if sort == "key":
        return listed["flags"][start:], start, listed["total"]
    # Sorting ten thousand takes longer than a kill of somebody else must wait.
    return await asyncio.to_thread(_sorted, listed, sort, start, shown), start, listed["total"]


def _number(here: Here, name: str, default: int, most: int) -> int:
    text = here.request.query.get(name, "")
    return min(most, int(text)) if text.isascii() and text.isdecimal() and len(text) < 8 else default


def _sorted(listed: Mapping[str, Any], sort: str, start: int, shown: int) -> list[Any]:
    emergencies = kills_without_store(listed["emergencies"])
    rows = in_order([row(plain, emergencies) for plain in listed["flags"]], sort)
    return [each.plain for each in rows[start : start + shown]]


def _until(minutes: str) -> int:
    if not (minutes.isascii() and minutes.isdecimal() and 0 < int(minutes) <= 525_600):
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY, "The time is to be in minutes, up to a year. Nothing was killed."
        )
    return round(time.time() * 1000) + int(minutes) * 60_000
