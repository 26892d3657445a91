"""Reviving several flags at once: first what comes back is shown, then one press does it."""

import asyncio
from http import HTTPStatus

from aiohttp import web

from wigwag_proto.validate import check_key
from wigwag_server.problems import Problem
from wigwag_server.ui.flag_rows import Row, kills_without_store, row
from wigwag_server.ui.page import Here, page, see

# As many are named in the address of what comes next.
NAMED = 20


@page("Ask whether flags are to be revived", "flags")
async def ask_revive(here: Here) -> web.Response:
    """GET /ui/env/{environment}/revive: what would come back of each flag that is chosen, and the one button."""
    keys = list(dict.fromkeys(here.request.query.getall("key", [])))
    if not keys:
        detail = "No flag is chosen. Tick the killed flags that are to come back, then press Revive."
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail)
    if any(check_key(key) is not None for key in keys):
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "One of these cannot be the key of a flag. Nothing was revived.")
    rows = await _rows(here, keys)
    killed = [each for each in rows if each.kill]
    return await here.answer("revive.html", killed=killed, others=[each for each in rows if not each.kill])


@page("Revive flags", "flags", form=True)
async def revive(here: Here) -> web.Response:
    """POST /ui/env/{environment}/revive: all of them in one revision; then on to where it can be watched arriving."""
    keys = here.fields("key")
    done = await here.do("POST", "/admin/revive", {"keys": keys, "comment": here.field("comment")})
    revision = done.cursor.split(":")[1]
    return see(here.path("kills", revision, key=keys[:NAMED], many=len(keys), revived="yes"))


async def _rows(here: Here, keys: list[str]) -> list[Row]:
    """Return the flags. Raises Problem (404) for one that is not there."""
    whole = await here.get("/admin/flags", limit=1)
    emergencies = kills_without_store(whole["emergencies"])
    found = await asyncio.gather(*(here.get(f"/admin/flags/{key}") for key in keys))
    return [row(plain, emergencies) for plain in found]
