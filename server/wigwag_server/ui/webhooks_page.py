"""Webhooks: which systems are told of what, how that goes, and what is done where it does not."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from aiohttp import web

from wigwag_server.problems import Problem
from wigwag_server.ui.asking import ask
from wigwag_server.ui.page import Here, page, see
from wigwag_server.webhooks.standing import State
from wigwag_server.webhooks.webhook import SUBSCRIBABLE, EventType, Template

# What needs looking at stands first.
ORDER = tuple(each.value for each in (State.FAILING, State.DELIVERING, State.DISABLED))
EVENTS = {
    EventType.KILL: "a flag is killed",
    EventType.REVIVE: "a kill is lifted",
    EventType.CHANGE: "a flag or segment is changed",
    EventType.EMERGENCY: "a kill had to do without the store",
    EventType.DEGRADED: "a server has lost its store",
    EventType.RECOVERED: "it follows the store again",
    EventType.DIVERGENCE: "the store went on without some commits",
    EventType.STALE: "a kill is not in force everywhere",
    EventType.ROLLOUT_STEP: "a rollout goes on",
    EventType.ROLLBACK: "a rollout goes back",
    EventType.GUARDRAIL: "a guard has acted",
}
FORMATS = {Template.JSON: "JSON, signed", Template.SLACK: "a message for Slack"}
BLANK = {"url": "", "name": "", "events": (), "environments": (), "flags": (), "tags": (), "template": "json"}
DONE = {"true": "enabled", "false": "disabled"}


@page("List the webhooks", "webhooks")
async def webhooks(here: Here) -> web.Response:
    """GET /ui/env/{environment}/webhooks: of all environments, those that fail first."""
    return await _list(here)


@page("Make a webhook", "webhooks", form=True)
async def create(here: Here) -> web.Response:
    """POST /ui/env/{environment}/webhooks: the answer shows the secret, this once."""
    try:
        made = await ask(here.request, "POST", "/admin/webhooks", body=_asked(here))
    except Problem as problem:
        return await _list(here, problem.status, problem=problem, given=_asked(here))
    return await _show(here, made.body["id"], HTTPStatus.CREATED, secret=made.body["secret"])


@page("Show a webhook", "webhooks")
async def webhook(here: Here) -> web.Response:
    """GET /ui/env/{environment}/webhooks/{id}: how it fares, what waits, what became of the latest events."""
    return await _show(here, _id(here))


@page("Change a webhook", "webhooks", form=True)
async def save(here: Here) -> web.Response:
    """POST /ui/env/{environment}/webhooks/{id}. Refused, it is shown again with all that was written."""
    try:
        await ask(here.request, "PATCH", f"/admin/webhooks/{_id(here)}", body=_asked(here))
    except Problem as problem:
        if problem.status is HTTPStatus.NOT_FOUND:
            raise
        return await _show(here, _id(here), problem.status, problem=problem, given=_asked(here))
    return see(here.path("webhooks", _id(here), done="webhook-saved"))


@page("Test a webhook", "webhooks", form=True)
async def test(here: Here) -> web.Response:
    """POST /ui/env/{environment}/webhooks/{id}/test: send an event now, and say how that went."""
    tested = (await ask(here.request, "POST", f"/admin/webhooks/{_id(here)}/test")).body
    return await _show(here, _id(here), tested=tested)


@page("Try what waits for a webhook again", "webhooks", form=True)
async def retry(here: Here) -> web.Response:
    """POST /ui/env/{environment}/webhooks/{id}/retry: for when the receiver is well again."""
    await ask(here.request, "POST", f"/admin/webhooks/{_id(here)}/retry")
    return see(here.path("webhooks", _id(here), done="retried"))


@page("Enable or disable a webhook", "webhooks", form=True)
async def switch(here: Here) -> web.Response:
    """POST /ui/env/{environment}/webhooks/{id}/switch: while it is disabled, what happens is kept for later."""
    active = "true" if here.field("active") == "true" else "false"
    await ask(here.request, "PATCH", f"/admin/webhooks/{_id(here)}", body={"active": active == "true"})
    return see(here.path("webhooks", _id(here), done=DONE[active]))


@page("Replace the secret of a webhook", "webhooks", form=True)
async def rotate(here: Here) -> web.Response:
    """POST /ui/env/{environment}/webhooks/{id}/rotate: the answer shows the new secret, this once."""
    body = {"overlap": here.field("overlap") or "24h"}
    made = await ask(here.request, "POST", f"/admin/webhooks/{_id(here)}/rotate", body=body)
    return await _show(here, _id(here), HTTPStatus.CREATED, secret=made.body["secret"])


@page("Delete a webhook", "webhooks", form=True)
async def delete(here: Here) -> web.Response:
    """POST /ui/env/{environment}/webhooks/{id}/delete: its name, or where it has none its id, has to be typed again."""
    known = (await ask(here.request, "GET", f"/admin/webhooks/{_id(here)}")).body
    if here.field("confirm").strip() != named(known):
        detail = f"To delete this webhook, type {named(known)}. Nothing was deleted."
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail)
    await ask(here.request, "DELETE", f"/admin/webhooks/{known['id']}")
    return see(here.path("webhooks", done="deleted"))


def named(known: Mapping[str, Any]) -> str:
    """Return what is typed to delete a webhook."""
    return str(known["name"].strip() or known["id"])


def _id(here: Here) -> str:
    return here.request.match_info["id"]


def _asked(here: Here) -> dict[str, Any]:
    """Return what the form asks for, as the API takes it."""
    return {
        "url": here.field("url").strip(),
        "name": here.field("name").strip(),
        "events": here.fields("event"),
        "environments": here.fields("in"),
        "flags": here.field("flags").replace(",", " ").split(),
        "tags": [each for part in here.field("tags").split(",") if (each := part.strip())],
        "template": here.field("template") or Template.JSON.value,
    }


async def _list(here: Here, status: HTTPStatus = HTTPStatus.OK, **values: Any) -> web.Response:
    listed = (await ask(here.request, "GET", "/admin/webhooks")).body["webhooks"]
    listed.sort(key=lambda each: ORDER.index(each["state"]))
    shown = {"problem": None, "given": BLANK, **values}
    return await here.answer("webhooks.html", status, webhooks=listed, events=_events(), formats=FORMATS, **shown)


async def _show(here: Here, webhook_id: str, status: HTTPStatus = HTTPStatus.OK, **values: Any) -> web.Response:
    known = (await ask(here.request, "GET", f"/admin/webhooks/{webhook_id}")).body
    deliveries = (await ask(here.request, "GET", f"/admin/webhooks/{webhook_id}/deliveries")).body
    shown = {"problem": None, "secret": "", "tested": None, "given": known, **values}
    return await here.answer(
        "webhook.html",
        status,
        webhook=known,
        deliveries=deliveries,
        events=_events(),
        formats=FORMATS,
        confirm=named(known),
        **shown,
    )


def _events() -> dict[str, str]:
    return {each.value: EVENTS[each] for each in SUBSCRIBABLE}
