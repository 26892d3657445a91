"""`/admin/flags`: what operators do to flags."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import msgspec
from aiohttp import web

from wigwag_proto.commit import Cursor
from wigwag_proto.flag import Flag, Kill
from wigwag_proto.problems import Violation
from wigwag_server.admin.answer_shapes import FlagList, Trial
from wigwag_server.admin.answers import CURSOR_HEADER, admit, answer
from wigwag_server.admin.bodies import MISSED_BEATS, FlagLimits, read_flag_body, read_if_match, read_key, refuse
from wigwag_server.admin.comments import read_comment
from wigwag_server.admin.edits import Patch
from wigwag_server.admin.find import Plain, find_record
from wigwag_server.admin.flag_commands import DeleteFlag, OwnerLimit, PutFlag
from wigwag_server.admin.flag_life import Stage
from wigwag_server.admin.merge_patch import CONTENT_TYPE
from wigwag_server.admin.parameters import Parameters
from wigwag_server.admin.query_shapes import DeleteQuery, FlagQuery, WriteQuery
from wigwag_server.admin.search import FLAG_LISTS, find, is_archived, read_part, read_search
from wigwag_server.admin.shapes import FlagBody, FlagPatch
from wigwag_server.admin.surroundings import still_asked, surroundings
from wigwag_server.admin.writing import CONFIRM, check_confirmation, read_dry_run, write
from wigwag_server.auth.keys import Key
from wigwag_server.auth.rights import Right
from wigwag_server.environment import Environment
from wigwag_server.environments import environment_record
from wigwag_server.services import Services
from wigwag_server.web.body import JSON_TYPES, read_object
from wigwag_server.web.operation import IF_MATCH, IF_NONE_MATCH, operation

# What whoever asked should read although it is done; percent-encoded where it is not ASCII.
WARNING_HEADER = "Wigwag-Warning"


@operation(
    "List and search the flags of an environment",
    needs=Right.READ,
    takes=None,
    gives={200: FlagList},
    query=FlagQuery,
)
async def list_flags(request: web.Request) -> web.Response:
    """GET /admin/flags: the flags that are asked for, by key. Archived ones only where they are asked for."""
    services, _, environment = admit(request)
    parameters = Parameters(request, "q", "limit", "after", "stale", lists=FLAG_LISTS)
    search, part = read_search(parameters), read_part(parameters)
    stale = parameters.switch("stale")
    parameters.refuse()
    if stale:
        search = replace(search, stages=(*search.stages, Stage.POTENTIALLY_STALE, Stage.STALE))
    flags = environment.replica.records.get("flag", {})
    killed = killed_out_of_band(environment)
    if search.stages:
        around = await surroundings(services, environment)
        flags = {key: flag for key, flag in flags.items() if around.life(key, flag).state in search.stages}
    else:
        flags = {key: flag for key, flag in flags.items() if not is_archived(flag)}
    page = find(flags, search, part, killed)
    body = {
        "environment": environment.name,
        "cursor": str(environment.replica.cursor),
        "flags": [flags[key] for key in page.keys],
        "total": page.total,
        "next": page.next,
        "emergencies": msgspec.to_builtins(environment.replica.emergencies),
    }
    return answer(body, environment.replica.cursor)


@operation(
    "Show one flag",
    needs=Right.READ,
    takes=None,
    gives={200: Flag},
)
async def show_flag(request: web.Request) -> web.Response:
    """GET /admin/flags/{name}: its configuration and its kill. The `ETag` is its revision."""
    _, _, environment = admit(request)
    Parameters(request).refuse()
    return flag_answer(environment, read_key(request), environment.replica.cursor)


@operation(
    "Create a flag, or replace its configuration",
    needs=Right.EDIT,
    takes=FlagBody,
    gives={200: (Flag, Trial), 201: Flag},
    query=WriteQuery,
    headers=(IF_MATCH, IF_NONE_MATCH),
    refuses=(409,),
)
async def put_flag(request: web.Request) -> web.Response:
    """POST /admin/flags/{name}: create, or replace the configuration. `"killSwitch": true` kills it as well."""
    services, caller, environment = admit(request)
    key, dry_run = read_key(request), read_dry_run(request)
    body = await read_object(request)
    found: list[Violation] = []
    comment = read_comment(request, body, found)
    exists = key in environment.replica.records.get("flag", {})
    before = find_record(environment.replica.records, "flag", key) if exists else {}
    command = FlagWriter(services, environment, caller, key, found=found, if_match=read_if_match(request)).put(
        body, before
    )
    done = await write(request, environment, command, caller, comment, dry_run=dry_run)
    return warned(done_answer(environment, key, done, created=not exists), over_limit(services, environment, key))


@operation(
    "Change some fields of a flag",
    needs=Right.EDIT,
    takes=FlagPatch,
    gives={200: (Flag, Trial)},
    query=WriteQuery,
    headers=(IF_MATCH,),
    refuses=(409,),
)
async def patch_flag(request: web.Request) -> web.Response:
    """PATCH /admin/flags/{name}: merge the body into the configuration, and check the whole of it."""
    services, caller, environment = admit(request)
    key, dry_run = read_key(request), read_dry_run(request)
    patch = await read_object(request, types=(CONTENT_TYPE, *JSON_TYPES))
    found: list[Violation] = []
    comment = read_comment(request, patch, found)
    refuse("The flag was not written.", found)
    writer = FlagWriter(services, environment, caller, key)
    own = {name: value for name, value in patch.items() if name != "comment"}
    command = Patch("flag", key, own, writer.put, read_if_match(request))
    done = await write(request, environment, command, caller, comment, dry_run=dry_run)
    return warned(done_answer(environment, key, done), over_limit(services, environment, key))


@operation(
    "Delete a flag",
    needs=Right.EDIT,
    takes=None,
    gives={200: Trial, 204: None},
    query=DeleteQuery,
    headers=(IF_MATCH,),
    refuses=(409,),
)
async def delete_flag(request: web.Request) -> web.Response:
    """DELETE /admin/flags/{name}?confirm={name}: code that still asks for it gets its default.

    Refused while other flags require it. Where code is known to ask for it, `Wigwag-Warning` says how much.
    """
    services, caller, environment = admit(request)
    key, dry_run = read_key(request), read_dry_run(request, CONFIRM)
    find_record(environment.replica.records, "flag", key)
    found: list[Violation] = []
    comment = read_comment(request, {}, found)
    refuse("Nothing was deleted.", found)
    if not dry_run:
        check_confirmation(request, "flag", key)
    warning = await still_asked(services, environment, key)
    command = DeleteFlag(key, services.catalogs[environment.name].records, read_if_match(request))
    done = await write(request, environment, command, caller, comment, dry_run=dry_run)
    if isinstance(done, web.Response):
        return warned(done, warning)
    return warned(web.Response(status=HTTPStatus.NO_CONTENT, headers={CURSOR_HEADER: str(done)}), warning)


class FlagWriter:
    """Makes the command that writes the configuration of one flag, once that is checked."""

    def __init__(
        self,
        services: Services,
        environment: Environment,
        caller: Key,
        key: str,
        *,
        found: Sequence[Violation] = (),
        if_match: int | None = None,
    ) -> None:
        """`found` is what is wrong already."""
        self._services = services
        self._environment = environment
        self._caller = caller
        self._key = key
        self._found = found
        self._if_match = if_match

    def put(self, body: Plain, before: Plain) -> PutFlag:
        """Return the command; `before` is the flag as it is, empty for none. Raises Problem (422)."""
        settings = self._services.settings.limits
        heartbeat_s = self._services.hubs[self._environment.name].heartbeat_s
        limits = FlagLimits(settings.flag_bytes, MISSED_BEATS * heartbeat_s)
        checked = read_flag_body(self._key, body, before.get("kill"), limits, self._found)
        kill = Kill(by=self._caller.name, at=round(time.time() * 1000)) if checked.kill else None
        catalog = self._services.catalogs[self._environment.name].records
        limit = owner_limit(self._services, self._environment)
        return PutFlag(self._key, checked.config, catalog, settings.flags, kill, self._if_match, limit)


def owner_limit(services: Services, environment: Environment) -> OwnerLimit | None:
    """Return how many release flags an owner may have, as the environment says."""
    record = environment_record(services.system.replica.records, environment.name)
    if record.owner_release_flags is None:
        return None
    return OwnerLimit(record.owner_release_flags, refuses=record.refuse_over_limit)


def warned(response: web.Response, warning: str | None) -> web.Response:
    """Return an answer with something that whoever asked should read, though it is done."""
    if warning:
        response.headers[WARNING_HEADER] = quote(warning, safe=" '(),.:;-_/<>=")
    return response


def over_limit(services: Services, environment: Environment, key: str) -> str | None:
    """Return what is to be said when a flag that was written is one too many of its owner."""
    limit = owner_limit(services, environment)
    flags = environment.replica.records.get("flag", {})
    if limit is None or not isinstance(flag := flags.get(key), Mapping):
        return None
    return limit.exceeded({other: each for other, each in flags.items() if other != key}, key, flag)


def killed_out_of_band(environment: Environment) -> dict[str, Kill]:
    """Return the kills in force that do not stand in the flags."""
    return {
        key: Kill(by=emergency.by, reason=emergency.reason, at=emergency.at)
        for emergency in environment.replica.emergencies
        for key in emergency.keys
    }


def done_answer(
    environment: Environment, key: str, done: Cursor | web.Response, *, created: bool = False
) -> web.Response:
    """Return what a write answers: the flag, or what a trial has to say."""
    if isinstance(done, web.Response):
        return done
    return flag_answer(environment, key, done, HTTPStatus.CREATED if created else HTTPStatus.OK)


def flag_answer(
    environment: Environment, key: str, cursor: Cursor | None, status: HTTPStatus = HTTPStatus.OK, **beside: Any
) -> web.Response:
    """Return the flag, its revision as the ETag that `If-Match` takes, with what else is to be said `beside`."""
    flag = find_record(environment.replica.records, "flag", key)
    return answer({**flag, **beside}, cursor, status, etag=str(flag.get("revision")))
