"""What is done about a flag that should go away."""

import time
from http import HTTPStatus
from typing import Any

from aiohttp import web

from wigwag_server.admin.flag_life import DAY_MS
from wigwag_server.problems import Problem
from wigwag_server.ui.page import Here, page, see

LONGEST_DAYS = 36_500
FOREVER = ("ops", "permission")


@page("Archive, restore or keep a flag", "stale", form=True)
async def settle(here: Here) -> web.Response:
    """POST /ui/env/{environment}/flags/{name}/life: `act` says what; then back to the flag, or to the stale ones."""
    key, act, why = here.name(), here.field("act"), here.field("reason")
    path = f"/admin/flags/{key}"
    match act:
        case "archive":
            await here.do("POST", f"{path}/archive", {"reason": why})
        case "restore":
            await here.do("POST", f"{path}/restore", {"comment": why})
        case "keep":
            await here.do("PATCH", path, {"expectedLifeDays": await _days(here, path), "comment": why})
        case "stay":
            kind = here.field("kind")
            await here.do("PATCH", path, {"kind": kind if kind in FOREVER else FOREVER[0], "comment": why})
        case _:
            detail = "A flag can be archived, restored or kept. Nothing was changed."
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail)
    done = {"archive": "archived", "restore": "restored"}.get(act, "kept")
    if here.field("back") == "stale":
        return see(here.path("stale", state=here.field("state"), done=done))
    return see(here.path("flags", key, done=done))


async def _days(here: Here, path: str) -> int:
    """Return the expected life that leaves the flag so many more days from now."""
    text = here.field("days")
    if not (text.isascii() and text.isdecimal() and 0 < int(text) <= LONGEST_DAYS):
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "For how many more days? Write a number. Nothing was changed.")
    flag: dict[str, Any] = await here.get(path)
    age_days = (time.time() * 1000 - (flag.get("createdAt") or 0)) // DAY_MS if flag.get("createdAt") else 0
    return int(age_days) + 1 + int(text)
