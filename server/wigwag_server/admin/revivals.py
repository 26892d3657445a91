"""Reviving: the configuration under a kill is in force again."""

from collections.abc import Sequence

from aiohttp import web

from wigwag_proto.commit import Cursor
from wigwag_proto.errors import StoreUnavailable
from wigwag_proto.flag import Flag
from wigwag_proto.problems import Violation
from wigwag_server.admin import shapes
from wigwag_server.admin.answer_shapes import Revived, Trial
from wigwag_server.admin.answers import Within, admit, answer, commit
from wigwag_server.admin.bodies import read_key, read_revival_body, refuse
from wigwag_server.admin.comments import read_comment
from wigwag_server.admin.find import find_record
from wigwag_server.admin.flag_commands import KillFlags, ReviveFlags
from wigwag_server.admin.flags import done_answer, flag_answer
from wigwag_server.admin.kills import KILL_TIMEOUT_S, still_there
from wigwag_server.admin.proof_shapes import KillQuery
from wigwag_server.admin.propagation import WAIT, proof_within, read_wait
from wigwag_server.admin.writing import read_dry_run, write
from wigwag_server.auth.keys import Key
from wigwag_server.auth.rights import Right
from wigwag_server.emergencies import Emergencies
from wigwag_server.environment import COMMIT_TIMEOUT_S, Environment
from wigwag_server.services import SERVICES
from wigwag_server.web.body import read_object
from wigwag_server.web.operation import operation


@operation(
    "Lift a kill",
    needs=Right.REVIVE,
    takes=shapes.CommentBody | None,
    gives={200: (Flag, Trial)},
    query=KillQuery,
)
async def revive_flag(request: web.Request) -> web.Response:
    """POST /admin/flags/{name}/revive: lift the kill; the configuration under it is in force again."""
    services, caller, environment = admit(request)
    key, dry_run, wait_s = read_key(request), read_dry_run(request, WAIT), read_wait(request)
    plain = await read_object(request, optional=True)
    found: list[Violation] = []
    comment = read_comment(request, plain, found)
    found += [
        Violation(f"/{field}", "unknown field; a revival takes 'comment'") for field in plain if field != "comment"
    ]
    refuse("Nothing was revived.", found)
    command = _command(environment, caller, (key,))
    if dry_run:
        return done_answer(environment, key, await write(request, environment, command, caller, "", dry_run=True))
    cursor = await _lift(request, environment, caller, command, comment)
    return flag_answer(environment, key, cursor, **await proof_within(services, environment, cursor, wait_s))


@operation(
    "Lift several kills in one revision",
    needs=Right.REVIVE,
    takes=shapes.ReviveManyBody,
    gives={200: (Revived, Trial)},
    query=KillQuery,
    refuses=(404,),
)
async def revive_flags(request: web.Request) -> web.Response:
    """POST /admin/revive: several flags, by key, in one revision; one that is not there, and none is revived."""
    services, caller, environment = admit(request)
    dry_run, wait_s = read_dry_run(request, WAIT), read_wait(request)
    plain = await read_object(request)
    found: list[Violation] = []
    comment = read_comment(request, plain, found)
    keys, trial = read_revival_body(plain, found)
    command = _command(environment, caller, keys)
    if dry_run or trial:
        done = await write(request, environment, command, caller, "", dry_run=True)
        assert isinstance(done, web.Response), "a trial answers"
        return done
    cursor = await _lift(request, environment, caller, command, comment)
    body = {"environment": environment.name, "cursor": str(cursor), "flags": still_there(environment, keys)}
    return answer({**body, **await proof_within(services, environment, cursor, wait_s)}, cursor)


def _command(environment: Environment, caller: Key, keys: tuple[str, ...]) -> ReviveFlags:
    """Return the command. Raises Problem: 404 for what is not there, 403 for what is out of the caller's scope."""
    # Where only an emergency ends, no flag changes: the scope is asked about the flags all the same.
    Within(KillFlags(keys, by=caller.name), caller.scope)(environment.replica.records, 0, 0)
    return ReviveFlags(keys)


async def _lift(
    request: web.Request, environment: Environment, caller: Key, command: ReviveFlags, comment: str
) -> Cursor | None:
    """Revive, in the store and, for what was declared here, without it. Raises what a commit raises."""
    services = request.app[SERVICES]
    emergencies, records = services.emergencies[environment.name], environment.replica.records
    # What was begun without the store can be ended without it.
    needs_no_store = all(
        emergencies.holds(key) and find_record(records, "flag", key).get("kill") is None for key in command.keys
    )
    timeout_s = KILL_TIMEOUT_S if needs_no_store else COMMIT_TIMEOUT_S
    try:
        cursor: Cursor | None = await commit(
            request, environment, command, caller, comment=comment, timeout_s=timeout_s
        )
    except StoreUnavailable:
        if not needs_no_store:
            raise
        cursor = environment.replica.cursor
    await services.run_to_end(_call_off(emergencies, command.keys))
    return cursor


async def _call_off(emergencies: Emergencies, keys: Sequence[str]) -> None:
    """End what was declared here, of all of them, also where whoever asked has hung up."""
    for key in keys:
        await emergencies.call_off(key)
