"""`…/history` and `…/revert/{revision}` of flags and segments."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from aiohttp import web

from wigwag_proto.codec import decode, encode
from wigwag_proto.commit import Cursor
from wigwag_proto.flag import Flag, Segment
from wigwag_proto.problems import Violation
from wigwag_server.admin import flags, segments
from wigwag_server.admin.answer_shapes import History, Trial
from wigwag_server.admin.answers import admit, answer
from wigwag_server.admin.as_of import Past
from wigwag_server.admin.bodies import read_if_match, read_key, refuse
from wigwag_server.admin.comments import read_comment
from wigwag_server.admin.edits import Put, Revert
from wigwag_server.admin.find import is_readable, no_such_record
from wigwag_server.admin.history import LARGEST_PAGE, PAGE, history
from wigwag_server.admin.parameters import Parameters
from wigwag_server.admin.past import Moment
from wigwag_server.admin.query_shapes import HistoryQuery, WriteQuery
from wigwag_server.admin.shapes import CommentBody
from wigwag_server.admin.writing import read_dry_run, write
from wigwag_server.auth.keys import Key
from wigwag_server.auth.rights import Right
from wigwag_server.environment import Environment
from wigwag_server.problems import Problem
from wigwag_server.web.body import read_object
from wigwag_server.web.operation import IF_MATCH, operation

NEWEST = 2**53


@operation(
    "Show what was done to a flag",
    needs=Right.READ,
    takes=None,
    gives={200: History},
    query=HistoryQuery,
)
async def flag_history(request: web.Request) -> web.Response:
    """GET /admin/flags/{name}/history: newest first; also of a flag that was deleted."""
    return await _history(request, "flag")


@operation(
    "Show what was done to a segment",
    needs=Right.READ,
    takes=None,
    gives={200: History},
    query=HistoryQuery,
)
async def segment_history(request: web.Request) -> web.Response:
    """GET /admin/segments/{name}/history: newest first; also of a segment that was deleted."""
    return await _history(request, "segment")


@operation(
    "Put back the configuration that a flag had",
    needs=Right.EDIT,
    takes=CommentBody | None,
    gives={200: (Flag, Trial), 201: Flag},
    query=WriteQuery,
    headers=(IF_MATCH,),
    refuses=(409,),
)
async def revert_flag(request: web.Request) -> web.Response:
    """POST /admin/flags/{name}/revert/{revision}: the configuration as of then. The kill layer stays as it is."""
    services, caller, environment = admit(request)
    key = read_key(request)
    writer = flags.FlagWriter(services, environment, caller, key)
    done, created = await _revert(request, environment, caller, kind="flag", key=key, put=writer.put)
    return flags.done_answer(environment, key, done, created=created)


@operation(
    "Put back the configuration that a segment had",
    needs=Right.EDIT,
    takes=CommentBody | None,
    gives={200: (Segment, Trial), 201: Segment},
    query=WriteQuery,
    headers=(IF_MATCH,),
    refuses=(409,),
)
async def revert_segment(request: web.Request) -> web.Response:
    """POST /admin/segments/{name}/revert/{revision}: the segment as of then."""
    services, caller, environment = admit(request)
    key = read_key(request)
    writer = segments.SegmentWriter(services, key)
    done, created = await _revert(request, environment, caller, kind="segment", key=key, put=writer.put)
    return segments.done_answer(environment, key, done, created=created)


async def _history(request: web.Request, kind: str) -> web.Response:
    _, _, environment = admit(request)
    key = read_key(request)
    parameters = Parameters(request, "limit", "before")
    limit = parameters.number("limit", PAGE, least=1, most=LARGEST_PAGE) or PAGE
    before = parameters.number("before", None, least=1, most=NEWEST)
    parameters.refuse()
    body = await history(environment, kind, key, limit=limit, before=before)
    return answer(body, environment.replica.cursor)


async def _revert(
    request: web.Request, environment: Environment, caller: Key, *, kind: str, key: str, put: Put
) -> tuple[Cursor | web.Response, bool]:
    """Return what the write led to, and whether it brought back what was deleted."""
    revision = _read_revision(request)
    dry_run = read_dry_run(request)
    body = await read_object(request, optional=True)
    found: list[Violation] = []
    comment = read_comment(request, body, found)
    found += [Violation(f"/{field}", "unknown field; a revert takes 'comment'") for field in body if field != "comment"]
    refuse("Nothing was reverted.", found)
    past = await Past.open(environment, Moment(revision=revision))
    earlier = await _earlier(past, environment, kind, key)
    gone = key not in environment.replica.records.get(kind, {})
    # Deleting a killed flag has not revived it.
    last = await past.last_before_deletion(kind, key) if gone else None
    kill = last.get("kill") if isinstance(last, Mapping) else None
    command = Revert(kind, key, earlier, put, kill, read_if_match(request))
    done = await write(request, environment, command, caller, comment, dry_run=dry_run)
    return done, gone


async def _earlier(past: Past, environment: Environment, kind: str, key: str) -> dict[str, Any]:
    """Return the record as it was. Raises Problem (404)."""
    table = environment.replica.records.get(kind, {})
    earlier = await past.record(kind, key)
    if earlier is None and key not in table and await past.last_before_deletion(kind, key) is None:
        raise no_such_record(kind, key, table)
    if not is_readable(earlier):
        detail = f"At {past.moment} there was no {kind} '{key}'. GET /admin/{kind}s/{key}/history tells of its own."
        raise Problem(HTTPStatus.NOT_FOUND, detail)
    plain: dict[str, Any] = decode(encode(earlier))
    return plain


def _read_revision(request: web.Request) -> int:
    text = request.match_info["revision"]
    if not (text.isascii() and text.isdecimal() and len(text) <= 15):
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"{text[:80]!r} is no revision, which is a whole number.")
    return int(text)
