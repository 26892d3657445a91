"""`/admin/schedules`: a change, a kill or a revival at a time, once."""

from http import HTTPStatus
from typing import Any

import msgspec
from aiohttp import web

from wigwag_proto.problems import Violation, unknown_name
from wigwag_server.admin.answers import admit, answer, check_scope, commit
from wigwag_server.admin.bodies import refuse
from wigwag_server.admin.comments import read_comment
from wigwag_server.admin.find import find_record
from wigwag_server.admin.parameters import Parameters
from wigwag_server.admin.proof_shapes import NoQuery
from wigwag_server.admin.rollout_bodies import read_schedule_body
from wigwag_server.admin.rollout_shapes import RemovalQuery, ScheduleBody, SchedulesQuery
from wigwag_server.auth.rights import Right
from wigwag_server.problems import Problem
from wigwag_server.rollouts.commands import End, Plan
from wigwag_server.rollouts.schedule import RECORD, Schedule, Status, What, read_schedule
from wigwag_server.rollouts.scheduler import Scheduler
from wigwag_server.web.body import read_object
from wigwag_server.web.operation import operation

MOST = 1000


@operation(
    "Schedule something",
    needs=Right.EDIT,
    takes=ScheduleBody,
    gives={201: dict[str, Any]},
    query=NoQuery,
    refuses=(404, 409),
)
async def add_schedule(request: web.Request) -> web.Response:
    """POST /admin/schedules: a change is checked now, and again when it is made."""
    services, caller, environment = admit(request)
    Parameters(request).refuse()
    body = await read_object(request)
    found: list[Violation] = []
    comment = read_comment(request, body, found)
    schedule = read_schedule_body(body, caller.name, comment, found)
    records = environment.replica.records
    flag = find_record(records, "flag", schedule.flag)
    check_scope(caller.scope, [("flag", schedule.flag, flag, flag)])
    if schedule.what is What.CHANGE:
        revision = environment.replica.cursor.revision + 1 if environment.replica.cursor else 1
        changes = Scheduler(services, environment)(schedule)(records, revision, schedule.at)
        check_scope(caller.scope, [(each.kind, each.key, flag, each.value) for each in changes])
    await commit(request, environment, Plan(schedule, MOST), caller, comment=comment)
    made = read_schedule(environment.replica.records[RECORD][schedule.id]) or schedule
    return answer(msgspec.to_builtins(made), environment.replica.cursor, HTTPStatus.CREATED)


@operation(
    "List what is scheduled",
    needs=Right.READ,
    takes=None,
    gives={200: dict[str, Any]},
    query=SchedulesQuery,
)
async def list_schedules(request: web.Request) -> web.Response:
    """GET /admin/schedules: the next first, and after these the latest that are over."""
    _, _, environment = admit(request)
    parameters = Parameters(request, "flag", "status")
    flag, status = parameters.text("flag"), parameters.text("status")
    if status is not None and status not in tuple(Status):
        parameters.add("status", unknown_name("status", status, tuple(Status)))
    parameters.refuse()
    table = environment.replica.records.get(RECORD, {})
    found = [each for plain in table.values() if (each := read_schedule(plain)) is not None]
    wanted = [each for each in found if flag in (None, "", each.flag) and status in (None, each.status)]
    wanted.sort(key=_next_first)
    body = {"environment": environment.name, "schedules": [msgspec.to_builtins(each) for each in wanted]}
    return answer(body, environment.replica.cursor)


@operation(
    "Cancel what is scheduled",
    needs=Right.EDIT,
    takes=None,
    gives={204: None},
    query=RemovalQuery,
    refuses=(404, 409),
)
async def cancel_schedule(request: web.Request) -> web.Response:
    """DELETE /admin/schedules/{id}: it will not be done. It stays in the list for a while, as cancelled."""
    _, caller, environment = admit(request)
    Parameters(request, "comment").refuse()
    found: list[Violation] = []
    comment = read_comment(request, {}, found)
    refuse("Nothing was cancelled.", found)
    schedule = read_schedule(environment.replica.records.get(RECORD, {}).get(request.match_info["id"]))
    if schedule is None:
        raise Problem(HTTPStatus.NOT_FOUND, "There is no schedule with this id. GET /admin/schedules lists them.")
    flag = environment.replica.records.get("flag", {}).get(schedule.flag)
    if flag is not None:
        check_scope(caller.scope, [("flag", schedule.flag, flag, flag)])
    if schedule.status is not Status.PENDING:
        raise Problem(HTTPStatus.CONFLICT, f"This is {schedule.status} already.")
    detail = f"cancelled by {caller.name}"
    await commit(request, environment, End(schedule, Status.CANCELLED, detail=detail), caller, comment=comment)
    return web.Response(status=HTTPStatus.NO_CONTENT)


def _next_first(schedule: Schedule) -> tuple[bool, int]:
    pending = schedule.status is Status.PENDING
    return (not pending, schedule.at if pending else -(schedule.ended_at or 0))
