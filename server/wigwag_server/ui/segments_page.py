"""Segments: named sets of users that flags refer to."""

import asyncio
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from aiohttp import web

from wigwag_proto.errors import Malformed
from wigwag_proto.rule_checks import ALL_OPERATORS
from wigwag_proto.validate import SEGMENT_FIELDS, check_key
from wigwag_server.problems import Problem
from wigwag_server.ui.drafts import read_draft
from wigwag_server.ui.flag_page import segments_of
from wigwag_server.ui.page import Here, page, see

SHOWN = 200


@page("List the segments", "segments")
async def segments(here: Here) -> web.Response:
    """GET /ui/env/{environment}/segments."""
    words = here.request.query.get("q", "")
    asked = {name: value for name in ("q", "after") if (value := here.request.query.get(name))}
    listed = await here.get("/admin/segments", limit=SHOWN, **asked)
    return await here.answer("segments.html", listed=listed, words=words, wrong=None, key="")


@page("Make a segment", "segments", form=True)
async def create(here: Here) -> web.Response:
    """POST /ui/env/{environment}/segments: an empty one."""
    key = here.field("key").strip()
    wrong = check_key(key)
    if wrong is None:
        try:
            body = {"description": here.field("description")}
            await here.do("POST", f"/admin/segments/{key}", body, {"If-None-Match": "*"})
            return see(here.path("segments", key, done="created"))
        except Problem as problem:
            exists = problem.status == HTTPStatus.PRECONDITION_FAILED
            wrong = "There is a segment with this key already." if exists else problem.detail
    listed = await here.get("/admin/segments", limit=SHOWN)
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    return await here.answer("segments.html", status, listed=listed, words="", wrong=wrong, key=key)


@page("Show a segment", "segments")
async def segment(here: Here) -> web.Response:
    """GET /ui/env/{environment}/segments/{name}."""
    return await _show(here)


@page("Write a segment", "segments", form=True)
async def save(here: Here) -> web.Response:
    """POST /ui/env/{environment}/segments/{name}: as JSON. Refused, it is shown again with all that was written."""
    text, key = here.field("config"), here.name()
    try:
        body = read_draft(text, here.field("comment"))
        await here.do("POST", f"/admin/segments/{key}", body, {"If-Match": f'"{here.field("revision")}"'})
    except Malformed as error:
        wrong = Problem(HTTPStatus.BAD_REQUEST, f"What you wrote is {error}. Nothing was changed.")
        return await _show(here, wrong.status, draft=text, problem=wrong)
    except Problem as problem:
        return await _show(here, problem.status, draft=text, problem=problem)
    return see(here.path("segments", key, done="saved"))


@page("Put back what a segment was", "segments", form=True)
async def revert(here: Here) -> web.Response:
    """POST /ui/env/{environment}/segments/{name}/revert."""
    await here.do("POST", f"/admin/segments/{here.name()}/revert/{here.field('to')}", {})
    return see(here.path("segments", here.name(), done="reverted"))


@page("Delete a segment", "segments", form=True)
async def delete(here: Here) -> web.Response:
    """POST /ui/env/{environment}/segments/{name}/delete: its key has to be typed again."""
    await here.do("DELETE", f"/admin/segments/{here.name()}", confirm=here.field("confirm"))
    return see(here.path("segments", done="deleted"))


async def _show(
    here: Here, status: HTTPStatus = HTTPStatus.OK, *, draft: str | None = None, problem: Problem | None = None
) -> web.Response:
    key = here.name()
    plain, history, flags = await asyncio.gather(
        here.get(f"/admin/segments/{key}"),
        here.get_if_can(f"/admin/segments/{key}/history", limit=20),
        here.get("/admin/flags", limit=10_000),
    )
    return await here.answer(
        "segment.html",
        status,
        segment=plain,
        config={name: plain[name] for name in SEGMENT_FIELDS if name in plain},
        operators=[each for each in ALL_OPERATORS if not each.endswith("Segment")],
        history=history,
        used_by=await asyncio.to_thread(_using, flags["flags"], key),
        draft=draft,
        problem=problem,
        basis=here.field("revision") or plain["revision"],
    )


def _using(flags: list[Any], key: str) -> list[str]:
    return [each["key"] for each in flags if isinstance(each, Mapping) and key in segments_of(each)]
