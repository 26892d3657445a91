"""`/admin/audit`: who did what, when, from where and why."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import msgspec
from aiohttp import web

from wigwag_proto.audit import AuditQuery, Recorded, audit_line, broken_at
from wigwag_proto.codec import encode
from wigwag_proto.errors import Malformed
from wigwag_server.admin import control_shapes as shapes
from wigwag_server.admin.answers import admit_to_server, check_environment
from wigwag_server.admin.audit_search import Search, read_search
from wigwag_server.admin.control_shapes import AuditPage, AuditVerdict
from wigwag_server.admin.environment_bodies import NAME
from wigwag_server.auth.rights import RIGHTS, Right
from wigwag_server.environment import Environment
from wigwag_server.environments import PRODUCTION
from wigwag_server.problems import Problem
from wigwag_server.web.operation import Media, operation

LINES = "application/x-ndjson"
PAGE = 200
# One request looks at no more entries than this; the next one goes on where it ended.
MOST_SCANNED = 20_000


@operation(
    "Read the audit log",
    needs=Right.READ,
    takes=None,
    gives={200: (AuditPage, Media(LINES))},
    query=shapes.AuditQuery,
    refuses=(404,),
    of_server=True,
)
async def read_audit(request: web.Request) -> web.StreamResponse:
    """GET /admin/audit: the newest entries first; or, as lines, all of them from the oldest on."""
    log = await _admit(request)
    search = read_search(request.query, lines=LINES in request.headers.get("Accept", ""))
    if search.lines:
        return await _export(request, log, search)
    found, next_before = await _page(log, search)
    body = {
        "environment": log.name,
        "entries": [_shown(each) for each in found],
        "next": next_before,
    }
    return web.Response(body=encode(body), content_type="application/json")


@operation(
    "Verify the audit log",
    needs=Right.READ,
    takes=None,
    gives={200: AuditVerdict},
    query=shapes.LogQuery,
    refuses=(404,),
    of_server=True,
)
async def verify_audit(request: web.Request) -> web.Response:
    """GET /admin/audit/verify: follow the chain of links, and say where it breaks, if anywhere."""
    log = await _admit(request)
    first: Recorded | None = None
    last: Recorded | None = None
    broken: int | None = None
    async for page in _pages(log, AuditQuery(limit=PAGE, after=0)):
        if last is not None and page[0].sequence != last.sequence + 1:
            broken = last.sequence + 1
        else:
            broken = broken_at(page, last.link if last else None)
        first, last = first or page[0], page[-1]
        if broken is not None:
            break
    body = {
        "environment": log.name,
        "intact": broken is None,
        "brokenAt": broken,
        "first": first.sequence if first else None,
        "last": last.sequence if last else None,
        "link": last.link if last and broken is None else None,
    }
    return web.Response(body=encode(body), content_type="application/json")


@dataclass(frozen=True, slots=True)
class Log:
    """The audit log of an environment, which may have been deleted."""

    name: str
    reader: Environment

    async def read(self, query: AuditQuery) -> tuple[Recorded, ...]:
        """Return a part of it. Raises StoreUnavailable."""
        return await self.reader.audit(query, of=self.name)


async def _admit(request: web.Request) -> Log:
    """Return the log that is asked for. Raises Problem (403, 404).

    `_system` tells of all environments, and of keys; and nobody's limits name an environment that is gone.
    """
    services, caller = admit_to_server(request)
    name = request.query.get("environment", PRODUCTION)
    if name in services.environments:
        check_environment(caller, name)
        return Log(name, services.known_environment(name))
    log = Log(name, services.system)
    if name != services.system.name and not (NAME.fullmatch(name) and await log.read(AuditQuery(limit=1))):
        services.environment(name)
    if Right.ADMINISTER not in RIGHTS[caller.role] or caller.scope.environments:
        detail = f"The log of '{name}' takes a token of the role 'admin' that is limited to no environment."
        raise Problem(HTTPStatus.FORBIDDEN, detail)
    return log


async def _page(log: Log, search: Search) -> tuple[list[Recorded], int | None]:
    """Return a page, newest first, and where the next one begins (None: there is none)."""
    found: list[Recorded] = []
    scanned = 0
    async for page in _pages(log, AuditQuery(limit=PAGE, before=search.before, kind=search.kind, key=search.key)):
        for each in page:
            at = _at(each)
            if at is not None and at < search.since:
                return found, None
            if _asked_for(search, each):
                found.append(each)
            if len(found) == search.limit:
                return found, each.sequence if each.sequence > 1 else None
        scanned += len(page)
        if scanned >= MOST_SCANNED:
            return found, page[-1].sequence
    return found, None


async def _export(request: web.Request, log: Log, search: Search) -> web.StreamResponse:
    pages = _pages(log, AuditQuery(limit=PAGE, after=0, kind=search.kind, key=search.key))
    # What the store refuses is refused before anything is sent. (A default of () makes CPython fail.)
    first = await anext(pages, None) or ()
    response = web.StreamResponse(headers={"Content-Type": LINES})
    await response.prepare(request)
    await response.write(_lines(first, search))
    async for page in pages:
        await response.write(_lines(page, search))
    await response.write_eof()
    return response


def _lines(page: tuple[Recorded, ...], search: Search) -> bytes:
    return b"".join(audit_line(each) for each in page if _asked_for(search, each))


async def _pages(log: Log, query: AuditQuery) -> AsyncIterator[tuple[Recorded, ...]]:
    """Yield the pages from a query on, in its order."""
    while page := await log.read(query):
        yield page
        if len(page) < query.limit:
            return
        place = {"before": page[-1].sequence} if query.after is None else {"after": page[-1].sequence}
        query = msgspec.structs.replace(query, **place)


def _asked_for(search: Search, recorded: Recorded) -> bool:
    """Say whether an entry is asked for; one that cannot be read always is: somebody has to see it."""
    try:
        return search.matches(recorded.entry())
    except Malformed:
        return True


def _at(recorded: Recorded) -> int | None:
    try:
        return recorded.entry().at
    except Malformed:
        return None


def _shown(recorded: Recorded) -> dict[str, Any]:
    place = {"sequence": recorded.sequence, "link": recorded.link}
    try:
        entry = recorded.entry()
    except Malformed as error:
        return {**place, "unreadable": str(error)}
    return {**place, **msgspec.to_builtins(entry)}
