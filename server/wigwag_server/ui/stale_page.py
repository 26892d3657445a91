"""Flags that should go away: which, why, who still asks for them, and what is to be done."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from wigwag_server.admin.flag_life import Stage
from wigwag_server.ui.flags_page import KINDS
from wigwag_server.ui.page import Here, page

Plain = Mapping[str, Any]

MOST_SHOWN = 100
LABELS = {
    Stage.STALE: "Stale",
    Stage.POTENTIALLY_STALE: "Potentially stale",
    Stage.ACTIVE: "Active",
    Stage.NEW: "New",
    Stage.ARCHIVED: "Archived",
}
# What is to go first stands first.
ORDER = list(LABELS)
TO_LOOK_AT = (Stage.STALE, Stage.POTENTIALLY_STALE)


@page("List the flags that should go away", "stale")
async def stale(here: Here) -> web.Response:
    """GET /ui/env/{environment}/stale: by `state`, `owner` and `kind`."""
    asked = {name: here.request.query.get(name, "") for name in ("state", "owner", "kind")}
    # All that stand elsewhere are read only when they are asked for: mostly they are nearly all there are.
    everything = asked["state"] not in ("", *TO_LOOK_AT)
    listed = await here.get("/admin/stale", **({"all": "true"} if everything else {}))
    return await here.answer(
        "stale.html", **await asyncio.to_thread(_shown, here, asked, listed, everything=everything)
    )


def _shown(here: Here, asked: dict[str, str], listed: Plain, *, everything: bool) -> dict[str, Any]:
    sums = Counter(each["state"] for each in listed["flags"] if _meets(each, {**asked, "state": ""}))
    found = [each for each in listed["flags"] if _meets(each, asked)]
    if not asked["state"]:
        found = [each for each in found if each["state"] in TO_LOOK_AT]
    found.sort(key=lambda each: (ORDER.index(each["state"]), each["createdAt"] or 0, each["key"]))
    start = _start(here)
    after = start + MOST_SHOWN
    return {
        "asked": asked,
        "flags": found[start:after],
        "sums": sums,
        "counted": ORDER if everything else TO_LOOK_AT,
        "labels": LABELS,
        "kinds": KINDS,
        "owners": sorted({each["owner"] for each in listed["flags"] if each["owner"]} | {asked["owner"]} - {""})[:500],
        "usage_known": listed["usageKnown"],
        "code_unknown": any(each["uses"] is None for each in listed["flags"]),
        "more": here.path("stale", **asked, start=after) if after < len(found) else "",
        "before": here.path("stale", **asked, start=max(0, start - MOST_SHOWN) or None) if start else "",
    }


def _meets(each: Plain, asked: Mapping[str, str]) -> bool:
    return all(not asked[name] or each[name] == asked[name] for name in ("state", "owner", "kind"))


def _start(here: Here) -> int:
    text = here.request.query.get("start", "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 8 else 0
