"""Killing and reviving: what must work when nothing else does."""

from http import HTTPStatus

from aiohttp import web

from wigwag_proto.commit import Cursor
from wigwag_proto.errors import StoreUnavailable
from wigwag_server.admin.answers import Within, admit, answer, commit
from wigwag_server.admin.bodies import KillBody, read_key, read_kill_body, read_kill_many_body
from wigwag_server.admin.find import find_record
from wigwag_server.admin.flag_commands import KillFlags, ReviveFlag, keys_to_kill
from wigwag_server.admin.flags import flag_answer
from wigwag_server.admin.propagation import proof_within, read_wait
from wigwag_server.auth.keys import Key
from wigwag_server.auth.rights import Right
from wigwag_server.environment import COMMIT_TIMEOUT_S, Environment
from wigwag_server.problems import Problem
from wigwag_server.services import SERVICES, Services
from wigwag_server.web.body import read_object
from wigwag_server.web.operation import operation

# A kill does not wait for a store that does not answer: after this it goes out as an emergency.
KILL_TIMEOUT_S = 1.0


@operation("Kill a flag", needs=Right.KILL)
async def kill_flag(request: web.Request) -> web.Response:
    """POST /admin/flags/{name}/kill: off, everywhere, above all rules. The body is optional."""
    _, caller, environment = admit(request)
    key = read_key(request)
    body = read_kill_body(await read_object(request, optional=True))
    find_record(environment.replica.records, "flag", key)
    return await _kill(request, environment, caller, (key,), body)


@operation("Kill several flags in one revision", needs=Right.KILL)
async def kill_flags(request: web.Request) -> web.Response:
    """POST /admin/kill: several flags, by key or tag, in one revision."""
    _, caller, environment = admit(request)
    body = read_kill_many_body(await read_object(request))
    keys = keys_to_kill(environment.replica.records, body.keys, body.tags)
    return await _kill(request, environment, caller, keys, body)


@operation("Lift a kill", needs=Right.REVIVE)
async def revive_flag(request: web.Request) -> web.Response:
    """POST /admin/flags/{name}/revive: lift the kill; the configuration under it is in force again."""
    services, caller, environment = admit(request)
    key, wait_s = read_key(request), read_wait(request)
    flag = find_record(environment.replica.records, "flag", key)
    emergencies = services.emergencies[environment.name]
    # What was begun without the store can be ended without it.
    needs_no_store = emergencies.holds(key) and flag.get("kill") is None
    timeout_s = KILL_TIMEOUT_S if needs_no_store else COMMIT_TIMEOUT_S
    try:
        cursor: Cursor | None = await commit(request, environment, ReviveFlag(key), caller, timeout_s=timeout_s)
    except StoreUnavailable:
        if not needs_no_store:
            raise
        cursor = environment.replica.cursor
    await services.run_to_end(emergencies.call_off(key))
    return flag_answer(environment, key, cursor, **await proof_within(services, environment, cursor, wait_s))


async def _kill(
    request: web.Request, environment: Environment, caller: Key, keys: tuple[str, ...], body: KillBody
) -> web.Response:
    services, wait_s = request.app[SERVICES], read_wait(request)
    command = KillFlags(keys, by=caller.name, reason=body.reason, until=body.until)
    Within(command, caller.scope)(environment.replica.records, 0, 0)  # an emergency asks no store whether it may be
    if not environment.degraded:
        try:
            cursor = await commit(request, environment, command, caller, timeout_s=KILL_TIMEOUT_S)
        except StoreUnavailable:
            return await _declare(services, environment, caller, keys, body)
        proof = await proof_within(services, environment, cursor, wait_s)
        if not body.keys and not body.tags:
            return flag_answer(environment, keys[0], cursor, **proof)
        flags = [find_record(environment.replica.records, "flag", key) for key in keys]
        return answer({"environment": environment.name, "cursor": str(cursor), "flags": flags, **proof}, cursor)
    return await _declare(services, environment, caller, keys, body)


async def _declare(
    services: Services, environment: Environment, caller: Key, keys: tuple[str, ...], body: KillBody
) -> web.Response:
    """Kill without the store, and say exactly what that means."""
    emergencies = services.emergencies[environment.name]
    if services.draining:
        raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "This server is shutting down.", headers={"Retry-After": "1"})
    emergency, told = await services.run_to_end(emergencies.declare(keys, caller.name, body.reason))
    kept = "on this server's disk" if emergencies.durable else "in this server's memory only: its disk refused it"
    ends = " It has no end by itself: 'until' needs the store." if body.until is not None else ""
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
