"""What forms do to a flag: each is one operation of the admin API."""

from http import HTTPStatus
from typing import Any

from aiohttp import web

from wigwag_proto.errors import Malformed
from wigwag_proto.validate import check_key
from wigwag_server.problems import Problem
from wigwag_server.ui.drafts import read_draft
from wigwag_server.ui.flag_page import NEW, show_flag
from wigwag_server.ui.flags_page import KINDS
from wigwag_server.ui.page import Here, page, see


@page("Lift the kill of a flag", "flags", form=True)
async def revive(here: Here) -> web.Response:
    """POST /ui/env/{environment}/flags/{name}/revive."""
    await here.do("POST", f"/admin/flags/{here.name()}/revive", {"comment": here.field("comment")})
    return see(here.path("flags", here.name(), done="revived"))


@page("Turn a flag on or off", "flags", form=True)
async def switch(here: Here) -> web.Response:
    """POST /ui/env/{environment}/flags/{name}/switch."""
    return await _patch(here, {"enabled": here.field("enabled") == "true"}, "saved")


@page("Set the percentage of a flag", "flags", form=True)
async def rollout(here: Here) -> web.Response:
    """POST /ui/env/{environment}/flags/{name}/rollout."""
    try:
        share = float(here.field("percentage").replace(",", "."))
    except ValueError:
        detail = "The percentage is to be a number from 0 to 100. Nothing was changed."
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail) from None
    return await _patch(here, {"rolloutPercentage": int(share) if share.is_integer() else share}, "saved")


@page("Write the configuration of a flag", "flags", form=True)
async def save(here: Here) -> web.Response:
    """POST /ui/env/{environment}/flags/{name}: as JSON. Refused, it is shown again with all that was written.

    With `do=preview` nothing is written: it is shown again with what it would mean.
    """
    text = here.field("config")
    key = here.name()
    try:
        body = read_draft(text, here.field("comment"))
        if here.field("do") == "preview":
            draft = {name: value for name, value in body.items() if name != "comment"}
            preview = (await here.do("POST", f"/admin/flags/{key}/preview", {"draft": draft})).body
            return await show_flag(here, draft=text, preview=preview)
        await here.do("POST", f"/admin/flags/{key}", body, {"If-Match": f'"{here.field("revision")}"'})
    except Malformed as error:
        wrong = Problem(HTTPStatus.BAD_REQUEST, f"What you wrote is {error}. Nothing was changed.")
        return await show_flag(here, wrong.status, draft=text, problem=wrong)
    except Problem as problem:
        return await show_flag(here, problem.status, draft=text, problem=problem)
    return see(here.path("flags", key, done="saved"))


@page("Put back what a flag was", "flags", form=True)
async def revert(here: Here) -> web.Response:
    """POST /ui/env/{environment}/flags/{name}/revert: the configuration as of a revision. A kill stays."""
    revision, key = here.field("to"), here.name()
    body = {"comment": here.field("comment")}
    await here.do("POST", f"/admin/flags/{key}/revert/{revision}", body)
    return see(here.path("flags", key, done="reverted"))


@page("Delete a flag", "flags", form=True)
async def delete(here: Here) -> web.Response:
    """POST /ui/env/{environment}/flags/{name}/delete: its key has to be typed again."""
    key = here.name()
    await here.do("DELETE", f"/admin/flags/{key}", confirm=here.field("confirm"))
    return see(here.path("flags", done="deleted"))


@page("Make a flag", "flags", form=True)
async def create(here: Here) -> web.Response:
    """POST /ui/env/{environment}/new-flag: turned off, and to be set up on its own page."""
    key = here.field("key").strip()
    given = {name: here.field(name).strip() for name in ("description", "owner", "kind")}
    tags = [each for each in here.field("tags").replace(",", " ").split() if each]
    body: dict[str, Any] = {**NEW, **given, "tags": list(dict.fromkeys(tags))}
    wrong = check_key(key)
    if wrong is None:
        try:
            await here.do("POST", f"/admin/flags/{key}", body, {"If-None-Match": "*"})
            return see(here.path("flags", key, done="created"))
        except Problem as problem:
            exists = problem.status == HTTPStatus.PRECONDITION_FAILED
            said = [each["detail"] for each in problem.violations]
            wrong = "There is a flag with this key already." if exists else " ".join([problem.detail, *said])
    shown = {"key": key, **given, "tags": here.field("tags")}
    return await here.answer("new_flag.html", HTTPStatus.UNPROCESSABLE_ENTITY, kinds=KINDS, wrong=wrong, given=shown)


async def _patch(here: Here, patch: dict[str, Any], done: str) -> web.Response:
    key, revision = here.name(), here.field("revision")
    headers = {"If-Match": f'"{revision}"'} if revision else {}
    await here.do("PATCH", f"/admin/flags/{key}", patch, headers)
    return see(here.path("flags", key, done=done))
