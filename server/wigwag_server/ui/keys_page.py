"""Keys: made, looked at, rotated, revoked. A token is shown once."""

from http import HTTPStatus
from typing import Any

from aiohttp import web

from wigwag_server.problems import Problem
from wigwag_server.ui.asking import ask
from wigwag_server.ui.page import Here, page, see

KINDS = ("server", "client", "admin", "hook")
ROLES = ("viewer", "operator", "editor", "admin")


@page("List the keys", "keys")
async def keys(here: Here) -> web.Response:
    """GET /ui/env/{environment}/keys: of all environments, the newest first."""
    return await _show(here)


@page("Make a key", "keys", form=True)
async def create(here: Here) -> web.Response:
    """POST /ui/env/{environment}/keys: the answer shows the token, this once."""
    kind = here.field("kind")
    body: dict[str, Any] = {"kind": kind, "name": here.field("name").strip()}
    if expires := here.field("expires").strip():
        body["expiresIn"] = expires
    if kind == "admin":
        body["role"] = here.field("role")
        if here.field("environment"):
            body["environments"] = [here.field("environment")]
    else:
        body["environment"] = here.field("environment") or here.environment
    if limits := here.field("flags").replace(",", " ").split():
        body["flags"] = limits
    try:
        made = await ask(here.request, "POST", "/admin/keys", body=body)
    except Problem as problem:
        return await _show(here, problem.status, problem=problem)
    return await _show(here, HTTPStatus.CREATED, made=made.body)


@page("Rotate a key", "keys", form=True)
async def rotate(here: Here) -> web.Response:
    """POST /ui/env/{environment}/keys/{id}/rotate: the answer shows the new token, this once."""
    path = f"/admin/keys/{here.request.match_info['id']}/rotate"
    made = await ask(here.request, "POST", path, body={"overlap": here.field("overlap") or "24h"})
    return await _show(here, HTTPStatus.CREATED, made=made.body)


@page("Revoke a key", "keys", form=True)
async def revoke(here: Here) -> web.Response:
    """POST /ui/env/{environment}/keys/{id}/revoke: its name has to be typed again."""
    key_id = here.request.match_info["id"]
    key = (await ask(here.request, "GET", f"/admin/keys/{key_id}")).body
    if here.field("confirm").strip() != key["name"]:
        detail = f"To revoke this key, type its name: {key['name']}. Nothing was revoked."
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail)
    await ask(here.request, "DELETE", f"/admin/keys/{key_id}")
    return see(here.path("keys", done="revoked"))


async def _show(
    here: Here, status: HTTPStatus = HTTPStatus.OK, *, made: Any = None, problem: Problem | None = None
) -> web.Response:
    listed = (await ask(here.request, "GET", "/admin/keys")).body["keys"]
    return await here.answer(
        "keys.html", status, keys=listed, made=made, problem=problem, kinds=KINDS, roles=ROLES, form=here.form
    )
