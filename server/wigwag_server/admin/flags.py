"""`/admin/flags`: what operators do to flags."""

import time
from http import HTTPStatus
from typing import Any

import msgspec
from aiohttp import web

from wigwag_proto.commit import Cursor
from wigwag_proto.flag import Kill
from wigwag_proto.problems import Violation
from wigwag_proto.validate import Checked
from wigwag_server.admin.answers import CURSOR_HEADER, admit, answer, commit
from wigwag_server.admin.bodies import read_flag_body, read_if_match, read_key, refuse
from wigwag_server.admin.find import find_record
from wigwag_server.admin.flag_commands import DeleteFlag, PutFlag
from wigwag_server.auth.rights import Right
from wigwag_server.environment import Environment
from wigwag_server.web.body import read_object
from wigwag_server.web.operation import operation


@operation("List the flags of an environment", needs=Right.READ)
async def list_flags(request: web.Request) -> web.Response:
    """GET /admin/flags: every flag, by key."""
    _, _, environment = admit(request)
    flags = environment.replica.records.get("flag", {})
    body = {
        "environment": environment.name,
        "cursor": str(environment.replica.cursor),
        "flags": [flags[key] for key in sorted(flags)],
        "emergencies": msgspec.to_builtins(environment.replica.emergencies),
    }
    return answer(body, environment.replica.cursor)


@operation("Show one flag", needs=Right.READ)
async def show_flag(request: web.Request) -> web.Response:
    """GET /admin/flags/{name}."""
    _, _, environment = admit(request)
    return flag_answer(environment, read_key(request), environment.replica.cursor)


@operation("Create a flag, or replace its configuration", needs=Right.EDIT)
async def put_flag(request: web.Request) -> web.Response:
    """POST /admin/flags/{name}: create, or replace the configuration. `"killSwitch": true` kills it as well."""
    services, caller, environment = admit(request)
    key = read_key(request)
    body = await read_object(request)
    exists = key in environment.replica.records.get("flag", {})
    before = find_record(environment.replica.records, "flag", key) if exists else {}
    limits = services.settings.limits
    checked = read_flag_body(key, body, before.get("kill"), limits.flag_bytes)
    _check_fail_safe(checked, services.hubs[environment.name].heartbeat_s)
    kill = Kill(by=caller.name, at=round(time.time() * 1000)) if checked.kill else None
    catalog = services.catalogs[environment.name].records
    command = PutFlag(key, checked.config, catalog, limits.flags, kill, read_if_match(request))
    cursor = await commit(request, environment, command, caller)
    return flag_answer(environment, key, cursor, HTTPStatus.OK if exists else HTTPStatus.CREATED)


@operation("Delete a flag", needs=Right.EDIT)
async def delete_flag(request: web.Request) -> web.Response:
    """DELETE /admin/flags/{name}."""
    services, caller, environment = admit(request)
    catalog = services.catalogs[environment.name].records
    command = DeleteFlag(read_key(request), catalog, read_if_match(request))
    cursor = await commit(request, environment, command, caller)
    return web.Response(status=HTTPStatus.NO_CONTENT, headers={CURSOR_HEADER: str(cursor)})


def _check_fail_safe(checked: Checked, heartbeat_s: float) -> None:
    """Refuse a dead man's switch that a single late heartbeat would trip. Raises Problem (422)."""
    least_s = 3 * heartbeat_s
    fail_safe_after = checked.config.get("failSafeAfter")
    if fail_safe_after is not None and fail_safe_after < least_s:
        why = f"must be at least {least_s:g} seconds: apps hear from the server every {heartbeat_s:g} seconds"
        refuse("The flag was not written.", [Violation("/failSafeAfter", why)])


def flag_answer(
    environment: Environment, key: str, cursor: Cursor | None, status: HTTPStatus = HTTPStatus.OK, **beside: Any
) -> web.Response:
    """Return the flag, its revision as the ETag that `If-Match` takes, with what else is to be said `beside`."""
    flag = find_record(environment.replica.records, "flag", key)
    return answer({**flag, **beside}, cursor, status, etag=str(flag.get("revision")))
