"""Killing: what must work when nothing else does."""

import logging
from collections.abc import Sequence
from http import HTTPStatus

from aiohttp import web

from wigwag_proto.commit import Cursor
from wigwag_proto.errors import StoreUnavailable
from wigwag_proto.flag import Flag
from wigwag_proto.problems import Violation
from wigwag_server.admin import shapes
from wigwag_server.admin.answer_shapes import Declared, Killed, Trial
from wigwag_server.admin.answers import Within, admit, answer, commit
from wigwag_server.admin.bodies import KillBody, read_key, read_kill_body, read_kill_many_body
from wigwag_server.admin.comments import read_comment
from wigwag_server.admin.find import find_record
from wigwag_server.admin.flag_commands import KillFlags, matching_keys, tagged_keys
from wigwag_server.admin.flags import done_answer, flag_answer
from wigwag_server.admin.proof_shapes import KillQuery
from wigwag_server.admin.propagation import WAIT, proof_within, read_wait
from wigwag_server.admin.writing import read_dry_run, write
from wigwag_server.auth.keys import Key
from wigwag_server.auth.rights import Right
from wigwag_server.environment import Environment
from wigwag_server.problems import Problem
from wigwag_server.services import SERVICES, Services
from wigwag_server.web.body import read_object
from wigwag_server.web.operation import operation

logger = logging.getLogger(__name__)

# A kill does not wait for a store that does not answer: after this it goes out as an emergency.
KILL_TIMEOUT_S = 1.0


@operation(
    "Kill a flag",
    needs=Right.KILL,
    takes=shapes.KillBody | None,
    gives={200: (Flag, Trial), 202: Declared},
    query=KillQuery,
)
async def kill_flag(request: web.Request) -> web.Response:
    """POST /admin/flags/{name}/kill: off, everywhere, above all rules. The body is optional."""
    services, caller, environment = admit(request)
    key, dry_run, wait_s = read_key(request), read_dry_run(request, WAIT), read_wait(request)
    plain = await read_object(request, optional=True)
    found: list[Violation] = []
    comment = read_comment(request, plain, found)
    body = read_kill_body(plain, found)
    find_record(environment.replica.records, "flag", key)
    command = KillFlags((key,), by=caller.name, reason=body.reason, until=body.until)
    if dry_run or body.dry_run:
        return done_answer(environment, key, await write(request, environment, command, caller, "", dry_run=True))
    done = await carry_out(request, environment, caller, command, comment)
    if isinstance(done, web.Response):
        return done
    return flag_answer(environment, key, done, **await proof_within(services, environment, done, wait_s))


@operation(
    "Kill several flags in one revision",
    needs=Right.KILL,
    takes=shapes.KillMany,
    gives={200: (Killed, Trial), 202: Declared},
    query=KillQuery,
)
async def kill_flags(request: web.Request) -> web.Response:
    """POST /admin/kill: several flags, by key, tag or pattern, in one revision."""
    services, caller, environment = admit(request)
    dry_run, wait_s = read_dry_run(request, WAIT), read_wait(request)
    plain = await read_object(request)
    found: list[Violation] = []
    comment = read_comment(request, plain, found)
    body = read_kill_many_body(plain, found)
    command = _kill_many(environment, caller, body)
    if dry_run or body.dry_run:
        done: Cursor | web.Response = await write(request, environment, command, caller, "", dry_run=True)
    else:
        done = await carry_out(request, environment, caller, command, comment)
    if isinstance(done, web.Response):
        return done
    return answer(
        {
            "environment": environment.name,
            "cursor": str(done),
            "flags": still_there(environment, command.all_keys),
            **await proof_within(services, environment, done, wait_s),
        },
        done,
    )


async def carry_out(
    request: web.Request, environment: Environment, caller: Key, command: KillFlags, comment: str = ""
) -> Cursor | web.Response:
    """Kill, in the store or, where that cannot be, as an emergency, of which the answer (202) then tells.

    The audit log says why by the comment or, without one, by the reason.
    """
    _check_scope(environment, caller, command)  # an emergency asks no store whether it may be
    if not environment.lost:
        try:
            return await commit(
                request, environment, command, caller, comment=comment or command.reason, timeout_s=KILL_TIMEOUT_S
            )
        except StoreUnavailable as error:
            logger.warning("a kill goes out as an emergency: %s", error)
    return await _declare(request.app[SERVICES], environment, caller, command)


def _check_scope(environment: Environment, caller: Key, command: KillFlags) -> None:
    """Raise Problem (403) where a token is limited to other flags than those of the command."""
    Within(command, caller.scope)(environment.replica.records, 0, 0)


def still_there(environment: Environment, keys: Sequence[str]) -> list[object]:
    """Return the flags among these keys that exist."""
    flags = environment.replica.records.get("flag", {})
    return [flags[key] for key in keys if key in flags]


def _kill_many(environment: Environment, caller: Key, body: KillBody) -> KillFlags:
    """Return the command. Raises Problem (404) for a key, a tag or a pattern that means no flag."""
    records = environment.replica.records
    for key in body.keys:
        find_record(records, "flag", key)
    matching = matching_keys(records, body.pattern) if body.pattern else ()
    also = (*tagged_keys(records, body.tags), *matching)
    return KillFlags(tuple(dict.fromkeys(body.keys)), by=caller.name, reason=body.reason, until=body.until, also=also)


async def _declare(services: Services, environment: Environment, caller: Key, command: KillFlags) -> web.Response:
    """Kill without the store, and say exactly what that means."""
    keys = command.all_keys
    emergencies = services.emergencies[environment.name]
    if services.draining:
        raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "This server is shutting down.", headers={"Retry-After": "1"})
    emergency, told = await services.run_to_end(emergencies.declare(keys, caller.name, command.reason))
    kept = "on this server's disk" if emergencies.durable else "in this server's memory only: its disk refused it"
    ends = " It has no end by itself: 'until' needs the store." if command.until is not None else ""
    body_out = {
        "emergency": {"id": emergency.id, "keys": keys, "by": emergency.by, "reason": emergency.reason},
        "streams": told,
        "durable": emergencies.durable,
        "detail": (
            f"The store cannot be written to. The kill is in force on this server and was sent to its {told} streams; "
            f"other servers were not told. It is kept {kept}, and is committed when the store is back.{ends}"
        ),
    }
    return answer(body_out, environment.replica.cursor, HTTPStatus.ACCEPTED)
