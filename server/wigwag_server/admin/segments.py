"""`/admin/segments`: named sets of users that rules can refer to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import ClassVar

import msgspec
from aiohttp import web

from wigwag_proto.commit import Change
from wigwag_proto.flag import Segment
from wigwag_proto.records import Records
from wigwag_proto.references import flags_that_need_segment
from wigwag_proto.snapshot import Tables
from wigwag_server.admin.answers import CURSOR_HEADER, admit, answer, commit
from wigwag_server.admin.bodies import read_key, read_segment_body
from wigwag_server.admin.find import Plain, find_record
from wigwag_server.auth.rights import Right
from wigwag_server.problems import Problem
from wigwag_server.web.body import read_object
from wigwag_server.web.operation import operation


@dataclass(frozen=True, slots=True)
class PutSegment:
    """Create a segment or replace its configuration."""

    action: ClassVar[str] = "segment.put"

    key: str
    config: Plain

    limit: int

    def __call__(self, records: Tables, revision: int, at: int) -> Sequence[Change]:
        """Return the change. Raises Problem (409) when the limit is reached."""
        segments = records.get("segment", {})
        if self.key not in segments and len(segments) >= self.limit:
            raise Problem(HTTPStatus.CONFLICT, f"There are {len(segments)} segments already, which is the limit.")
        before = records.get("segment", {}).get(self.key)
        value = {
            **msgspec.to_builtins(msgspec.convert({**self.config, "key": self.key}, Segment)),
            "createdAt": before.get("createdAt", at) if isinstance(before, Mapping) else at,
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

    def __call__(self, records: Tables, revision: int, at: int) -> Sequence[Change]:  # noqa: ARG002
        """Return the change. Raises Problem: 404, or 409 that names the flags with a rule on it."""
        find_record(records, "segment", self.key)
        needed_by = flags_that_need_segment(self.key, self.catalog.flags)
        if needed_by:
            detail = f"Rules of {', '.join(needed_by)} refer to segment '{self.key}'. Change them first."
            raise Problem(HTTPStatus.CONFLICT, detail, neededBy=needed_by)
        return [Change("segment", self.key, None)]


@operation("List the segments of an environment", needs=Right.READ)
async def list_segments(request: web.Request) -> web.Response:
    """GET /admin/segments: every segment, by key."""
    _, _, environment = admit(request)
    segments = environment.replica.records.get("segment", {})
    body = {
        "environment": environment.name,
        "cursor": str(environment.replica.cursor),
        "segments": [segments[key] for key in sorted(segments)],
    }
    return answer(body, environment.replica.cursor)


@operation("Show one segment", needs=Right.READ)
async def show_segment(request: web.Request) -> web.Response:
    """GET /admin/segments/{name}."""
    _, _, environment = admit(request)
    segment = find_record(environment.replica.records, "segment", read_key(request))
    return answer(segment, environment.replica.cursor)


@operation("Create a segment, or replace its configuration", needs=Right.EDIT)
async def put_segment(request: web.Request) -> web.Response:
    """POST /admin/segments/{name}: create, or replace."""
    services, caller, environment = admit(request)
    key = read_key(request)
    limits = services.settings.limits
    checked = read_segment_body(key, await read_object(request), limits.flag_bytes)
    created = key not in environment.replica.records.get("segment", {})
    cursor = await commit(request, environment, PutSegment(key, checked.config, limits.segments), caller)
    segment = find_record(environment.replica.records, "segment", key)
    return answer(segment, cursor, HTTPStatus.CREATED if created else HTTPStatus.OK)


@operation("Delete a segment", needs=Right.EDIT)
async def delete_segment(request: web.Request) -> web.Response:
    """DELETE /admin/segments/{name}."""
    services, caller, environment = admit(request)
    command = DeleteSegment(read_key(request), services.catalogs[environment.name].records)
    cursor = await commit(request, environment, command, caller)
    return web.Response(status=HTTPStatus.NO_CONTENT, headers={CURSOR_HEADER: str(cursor)})
