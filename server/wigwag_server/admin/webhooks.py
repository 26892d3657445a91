"""`/admin/webhooks`: which systems are told of what."""

import secrets
import time
from http import HTTPStatus
from typing import Any

import msgspec
from aiohttp import web

from wigwag_proto.codec import encode
from wigwag_proto.problems import Violation, escaped
from wigwag_server.admin import webhook_shapes as shapes
from wigwag_server.admin.answers import admit_to_server, author
from wigwag_server.admin.bodies import refuse
from wigwag_server.admin.comments import COMMENT, read_comment
from wigwag_server.admin.control_shapes import CommentQuery
from wigwag_server.admin.parameters import Parameters
from wigwag_server.admin.shapes import CommentBody
from wigwag_server.admin.webhook_bodies import check_reach, covers, read_overlap, read_webhook_body
from wigwag_server.admin.webhook_commands import (
    CreateWebhook,
    DeleteWebhook,
    EditWebhook,
    RetryWebhook,
    RotateSecret,
    find_webhook,
)
from wigwag_server.auth.keys import Key
from wigwag_server.auth.rights import Right
from wigwag_server.services import Services
from wigwag_server.web.body import read_object
from wigwag_server.web.operation import operation
from wigwag_server.webhooks.sign import new_secret
from wigwag_server.webhooks.webhook import Webhook, webhooks_of

# So many of those that wait are listed.
LISTED = 100


@operation("List webhooks", needs=Right.ADMINISTER, takes=None, gives={200: shapes.WebhookList}, of_server=True)
async def list_webhooks(request: web.Request) -> web.Response:
    """GET /admin/webhooks: those within the caller's limits, the newest first. Secrets are not shown."""
    services, caller = admit_to_server(request)
    Parameters(request).refuse()
    found = sorted(webhooks_of(services.system.replica.records).values(), key=lambda each: (-each.created_at, each.id))
    return _answer({"webhooks": [_shown(services, each) for each in found if covers(caller, each)]})


@operation(
    "Make a webhook",
    needs=Right.ADMINISTER,
    takes=shapes.WebhookBody,
    gives={201: shapes.NewWebhook},
    refuses=(409,),
    of_server=True,
)
async def create_webhook(request: web.Request) -> web.Response:
    """POST /admin/webhooks: have events sent to a URL. The answer is the only time that its secret is shown."""
    services, caller = admit_to_server(request)
    Parameters(request).refuse()
    allow_private = services.settings.webhook_allow_private
    body = read_webhook_body(await read_object(request), services.environments, new=True, allow_private=allow_private)
    webhook = Webhook(
        **{
            **body.fields,
            "id": secrets.token_hex(8),
            "secret": new_secret(),
            "created_at": round(time.time() * 1000),
            "created_by": caller.name,
        }
    )
    check_reach(caller, webhook)
    command = CreateWebhook(webhook, services.settings.limits.webhooks)
    await services.run_to_end(services.system.commit(command, author(request, caller, body.comment)))
    return _answer(_shown(services, webhook, secret=webhook.secret), HTTPStatus.CREATED)


@operation("Show one webhook", needs=Right.ADMINISTER, takes=None, gives={200: shapes.WebhookAnswer}, of_server=True)
async def show_webhook(request: web.Request) -> web.Response:
    """GET /admin/webhooks/{id}: where it leads, and what it is told."""
    services, _, webhook = _admit(request)
    return _answer(_shown(services, webhook))


@operation(
    "Change a webhook",
    needs=Right.ADMINISTER,
    takes=shapes.WebhookPatch,
    gives={200: shapes.WebhookAnswer},
    of_server=True,
)
async def edit_webhook(request: web.Request) -> web.Response:
    """PATCH /admin/webhooks/{id}: change some fields. One that is not active keeps what happens for later."""
    services, caller, webhook = _admit(request)
    allow_private = services.settings.webhook_allow_private
    body = read_webhook_body(await read_object(request), services.environments, new=False, allow_private=allow_private)
    check_reach(caller, msgspec.structs.replace(webhook, **body.fields))
    command = EditWebhook(webhook.id, body.fields)
    await services.run_to_end(services.system.commit(command, author(request, caller, body.comment)))
    return _answer(_shown(services, find_webhook(services.system.replica.records, webhook.id)))


@operation(
    "Delete a webhook",
    needs=Right.ADMINISTER,
    takes=None,
    gives={204: None},
    query=CommentQuery,
    of_server=True,
)
async def delete_webhook(request: web.Request) -> web.Response:
    """DELETE /admin/webhooks/{id}: send nothing there any more; what waits is dropped."""
    services, caller, webhook = _admit(request, "comment")
    comment = request.query.get("comment", "")
    command = DeleteWebhook(webhook.id)
    await services.run_to_end(services.system.commit(command, author(request, caller, comment)))
    return web.Response(status=HTTPStatus.NO_CONTENT)


@operation(
    "Replace the secret of a webhook",
    needs=Right.ADMINISTER,
    takes=shapes.SecretBody | None,
    gives={201: shapes.NewWebhook},
    of_server=True,
)
async def rotate_webhook(request: web.Request) -> web.Response:
    """POST /admin/webhooks/{id}/rotate: make a secret in place of this one, which signs beside it for a while."""
    services, caller, webhook = _admit(request)
    overlap_ms, comment = read_overlap(await read_object(request, optional=True))
    secret = new_secret()
    command = RotateSecret(webhook.id, secret, overlap_ms)
    await services.run_to_end(services.system.commit(command, author(request, caller, comment)))
    after = find_webhook(services.system.replica.records, webhook.id)
    return _answer(_shown(services, after, secret=secret), HTTPStatus.CREATED)


@operation("Test a webhook", needs=Right.ADMINISTER, takes=None, gives={200: shapes.Tested}, of_server=True)
async def test_webhook(request: web.Request) -> web.Response:
    """POST /admin/webhooks/{id}/test: send an event of type `test` now, once, and say how that went."""
    services, _, webhook = _admit(request)
    event_id, result = await services.webhooks.test(webhook)
    body = {
        "id": event_id,
        "delivered": result.ok,
        "status": result.status,
        "error": result.error,
        "ms": result.ms,
    }
    return _answer(body)


@operation(
    "Try what waits for a webhook again",
    needs=Right.ADMINISTER,
    takes=CommentBody | None,
    gives={200: shapes.WebhookAnswer},
    refuses=(409,),
    of_server=True,
)
async def retry_webhook(request: web.Request) -> web.Response:
    """POST /admin/webhooks/{id}/retry: send what waits now. For when the receiver is well again."""
    services, caller, webhook = _admit(request)
    body = await read_object(request, optional=True)
    found: list[Violation] = []
    comment = read_comment(request, body, found)
    found += [Violation(f"/{escaped(name)}", "unknown field; this takes 'comment'") for name in body if name != COMMENT]
    refuse("Nothing was sent.", found)
    command = RetryWebhook(webhook.id)
    await services.run_to_end(services.system.commit(command, author(request, caller, comment)))
    return _answer(_shown(services, find_webhook(services.system.replica.records, webhook.id)))


@operation(
    "Show the deliveries of a webhook",
    needs=Right.ADMINISTER,
    takes=None,
    gives={200: shapes.Deliveries},
    of_server=True,
)
async def list_deliveries(request: web.Request) -> web.Response:
    """GET /admin/webhooks/{id}/deliveries: what waits to be sent, and what became of the latest events."""
    services, _, webhook = _admit(request)
    waiting = [
        shapes.WaitingDelivery(e.id, e.type, e.environment, e.at, e.attempts, e.due_at, e.error)
        for e in services.webhooks.waiting(webhook.id)[:LISTED]
    ]
    body = {"webhook": webhook.id, "waiting": waiting, "recent": services.webhooks.recent(webhook.id)}
    return _answer(msgspec.to_builtins(body))


def _admit(request: web.Request, *parameters: str) -> tuple[Services, Key, Webhook]:
    """Return who asks, and for which webhook. Raises Problem (401, 403, 404, 422)."""
    services, caller = admit_to_server(request)
    Parameters(request, *parameters).refuse()
    webhook = find_webhook(services.system.replica.records, request.match_info["id"])
    check_reach(caller, webhook)
    return services, caller, webhook


def _shown(services: Services, webhook: Webhook, *, secret: str | None = None) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "id": webhook.id,
        "url": webhook.url,
        **({"secret": secret} if secret else {}),
        "name": webhook.name,
        "events": webhook.events,
        "flags": webhook.flags,
        "tags": webhook.tags,
        "environments": webhook.environments,
        "template": webhook.template,
        "active": webhook.active,
        "createdAt": webhook.created_at,
        "createdBy": webhook.created_by,
        "previousSecretUntil": webhook.previous_until if webhook.previous_until > time.time() * 1000 else None,
        **msgspec.to_builtins(services.webhooks.standing(webhook)),
    }
    return plain


def _answer(body: Any, status: HTTPStatus = HTTPStatus.OK) -> web.Response:
    return web.Response(status=status, body=encode(body), content_type="application/json")
