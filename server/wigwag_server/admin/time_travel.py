"""`/admin/state`, `/admin/differences` and `/admin/rewind`: how an environment was, and back to it."""

import asyncio
from typing import Annotated, Any, ClassVar

import msgspec
from aiohttp import web
from msgspec import Meta

from wigwag_proto.differences import differences, what_happened
from wigwag_proto.flag import Flag, Segment
from wigwag_proto.problems import Violation, escaped, unknown_name
from wigwag_proto.snapshot import Tables
from wigwag_server.admin.answers import admit, answer
from wigwag_server.admin.as_of import Past, read_moment
from wigwag_server.admin.bodies import refuse
from wigwag_server.admin.comments import read_comment
from wigwag_server.admin.control_shapes import Transferred
from wigwag_server.admin.difference import KINDS
from wigwag_server.admin.parameters import Parameters
from wigwag_server.admin.past import Moment
from wigwag_server.admin.shapes import Body, Comment, DryRun
from wigwag_server.admin.transfers import carry_out, configure, whole_configuration
from wigwag_server.auth.rights import Right
from wigwag_server.environment import Environment
from wigwag_server.web.body import read_object
from wigwag_server.web.operation import operation

LONGEST_REVISION = 15
When = Annotated[str, Meta(min_length=1, max_length=64, description="A revision, or a time (RFC 3339).")]


class StateQuery(msgspec.Struct, frozen=True):
    """When."""

    at: When


class DifferencesQuery(msgspec.Struct, frozen=True, rename={"since": "from", "until": "to"}):
    """From when, and to when."""

    since: When
    until: Annotated[str, Meta(max_length=64, description="Now, where it is left out.")] = ""


class State(msgspec.Struct, frozen=True):
    """An environment as it was."""

    environment: str
    at: str
    flags: dict[str, Flag]
    segments: dict[str, Segment]


class Differences(msgspec.Struct, frozen=True, rename={"since": "from", "until": "to"}):
    """What differs between two states, flags first, by key."""

    environment: str
    since: str
    until: str
    changes: Annotated[
        tuple[dict[str, Any], ...], Meta(description="By `kind` and `key`: `what`, and the `changes` of fields.")
    ]


class RewindBody(Body, frozen=True):
    """Back to when."""

    EXAMPLE: ClassVar[Any] = {"to": 1, "dryRun": True}

    to: Annotated[int | str, Meta(description="A revision, or a time that has been (RFC 3339).")]
    dry_run: DryRun = False
    comment: Comment = ""


@operation(
    "Show an environment as it was", needs=Right.READ, takes=None, gives={200: State}, query=StateQuery, refuses=(404,)
)
async def show_state(request: web.Request) -> web.Response:
    """GET /admin/state?at=…: all flags and segments as of a revision or a time, kills included."""
    _, _, environment = admit(request)
    parameters = Parameters(request, "at")
    moment = _moment(parameters, "at")
    parameters.refuse()
    tables = await _tables(environment, moment)
    body = {
        "environment": environment.name,
        "at": str(moment),
        "flags": tables.get("flag", {}),
        "segments": tables.get("segment", {}),
    }
    return answer(body, environment.replica.cursor)


@operation(
    "Show what changed between two times",
    needs=Right.READ,
    takes=None,
    gives={200: Differences},
    query=DifferencesQuery,
    refuses=(404,),
)
async def show_differences(request: web.Request) -> web.Response:
    """GET /admin/differences?from=…&to=…: what differs, kills included; what was done and undone does not show."""
    _, _, environment = admit(request)
    parameters = Parameters(request, "from", "to")
    since = _moment(parameters, "from")
    until = _moment(parameters, "to") if parameters.text("to") else None
    parameters.refuse()
    cursor = environment.replica.cursor
    now = {kind: dict(environment.replica.records.get(kind, {})) for kind in KINDS}
    before = await _tables(environment, since)
    after = now if until is None else await _tables(environment, until)
    body = {
        "environment": environment.name,
        "from": str(since),
        "to": "now" if until is None else str(until),
        "changes": await asyncio.to_thread(_changes, before, after),
    }
    return answer(body, cursor)


@operation(
    "Put all flags and segments back to how they were",
    needs=Right.EDIT,
    takes=RewindBody,
    gives={200: Transferred},
    refuses=(404, 409),
)
async def rewind(request: web.Request) -> web.Response:
    """POST /admin/rewind: the configuration as of a revision or a time, in one revision. The kill layer stays."""
    services, caller, environment = admit(request)
    Parameters(request).refuse()
    body = await read_object(request)
    found: list[Violation] = []
    comment = read_comment(request, body, found)
    known = ("to", "dryRun", "comment")
    found += [Violation(f"/{escaped(each)}", unknown_name("field", each, known)) for each in body if each not in known]
    moment = read_moment(body.get("to"), "/to", found)
    if body.get("to") is None:
        found.append(Violation("", "needs 'to': a revision, or a time that has been"))
    if not isinstance(body.get("dryRun", False), bool):
        found.append(Violation("/dryRun", "must be true or false"))
    refuse("Nothing was changed.", found)
    assert moment is not None
    wanted = whole_configuration(await _tables(environment, moment))
    command = configure(services, environment, "environment.rewind", wanted)
    return await carry_out(request, environment, caller, command, dry_run=body.get("dryRun", False), comment=comment)


def _moment(parameters: Parameters, name: str) -> Moment:
    """Read a revision or a time; what is wrong goes to the parameters."""
    text = parameters.text(name) or ""
    value: Any = int(text) if text.isascii() and text.isdecimal() and len(text) <= LONGEST_REVISION else text
    found: list[Violation] = []
    moment = read_moment(value, f"/{name}", found)
    for each in found:
        parameters.add(name, each.message)
    return moment or Moment(revision=0)


async def _tables(environment: Environment, moment: Moment) -> Tables:
    past = await Past.open(environment, moment)
    return await past.tables()


def _changes(before: Tables, after: Tables) -> list[dict[str, Any]]:
    found = []
    for kind in KINDS:
        old, new = before.get(kind, {}), after.get(kind, {})
        for key in sorted(old.keys() | new.keys()):
            was, is_ = old.get(key), new.get(key)
            fields = differences(kind, was, is_)
            if fields or (was is None) != (is_ is None):
                found.append({"kind": kind, "key": key, "what": what_happened(was, is_), "changes": fields})
    return found
