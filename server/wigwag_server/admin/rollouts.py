"""`/admin/flags/{name}/rollout` and `…/guard`: ramps, and what watches over them."""

import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from aiohttp import web

from wigwag_proto.errors import StoreUnavailable
from wigwag_proto.problems import Violation
from wigwag_server.admin.answers import admit, answer, author, check_scope, commit
from wigwag_server.admin.bodies import read_key, refuse
from wigwag_server.admin.comments import read_comment
from wigwag_server.admin.find import find_record
from wigwag_server.admin.parameters import Parameters
from wigwag_server.admin.proof_shapes import NoQuery
from wigwag_server.admin.rollout_bodies import read_rollout_body, read_standing_body
from wigwag_server.admin.rollout_shapes import RemovalQuery, RolloutBody, StandingBody
from wigwag_server.admin.shapes import CommentBody
from wigwag_server.auth.keys import Key
from wigwag_server.auth.rights import Right
from wigwag_server.environment import Environment
from wigwag_server.problems import Problem
from wigwag_server.rollouts import plan, standing
from wigwag_server.rollouts.commands import Begin, SetStanding, Steer, find_rollout
from wigwag_server.rollouts.counted import since_hour
from wigwag_server.rollouts.evidence import Evidence, Side
from wigwag_server.rollouts.plan import Rollout, Seen, Status, holds, paused, resumed
from wigwag_server.rollouts.standing import read_standing
from wigwag_server.services import Services
from wigwag_server.web.body import read_object
from wigwag_server.web.operation import operation

Plain = dict[str, Any]
HIDDEN = ("base", "sinceHour", "guard", "onBreach", "rollbackTo")


@operation(
    "Start a rollout", needs=Right.EDIT, takes=RolloutBody, gives={201: Plain}, query=NoQuery, refuses=(404, 409)
)
async def start_rollout(request: web.Request) -> web.Response:
    """POST /admin/flags/{name}/rollout: move the percentage on by itself, stage by stage, and nothing but that."""
    services, caller, environment = admit(request)
    Parameters(request).refuse()
    key = read_key(request)
    body = await read_object(request)
    found: list[Violation] = []
    comment = read_comment(request, body, found)
    rollout = read_rollout_body(body, caller.name, found)
    _check_scope(environment, caller, key)
    await commit(request, environment, Begin(key, rollout), caller, comment=comment)
    return await _answer(services, environment, key, HTTPStatus.CREATED)


@operation(
    "Show the rollout of a flag", needs=Right.READ, takes=None, gives={200: Plain}, query=NoQuery, refuses=(404,)
)
async def show_rollout(request: web.Request) -> web.Response:
    """GET /admin/flags/{name}/rollout: how far it is, when it moves on, and what was measured at this stage."""
    services, _, environment = admit(request)
    Parameters(request).refuse()
    key = read_key(request)
    find_record(environment.replica.records, "flag", key)
    return await _answer(services, environment, key)


@operation(
    "Pause a rollout",
    needs=Right.KILL,
    takes=CommentBody | None,
    gives={200: Plain},
    query=NoQuery,
    refuses=(404, 409),
)
async def pause_rollout(request: web.Request) -> web.Response:
    """POST /admin/flags/{name}/rollout/pause: the percentage stays as it is. This waits for no second person."""

    def turn(rollout: Rollout, _: Mapping[str, Any], by: str) -> Rollout | str:
        if rollout.status is Status.PAUSED:
            return rollout
        return paused(rollout, f"paused by {by}") if rollout.status is Status.RUNNING else _over(rollout)

    return await _steer(request, "pause", turn, at_once=True)


@operation(
    "Resume a rollout",
    needs=Right.EDIT,
    takes=CommentBody | None,
    gives={200: Plain},
    query=NoQuery,
    refuses=(404, 409),
)
async def resume_rollout(request: web.Request) -> web.Response:
    """POST /admin/flags/{name}/rollout/resume: go on from the percentage that the flag has by now.

    The stage that it is in begins anew.
    """

    def turn(rollout: Rollout, flag: Mapping[str, Any], _: str) -> Rollout | str:
        if rollout.status is Status.RUNNING:
            return rollout
        if rollout.status not in (Status.PAUSED, Status.ROLLED_BACK, Status.KILLED):
            return _over(rollout)
        going = resumed(rollout, flag.get("rolloutPercentage", 100))
        wrong = plan.interference(going, flag)
        return going if wrong is None else f"It cannot go on: {wrong}. Put that right first."

    return await _steer(request, "resume", turn, at_once=False)


@operation(
    "Abort a rollout",
    needs=Right.KILL,
    takes=CommentBody | None,
    gives={200: Plain},
    query=NoQuery,
    refuses=(404, 409),
)
async def abort_rollout(request: web.Request) -> web.Response:
    """POST /admin/flags/{name}/rollout/abort: end it for good; the percentage stays as it is."""

    def turn(rollout: Rollout, _: Mapping[str, Any], by: str) -> Rollout | str:
        if rollout.status is Status.ABORTED:
            return rollout
        if rollout.status is Status.DONE:
            return _over(rollout)
        return msgspec.structs.replace(rollout, status=Status.ABORTED, reason=f"aborted by {by}")

    return await _steer(request, "abort", turn, at_once=True)


@operation(
    "Put a guard on a flag", needs=Right.EDIT, takes=StandingBody, gives={200: Plain}, query=NoQuery, refuses=(404,)
)
async def put_guard(request: web.Request) -> web.Response:
    """POST /admin/flags/{name}/guard: kill the flag by itself when the code behind it fares too badly."""
    _, caller, environment = admit(request)
    Parameters(request).refuse()
    key = read_key(request)
    body = await read_object(request)
    found: list[Violation] = []
    comment = read_comment(request, body, found)
    guard = read_standing_body(body, caller.name, found)
    _check_scope(environment, caller, key)
    await commit(request, environment, SetStanding(key, guard), caller, comment=comment)
    return _guard_answer(environment, key)


@operation("Show the guard of a flag", needs=Right.READ, takes=None, gives={200: Plain}, query=NoQuery, refuses=(404,))
async def show_guard(request: web.Request) -> web.Response:
    """GET /admin/flags/{name}/guard: what it looks at, and when it last acted."""
    _, _, environment = admit(request)
    Parameters(request).refuse()
    key = read_key(request)
    find_record(environment.replica.records, "flag", key)
    return _guard_answer(environment, key)


@operation(
    "Take the guard of a flag away", needs=Right.EDIT, takes=None, gives={204: None}, query=RemovalQuery, refuses=(404,)
)
async def delete_guard(request: web.Request) -> web.Response:
    """DELETE /admin/flags/{name}/guard: what it has killed stays killed."""
    _, caller, environment = admit(request)
    Parameters(request, "comment").refuse()
    key = read_key(request)
    found: list[Violation] = []
    comment = read_comment(request, {}, found)
    refuse("Nothing was changed.", found)
    _check_scope(environment, caller, key)
    await commit(request, environment, SetStanding(key, None), caller, comment=comment)
    return web.Response(status=HTTPStatus.NO_CONTENT)


async def _steer(
    request: web.Request,
    verb: str,
    turn: Callable[[Rollout, Mapping[str, Any], str], Rollout | str],
    *,
    at_once: bool,
) -> web.Response:
    services, caller, environment = admit(request)
    Parameters(request, "comment").refuse()
    key = read_key(request)
    body = await read_object(request, optional=True)
    found: list[Violation] = []
    comment = read_comment(request, body, found)
    found += [Violation(f"/{name}", "unknown field; this takes 'comment'") for name in body if name != "comment"]
    refuse("Nothing was changed.", found)
    _check_scope(environment, caller, key)
    command = Steer(f"rollout.{verb}", key, lambda rollout, flag: turn(rollout, flag, caller.name))
    if at_once:
        by = msgspec.structs.replace(author(request, caller, comment), exempt=True)
        await services.run_to_end(environment.commit(command, by))
    else:
        await commit(request, environment, command, caller, comment=comment)
    return await _answer(services, environment, key)


def _check_scope(environment: Environment, caller: Key, key: str) -> None:
    """Raise Problem (403, 404): what moves a flag is limited as edits of it are."""
    flag = find_record(environment.replica.records, "flag", key)
    check_scope(caller.scope, [("flag", key, flag, flag)])


def _over(rollout: Rollout) -> str:
    why = f" ({rollout.reason})" if rollout.reason else ""
    return f"This rollout is over: {rollout.status}{why}. POST …/rollout starts another one."


async def _answer(
    services: Services, environment: Environment, key: str, status: HTTPStatus = HTTPStatus.OK
) -> web.Response:
    rollout = find_rollout(environment.replica.records, key)
    elapsed_ms = services.runners[environment.name].elapsed_ms(key, rollout)
    seen = Seen(elapsed_ms)
    try:
        total, hour, this_hour = await since_hour(services.usage.store, environment.name, key, rollout.since_hour)
        seen = Seen(elapsed_ms, total, hour, this_hour)
    except StoreUnavailable:
        pass
    running = rollout.status is Status.RUNNING
    left_ms = max(0, round(rollout.interval_ms - elapsed_ms)) if rollout.stage_at else 0
    evidence = seen.total.since(rollout.base) if seen.total is not None and rollout.stage_at else None
    plain = msgspec.to_builtins(rollout)
    body = {
        "environment": environment.name,
        "flag": key,
        **{name: value for name, value in plain.items() if name not in HIDDEN},
        "guard": {**plain["guard"], **{name: plain[name] for name in HIDDEN[3:]}} if rollout.guard else None,
        "nextInMs": left_ms if running else None,
        "waitsFor": holds(rollout, seen) if running and rollout.stage >= 0 else None,
        "measured": None if evidence is None else shown_evidence(evidence),
    }
    return answer(body, environment.replica.cursor, status)


def shown_evidence(evidence: Evidence) -> Plain:
    """Return both sides as the API shows them."""
    return {"on": shown_side(evidence.on), "off": shown_side(evidence.off)}


def shown_side(side: Side) -> Plain:
    """Return one side, or one variant, as the API shows it."""
    p95_s = side.p95_s
    return {
        "runs": side.runs,
        "errors": side.errors,
        "errorRate": side.error_rate,
        "p95Ms": None if p95_s is None else round(p95_s * 1000, 3),
    }


def _guard_answer(environment: Environment, key: str) -> web.Response:
    guard = read_standing(environment.replica.records.get(standing.RECORD, {}).get(key))
    if guard is None:
        raise Problem(HTTPStatus.NOT_FOUND, f"There is no guard on '{key}'. POST …/guard puts one there.")
    plain = msgspec.to_builtins(guard)
    limits = plain.pop("guard")
    body = {"environment": environment.name, "flag": key, **limits, **plain, "now": round(time.time() * 1000)}
    return answer(body, environment.replica.cursor)
