"""`/admin/segments`: named sets of users that rules can refer to."""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import ClassVar

import msgspec
from aiohttp import web

from wigwag_proto.commit import Change, Cursor
from wigwag_proto.flag import Segment
from wigwag_proto.problems import Violation
from wigwag_proto.records import Records
from wigwag_proto.references import flags_that_need_segment
from wigwag_proto.snapshot import Tables
from wigwag_server.admin.answer_shapes import SegmentList, Trial
from wigwag_server.admin.answers import CURSOR_HEADER, admit, answer
from wigwag_server.admin.bodies import read_if_match, read_key, read_segment_body, refuse
from wigwag_server.admin.comments import read_comment
from wigwag_server.admin.conditions import check_if_match
from wigwag_server.admin.edits import Patch
from wigwag_server.admin.find import Plain, fields_of_later, find_record
from wigwag_server.admin.merge_patch import CONTENT_TYPE
from wigwag_server.admin.parameters import Parameters
from wigwag_server.admin.query_shapes import DeleteQuery, PageQuery, WriteQuery
from wigwag_server.admin.search import find, read_part, read_search
from wigwag_server.admin.shapes import SegmentBody, SegmentPatch
from wigwag_server.admin.writing import CONFIRM, check_confirmation, read_dry_run, write
from wigwag_server.auth.rights import Right
from wigwag_server.environment import Environment
from wigwag_server.problems import Problem
from wigwag_server.services import Services
from wigwag_server.web.body import JSON_TYPES, read_object
from wigwag_server.web.operation import IF_MATCH, IF_NONE_MATCH, operation


@dataclass(frozen=True, slots=True)
class PutSegment:
    """Create a segment or replace its configuration."""

    action: ClassVar[str] = "segment.put"

    key: str
    config: Plain

    limit: int
    if_match: int | None = None

    def __call__(self, records: Tables, revision: int, at: int) -> Sequence[Change]:
        """Return the change. Raises Problem: 409 when the limit is reached, 412."""
        segments = records.get("segment", {})
        seen = find_record(records, "segment", self.key) if self.key in segments else {}
        check_if_match("segment", self.key, seen, self.if_match)
        if self.key not in segments and len(segments) >= self.limit:
            raise Problem(HTTPStatus.CONFLICT, f"There are {len(segments)} segments already, which is the limit.")
        value = {
            **fields_of_later(seen, Segment),
            **msgspec.to_builtins(msgspec.convert({**self.config, "key": self.key}, Segment)),
            "createdAt": seen.get("createdAt", at),
            "updatedAt": at,
            "revision": revision,
        }
        return [Change("segment", self.key, value)]


@dataclass(frozen=True, slots=True)
class DeleteSegment:
    """Remove a segment that no rule refers to."""

    action: ClassVar[str] = "segment.delete"

    key: str
    catalog: Records
    if_match: int | None = None

    def __call__(self, records: Tables, revision: int, at: int) -> Sequence[Change]:  # noqa: ARG002
        """Return the change. Raises Problem: 404, 409 that names the flags with a rule on it, 412."""
        check_if_match("segment", self.key, find_record(records, "segment", self.key), self.if_match)
        needed_by = flags_that_need_segment(self.key, self.catalog.flags)
        if needed_by:
            detail = f"Rules of {', '.join(needed_by)} refer to segment '{self.key}'. Change them first."
            raise Problem(HTTPStatus.CONFLICT, detail, neededBy=needed_by)
        return [Change("segment", self.key, None)]


@operation(
    "List and search the segments of an environment",
    needs=Right.READ,
    takes=None,
    gives={200: SegmentList},
    query=PageQuery,
)
async def list_segments(request: web.Request) -> web.Response:
    """GET /admin/segments: the segments that are asked for, by key."""
    _, _, environment = admit(request)
    parameters = Parameters(request, "q", "limit", "after")
    search, part = read_search(parameters, flags=False), read_part(parameters)
    parameters.refuse()
    segments = environment.replica.records.get("segment", {})
    page = find(segments, search, part)
    body = {
        "environment": environment.name,
        "cursor": str(environment.replica.cursor),
        "segments": [segments[key] for key in page.keys],
        "total": page.total,
        "next": page.next,
    }
    return answer(body, environment.replica.cursor)


@operation(
    "Show one segment",
    needs=Right.READ,
    takes=None,
    gives={200: Segment},
)
async def show_segment(request: web.Request) -> web.Response:
    """GET /admin/segments/{name}: whom it includes and excludes, and its rules. The `ETag` is its revision."""
    _, _, environment = admit(request)
    Parameters(request).refuse()
    return segment_answer(environment, read_key(request), environment.replica.cursor)


@operation(
    "Create a segment, or replace its configuration",
    needs=Right.EDIT,
    takes=SegmentBody,
    gives={200: (Segment, Trial), 201: Segment},
    query=WriteQuery,
    headers=(IF_MATCH, IF_NONE_MATCH),
    refuses=(409,),
)
async def put_segment(request: web.Request) -> web.Response:
    """POST /admin/segments/{name}: create, or replace. Rules of flags refer to it by its key."""
    services, caller, environment = admit(request)
    key, dry_run = read_key(request), read_dry_run(request)
    body = await read_object(request)
    found: list[Violation] = []
    comment = read_comment(request, body, found)
    created = key not in environment.replica.records.get("segment", {})
    command = SegmentWriter(services, key, found=found, if_match=read_if_match(request)).put(body, {})
    done = await write(request, environment, command, caller, comment, dry_run=dry_run)
    return done_answer(environment, key, done, created=created)


@operation(
    "Change some fields of a segment",
    needs=Right.EDIT,
    takes=SegmentPatch,
    gives={200: (Segment, Trial)},
    query=WriteQuery,
    headers=(IF_MATCH,),
    refuses=(409,),
)
async def patch_segment(request: web.Request) -> web.Response:
    """PATCH /admin/segments/{name}: merge the body into the segment, and check the whole of it."""
    services, caller, environment = admit(request)
    key, dry_run = read_key(request), read_dry_run(request)
    patch = await read_object(request, types=(CONTENT_TYPE, *JSON_TYPES))
    found: list[Violation] = []
    comment = read_comment(request, patch, found)
    refuse("The segment was not written.", found)
    own = {name: value for name, value in patch.items() if name != "comment"}
    command = Patch("segment", key, own, SegmentWriter(services, key).put, read_if_match(request))
    done = await write(request, environment, command, caller, comment, dry_run=dry_run)
    return done_answer(environment, key, done)


@operation(
    "Delete a segment",
    needs=Right.EDIT,
    takes=None,
    gives={200: Trial, 204: None},
    query=DeleteQuery,
    headers=(IF_MATCH,),
    refuses=(409,),
)
async def delete_segment(request: web.Request) -> web.Response:
    """DELETE /admin/segments/{name}?confirm={name}: refused while a rule refers to it."""
    services, caller, environment = admit(request)
    key, dry_run = read_key(request), read_dry_run(request, CONFIRM)
    find_record(environment.replica.records, "segment", key)
    found: list[Violation] = []
    comment = read_comment(request, {}, found)
    refuse("Nothing was deleted.", found)
    if not dry_run:
        check_confirmation(request, "segment", key)
    command = DeleteSegment(key, services.catalogs[environment.name].records, read_if_match(request))
    done = await write(request, environment, command, caller, comment, dry_run=dry_run)
    if isinstance(done, web.Response):
        return done
    return web.Response(status=HTTPStatus.NO_CONTENT, headers={CURSOR_HEADER: str(done)})


class SegmentWriter:
    """Makes the command that writes one segment, once that is checked."""

    def __init__(
        self, services: Services, key: str, *, found: Sequence[Violation] = (), if_match: int | None = None
    ) -> None:
        """`found` is what is wrong already."""
        self._limits = services.settings.limits
        self._key = key
        self._found = found
        self._if_match = if_match

    def put(self, body: Plain, before: Plain) -> PutSegment:  # noqa: ARG002 - an `edits.Put`
        """Return the command. Raises Problem (422)."""
        checked = read_segment_body(self._key, body, self._limits.flag_bytes, self._found)
        return PutSegment(self._key, checked.config, self._limits.segments, self._if_match)


def done_answer(
    environment: Environment, key: str, done: Cursor | web.Response, *, created: bool = False
) -> web.Response:
    """Return what a write answers: the segment, or what a trial has to say."""
    if isinstance(done, web.Response):
        return done
    return segment_answer(environment, key, done, HTTPStatus.CREATED if created else HTTPStatus.OK)


def segment_answer(
    environment: Environment, key: str, cursor: Cursor | None, status: HTTPStatus = HTTPStatus.OK
) -> web.Response:
    """Return the segment, its revision as the ETag that `If-Match` takes."""
    segment = find_record(environment.replica.records, "segment", key)
    return answer(segment, cursor, status, etag=str(segment.get("revision")))
