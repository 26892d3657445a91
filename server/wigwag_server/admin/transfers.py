"""Moving configuration: `/admin/export`, `/admin/import`, and comparing and promoting between environments."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from http import HTTPStatus
from typing import Any

import msgspec
from aiohttp import web

from wigwag_proto.commit import Change
from wigwag_proto.evaluate import named_segments
from wigwag_proto.flag import Flag
from wigwag_proto.references import all_rules
from wigwag_proto.snapshot import Tables
from wigwag_server.admin import control_shapes
from wigwag_server.admin.answers import Within, admit, admit_to_server, answer, check_environment, commit
from wigwag_server.admin.configuration import Configure, Wanted, plan
from wigwag_server.admin.control_shapes import Comparison, Document, Import, Transferred, TrialQuery
from wigwag_server.admin.difference import KINDS, configuration, differences, differences_of, without_defaults
from wigwag_server.admin.find import Plain, find_record
from wigwag_server.admin.flags import owner_limit, warned
from wigwag_server.admin.parameters import Parameters
from wigwag_server.admin.transfer_bodies import FlagLimits, PromoteBody, read_import_body, read_promote_body
from wigwag_server.auth.keys import Key
from wigwag_server.auth.rights import Right
from wigwag_server.environment import Environment
from wigwag_server.problems import Problem
from wigwag_server.services import Services
from wigwag_server.web.body import read_object
from wigwag_server.web.openapi_parts import Waits
from wigwag_server.web.operation import operation


@operation(
    "Export the configuration of an environment",
    needs=Right.READ,
    takes=None,
    gives={200: Document},
)
async def export(request: web.Request) -> web.Response:
    """GET /admin/export: every flag and segment, as an import takes them. Defaults are left out, but for `enabled`."""
    _, _, environment = admit(request)
    Parameters(request).refuse()
    cursor = environment.replica.cursor
    return answer(await asyncio.to_thread(exported, _tables(environment)), cursor)


@operation(
    "Import configuration",
    needs=Right.EDIT,
    takes=Import,
    gives={200: Transferred},
    query=TrialQuery,
    refuses=(409,),
)
async def import_(request: web.Request) -> web.Response:
    """POST /admin/import: bring about the configuration in the body, in one revision, or say what that would change."""
    services, caller, environment = admit(request)
    dry_run = _dry_run(request)
    limits = services.settings.limits
    body = await read_object(request.clone(client_max_size=limits.import_bytes))
    read = await asyncio.to_thread(
        read_import_body,
        body,
        _tables(environment),
        FlagLimits(limits.flag_bytes, 3 * services.hubs[environment.name].heartbeat_s),
    )
    command = configure(services, environment, "environment.import", read.wanted)
    return await carry_out(request, environment, caller, command, dry_run=dry_run or read.dry_run, comment=read.comment)


@operation(
    "Compare two environments",
    needs=Right.READ,
    takes=None,
    gives={200: Comparison},
    of_server=True,
)
async def compare(request: web.Request) -> web.Response:
    """GET /admin/environments/{name}/compare/{other}: what differs, as changes that lead from the one to the other."""
    services, caller = admit_to_server(request)
    Parameters(request).refuse()
    one, other = (_environment(services, caller, request.match_info[part]) for part in ("name", "other"))
    cursor = other.replica.cursor
    body = {
        "before": {"environment": one.name, "cursor": str(one.replica.cursor)},
        "after": {"environment": other.name, "cursor": str(cursor)},
        "changes": await asyncio.to_thread(differences, _tables(one), _tables(other)),
    }
    return answer(body, cursor)


@operation(
    "Promote flags from another environment",
    needs=Right.EDIT,
    takes=control_shapes.PromoteBody,
    gives={200: Transferred, 202: Waits},
    query=TrialQuery,
    refuses=(409,),
    of_server=True,
)
async def promote(request: web.Request) -> web.Response:
    """POST /admin/environments/{name}/promote: copy the configuration of flags, or say what that would change."""
    services, caller = admit_to_server(request)
    dry_run = _dry_run(request)
    target = _environment(services, caller, request.match_info["name"])
    body = read_promote_body(await read_object(request))
    source = _environment(services, caller, body.source)
    if source is target:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"'{target.name}' cannot be promoted to itself.")
    wanted = promoted(body, source.replica.records)
    command = configure(services, target, "environment.promote", wanted)
    return await carry_out(request, target, caller, command, dry_run=dry_run or body.dry_run, comment=body.comment)


def promoted(body: PromoteBody, records: Tables) -> Wanted:
    """Return what a promotion wants of these records. Raises Problem: 404 for no such flag, 409 for a damaged one."""
    flags = records.get("flag", {})
    keys: list[str] = []
    for pattern in body.flags:
        matching = [key for key in sorted(flags) if fnmatchcase(key, pattern)]
        if not matching:
            find_record(records, "flag", pattern)
        keys += matching
    wanted = {key: _readable("flag", key, flags[key]) for key in dict.fromkeys(keys)}
    segments = sorted({each for key in wanted for each in _segments_of(flags[key])}) if body.with_segments else []
    there = records.get("segment", {})
    return Wanted(
        {"flag": wanted, "segment": {key: _readable("segment", key, there[key]) for key in segments if key in there}}
    )


def exported(records: Tables) -> dict[str, Any]:
    """Return all configuration in these records, as an import takes it."""
    flags = {
        key: {"enabled": config["enabled"], **without_defaults("flag", config), **_archived(records["flag"][key])}
        for key, config in _configurations("flag", records).items()
    }
    segments = {key: without_defaults("segment", config) for key, config in _configurations("segment", records).items()}
    read = {"flag": flags, "segment": segments}
    left_out = [f"{kind}/{key}" for kind in KINDS for key in sorted(records.get(kind, {}).keys() - read[kind].keys())]
    # An import does not know this field: whoever exports damaged records is to see it before anything goes by them.
    damaged = {"damaged": left_out} if left_out else {}
    return {"flags": flags, "segments": segments, **damaged}


def _archived(record: Any) -> dict[str, Any]:
    archived = record.get("archived")
    return {} if archived is None else {"archived": archived}


def whole_configuration(records: Tables) -> Wanted:
    """Return all configuration in these records, for an environment that is to have nothing else."""
    return Wanted({kind: _configurations(kind, records) for kind in KINDS}, frozenset(KINDS))


@dataclass(slots=True)
class Watched:
    """A command that remembers what its last run would change: it is run again when somebody else was faster."""

    command: Configure
    changes: Sequence[Change] = ()
    before: dict[str, dict[str, Any]] = field(default_factory=dict)
    warning: str | None = None

    @property
    def action(self) -> str:
        """The command's own."""
        return self.command.action

    def __call__(self, records: Tables, revision: int, at: int) -> Sequence[Change]:
        """Return the command's changes."""
        self.changes = self.command(records, revision, at)
        self.before = {kind: {} for kind in KINDS}
        for change in self.changes:
            if (before := records.get(change.kind, {}).get(change.key)) is not None:
                self.before[change.kind][change.key] = before
        limit = self.command.owner_limit
        self.warning = None if limit is None else limit.exceeded_by(records.get("flag", {}), self.changes)
        return self.changes


async def carry_out(
    request: web.Request, environment: Environment, caller: Key, command: Configure, *, dry_run: bool, comment: str
) -> web.Response:
    """Bring about a configuration, or say what that would change, and answer."""
    records, cursor = environment.replica.records, environment.replica.cursor
    kept = plan(command.wanted, records, 0, 0).kept
    watched = Watched(command)
    if dry_run:
        revision = cursor.revision + 1 if cursor else 1
        Within(watched, caller.scope)(records, revision, round(time.time() * 1000))
    else:
        cursor = await commit(request, environment, watched, caller, comment=comment)
    body = {
        "environment": environment.name,
        "cursor": str(cursor),
        "dryRun": dry_run,
        "changes": await asyncio.to_thread(differences_of, watched.changes, watched.before),
        "kept": kept,
    }
    return warned(answer(body, cursor), watched.warning)


def _dry_run(request: web.Request) -> bool:
    """Return whether the URL asks for a trial, as it may for other writes; the body may do so too."""
    parameters = Parameters(request, "dryRun")
    dry_run = parameters.switch("dryRun")
    parameters.refuse()
    return dry_run


def _tables(environment: Environment) -> dict[str, dict[str, Any]]:
    """Return the configuration as it is now, for a thread: what takes long must not keep a kill waiting."""
    return {kind: dict(environment.replica.records.get(kind, {})) for kind in KINDS}


def configure(services: Services, environment: Environment, action: str, wanted: Wanted) -> Configure:
    """Return the command that brings about what is wanted, within the limits of the server and the environment."""
    limits = services.settings.limits
    catalog = services.catalogs[environment.name].records
    most = {"flag": limits.flags, "segment": limits.segments}
    return Configure(action, wanted, catalog, most, owner_limit(services, environment))


def _environment(services: Services, caller: Key, name: str) -> Environment:
    check_environment(caller, name)
    return services.known_environment(name)


def _configurations(kind: str, records: Tables) -> dict[str, Mapping[str, Any]]:
    read = ((key, configuration(kind, record)) for key, record in sorted(records.get(kind, {}).items()))
    return {key: config for key, config in read if config is not None}


def _readable(kind: str, key: str, record: Any) -> Plain:
    config = configuration(kind, record)
    if config is None:
        detail = f"The record of {kind} '{key}' is damaged. Write it anew there, or leave it out."
        raise Problem(HTTPStatus.CONFLICT, detail)
    return config


def _segments_of(record: Plain) -> set[str]:
    flag = msgspec.convert({**record, "key": "-"}, Flag)
    return {each for rule in all_rules(flag) for each in named_segments(rule)}
