"""`/admin/approvals`: changes that wait for a second person."""

import time
from http import HTTPStatus
from typing import Any

from aiohttp import web

from wigwag_proto.audit import Author
from wigwag_proto.codec import encode
from wigwag_proto.commit import Cursor
from wigwag_proto.problems import Problems, unknown_name
from wigwag_server.admin.answers import CURSOR_HEADER, admit_to_server, author, check_environment, check_scope
from wigwag_server.admin.bodies import refuse
from wigwag_server.admin.control_shapes import ApprovalAnswer, ApprovalList, ApprovalQuery
from wigwag_server.admin.parameters import Parameters
from wigwag_server.admin.proposals import (
    RECORD,
    Apply,
    Approval,
    Decide,
    Status,
    approval_plain,
    find_approval,
    over,
    read_approval,
)
from wigwag_server.admin.shapes import CommentBody
from wigwag_server.auth.keys import Key
from wigwag_server.auth.rights import Right, Role
from wigwag_server.problems import Problem
from wigwag_server.services import Services
from wigwag_server.web.body import read_object
from wigwag_server.web.operation import operation

LONGEST_COMMENT = 1000


@operation(
    "List changes that wait for approval",
    needs=Right.READ,
    takes=None,
    gives={200: ApprovalList},
    query=ApprovalQuery,
    of_server=True,
)
async def list_approvals(request: web.Request) -> web.Response:
    """GET /admin/approvals: the newest first; `?status=` and `?environment=` limit them."""
    services, caller = admit_to_server(request)
    parameters = Parameters(request, "status")
    status, environment = parameters.text("status"), parameters.text("environment")
    if status is not None and status not in tuple(Status):
        parameters.add("status", unknown_name("status", status, tuple(Status)))
    parameters.refuse()
    now = _now_ms()
    known = (read_approval(plain) for plain in services.system.replica.records.get(RECORD, {}).values())
    found = [
        each
        for each in known
        if each is not None
        and caller.scope.covers_environment(each.environment)
        and environment in (None, each.environment)
        and status in (None, each.status_at(now))
    ]
    found.sort(key=lambda each: (-each.created_at, each.id))
    return _answer({"approvals": [approval_plain(each, now) for each in found]})


@operation(
    "Show a change that waits for approval",
    needs=Right.READ,
    takes=None,
    gives={200: ApprovalAnswer},
    of_server=True,
)
async def show_approval(request: web.Request) -> web.Response:
    """GET /admin/approvals/{id}: what would change, and what has become of it."""
    services, caller = admit_to_server(request)
    return _answer(approval_plain(_find(request, services, caller), _now_ms()))


@operation(
    "Approve a change",
    needs=Right.EDIT,
    takes=CommentBody | None,
    gives={200: ApprovalAnswer},
    refuses=(409,),
    of_server=True,
)
async def approve(request: web.Request) -> web.Response:
    """POST /admin/approvals/{id}/approve: make the change, unless what it is based on has changed."""
    services, caller = admit_to_server(request)
    approval = _find(request, services, caller)
    comment = await _read_comment(request)
    if caller.id == approval.key_id or caller.name == approval.by:
        detail = (
            f"This was proposed by {approval.by}, so it is somebody else's to approve. Who somebody is goes by the "
            "token and its name: give each person a token with a name of their own."
        )
        raise Problem(HTTPStatus.FORBIDDEN, detail)
    check_scope(caller.scope, [(each.kind, each.key, each.before, each.after) for each in approval.changes])
    status = approval.status_at(_now_ms())
    if status not in (Status.PENDING, Status.APPROVED):
        raise over(approval, status)
    cursor = await services.run_to_end(_apply(services, approval, author(request, caller, comment)))
    now = find_approval(services.system.replica.records, approval.id)
    return _answer(approval_plain(now, _now_ms()), cursor)


@operation(
    "Reject a change",
    needs=Right.EDIT,
    takes=CommentBody | None,
    gives={200: ApprovalAnswer},
    refuses=(409,),
    of_server=True,
)
async def reject(request: web.Request) -> web.Response:
    """POST /admin/approvals/{id}/reject: it will not be made."""
    services, caller = admit_to_server(request)
    approval = _find(request, services, caller)
    check_scope(caller.scope, [(each.kind, each.key, each.before, each.after) for each in approval.changes])
    return await _decide(request, services, caller, approval, Status.REJECTED)


@operation(
    "Withdraw a change of one's own",
    needs=Right.EDIT,
    takes=CommentBody | None,
    gives={200: ApprovalAnswer},
    refuses=(409,),
    of_server=True,
)
async def withdraw(request: web.Request) -> web.Response:
    """POST /admin/approvals/{id}/withdraw: for whoever proposed it, and for admins."""
    services, caller = admit_to_server(request)
    approval = _find(request, services, caller)
    if caller.id != approval.key_id and caller.name != approval.by and caller.role is not Role.ADMIN:
        raise Problem(HTTPStatus.FORBIDDEN, f"This was proposed by {approval.by}. Others can reject it.")
    return await _decide(request, services, caller, approval, Status.WITHDRAWN)


async def _apply(services: Services, approval: Approval, by: Author) -> Cursor:
    """Note the decision, make the change, and note that it was made: each can be done again where the last was lost."""
    environment = services.known_environment(approval.environment)
    command = Apply(approval, services.catalogs[approval.environment].records)
    command(environment.replica.records, 0, 0)  # refused now rather than when it is decided
    await services.system.commit(Decide(approval.id, Status.APPROVED, by.name, by.comment), by)
    proposer = Author(
        name=approval.by,
        key_id=approval.key_id,
        address=approval.address,
        comment=approval.comment,
        request=by.request,
        approved_by=by.name,
    )
    try:
        cursor = await environment.commit(command, proposer)
    except Problem:
        await services.system.commit(Decide(approval.id, Status.OUTDATED, by.name), by)
        raise
    await services.system.commit(Decide(approval.id, Status.APPLIED, by.name, cursor=str(cursor)), by)
    return cursor


async def _decide(
    request: web.Request, services: Services, caller: Key, approval: Approval, status: Status
) -> web.Response:
    comment = await _read_comment(request)
    command = Decide(approval.id, status, caller.name, comment)
    await services.run_to_end(services.system.commit(command, author(request, caller, comment)))
    return _answer(approval_plain(find_approval(services.system.replica.records, approval.id), _now_ms()))


def _find(request: web.Request, services: Services, caller: Key) -> Approval:
    Parameters(request).refuse()
    approval = find_approval(services.system.replica.records, request.match_info["id"])
    check_environment(caller, approval.environment)
    return approval


async def _read_comment(request: web.Request) -> str:
    body = await read_object(request, optional=True)
    problems = Problems()
    problems.is_object("", body, ("comment",))
    problems.is_text("/comment", body.get("comment", ""), LONGEST_COMMENT)
    refuse("Nothing was decided.", problems.found)
    return str(body.get("comment", ""))


def _now_ms() -> int:
    return round(time.time() * 1000)


def _answer(body: Any, cursor: Cursor | None = None) -> web.Response:
    headers = {CURSOR_HEADER: str(cursor)} if cursor else None
    return web.Response(body=encode(body), content_type="application/json", headers=headers)
