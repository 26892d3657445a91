"""Environments: listed, made, compared, and what is in one of them promoted to another."""

from http import HTTPStatus
from typing import Any

from aiohttp import web

from wigwag_server.problems import Problem
from wigwag_server.ui.asking import ask
from wigwag_server.ui.page import Here, page, see


@page("List the environments", "environments")
async def environments(here: Here) -> web.Response:
    """GET /ui/env/{environment}/environments."""
    return await _show(here)


@page("Make an environment", "environments", form=True)
async def create(here: Here) -> web.Response:
    """POST /ui/env/{environment}/environments: empty, or with the flags and segments of another."""
    name = here.field("name").strip()
    body: dict[str, Any] = {"name": name, "description": here.field("description")}
    if here.field("cloneFrom"):
        body["cloneFrom"] = here.field("cloneFrom")
    if here.field("approvals"):
        body["approvals"] = True
    try:
        await ask(here.request, "POST", "/admin/environments", body=body)
    except Problem as problem:
        return await _show(here, problem.status, problem=problem)
    return see(here.of(name, "environments", done="created"))


@page("Say whether changes need a second person", "environments", form=True)
async def edit(here: Here) -> web.Response:
    """POST /ui/env/{environment}/environments/{name}."""
    body = {"description": here.field("description"), "approvals": here.field("approvals") == "true"}
    await ask(here.request, "PATCH", f"/admin/environments/{here.name()}", body=body)
    return see(here.path("environments", done="saved"))


@page("Delete an environment", "environments", form=True)
async def delete(here: Here) -> web.Response:
    """POST /ui/env/{environment}/environments/{name}/delete: its name has to be typed again."""
    confirm = {"confirm": here.field("confirm")}
    await ask(here.request, "DELETE", f"/admin/environments/{here.name()}", confirm)
    there = here.environment if here.environment != here.name() else "production"
    return see(here.of(there, "environments", done="deleted"))


@page("Compare two environments", "environments")
async def compare(here: Here) -> web.Response:
    """GET /ui/env/{environment}/compare?with=staging: what would change here if it became as it is there."""
    return await _compare(here, here.request.query.get("with", ""))


@page("Promote flags from another environment", "environments", form=True)
async def promote(here: Here) -> web.Response:
    """POST /ui/env/{environment}/promote: the configuration of the flags that are chosen, with their segments."""
    source, flags = here.field("from"), here.fields("flag")
    if not flags:
        return await _compare(here, source, wrong="Tick the flags that are to be promoted.")
    body = {"from": source, "flags": flags, "withSegments": True, "comment": here.field("comment")}
    try:
        await ask(here.request, "POST", f"/admin/environments/{here.environment}/promote", body=body)
    except Problem as problem:
        said = " ".join([problem.detail, *(each["detail"] for each in problem.violations)])
        return await _compare(here, source, wrong=said)
    return see(here.path("compare", **{"with": source, "done": "promoted"}))


async def _compare(here: Here, other: str, *, wrong: str = "") -> web.Response:
    compared = None
    if other:
        compared = (await ask(here.request, "GET", f"/admin/environments/{here.environment}/compare/{other}")).body
    status = HTTPStatus.UNPROCESSABLE_ENTITY if wrong else HTTPStatus.OK
    return await here.answer("compare.html", status, compared=compared, other=other, wrong=wrong)


async def _show(here: Here, status: HTTPStatus = HTTPStatus.OK, *, problem: Problem | None = None) -> web.Response:
    listed = (await ask(here.request, "GET", "/admin/environments")).body["environments"]
    return await here.answer("environments.html", status, listed=listed, problem=problem, form=here.form)
