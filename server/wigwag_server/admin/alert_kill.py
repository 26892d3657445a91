"""`/v1/kill`: the URL that an alerting system calls. Its key names the flags that it kills, and can do nothing else."""

from http import HTTPStatus
from typing import Any

from aiohttp import web

from wigwag_proto.codec import decode
from wigwag_proto.errors import Malformed
from wigwag_proto.snapshot import Tables
from wigwag_server.admin.alerts import is_over, reason_of
from wigwag_server.admin.answer_shapes import AlertAnswer, Declared
from wigwag_server.admin.answers import answer
from wigwag_server.admin.flag_commands import KillFlags
from wigwag_server.admin.kills import carry_out
from wigwag_server.admin.parameters import Parameters
from wigwag_server.admin.query_shapes import AlertQuery
from wigwag_server.auth.keys import Key, KeyKind
from wigwag_server.environment import Environment
from wigwag_server.problems import Problem
from wigwag_server.services import SERVICES
from wigwag_server.web.operation import Media, operation


@operation(
    "Kill the flags of an alert's key",
    needs=(KeyKind.HOOK,),
    takes=Media("*/*"),
    gives={200: AlertAnswer, 202: Declared},
    query=AlertQuery,
    refuses=(404, 413),
)
async def kill_by_alert(request: web.Request) -> web.Response:
    """POST /v1/kill: kill what the key names, or those of them that `flag=` names. Any body, or none."""
    services = request.app[SERVICES]
    caller = services.guard.admit(request, KeyKind.HOOK)
    environment = services.known_environment(caller.environment or "")
    parameters = Parameters(request, lists=("flag",))
    wanted = parameters.texts("flag")
    if parameters.text("environment") not in (None, environment.name):
        parameters.add("environment", f"is {environment.name} for this key")
    parameters.refuse()
    flags = environment.replica.records.get("flag", {})
    keys = _permitted(caller, wanted)
    message = _read(await request.read())
    if is_over(message):
        detail = "The message tells of no new alert, so nothing was killed. A kill is lifted by a person."
        return _answer(environment, {"killed": [], "detail": detail})
    there = [key for key in keys if key in flags]
    if not there:
        named = ", ".join(wanted or caller.flags)
        raise Problem(HTTPStatus.NOT_FOUND, f"There is no flag of those that this key may kill: {named}.")
    already = [key for key in there if _killed_for_good(environment.replica.records, key)]
    told = {"alreadyKilled": already, "missing": [key for key in keys if key not in flags]}
    due = tuple(key for key in there if key not in already)
    reason = reason_of(message)
    if not due:
        return _answer(environment, {"killed": [], **told, "reason": reason})
    command = KillFlags((), by=caller.name, reason=reason, also=due)
    done = await carry_out(request, environment, caller, command)
    if isinstance(done, web.Response):
        return done
    return _answer(environment, {"killed": list(due), **told, "reason": reason})


def _permitted(caller: Key, wanted: tuple[str, ...]) -> tuple[str, ...]:
    """Return what is to be killed. Raises Problem (403) for a flag that the key does not name."""
    for key in wanted:
        if key not in caller.flags:
            allowed = ", ".join(caller.flags)
            raise Problem(HTTPStatus.FORBIDDEN, f"This key may kill {allowed}; '{key}' is not among them.")
    return tuple(dict.fromkeys(wanted or caller.flags))


def _killed_for_good(records: Tables, key: str) -> bool:
    """Say whether a kill without an end is in force: an alert that is sent again must not hide who killed it first."""
    flag = records["flag"][key]
    kill = flag.get("kill") if isinstance(flag, dict) else None
    return isinstance(kill, dict) and kill.get("until") is None


def _read(data: bytes) -> Any:
    """Return the message. One that is not JSON is taken as text: its form must not keep a kill from happening."""
    try:
        return decode(data) if data.strip() else None
    except Malformed:
        return data.decode(errors="replace")


def _answer(environment: Environment, body: dict[str, Any]) -> web.Response:
    cursor = environment.replica.cursor
    return answer({"environment": environment.name, "cursor": str(cursor), **body}, cursor)
