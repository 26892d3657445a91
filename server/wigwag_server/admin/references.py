"""`/admin/code-references` and `…/references`: where code asks for flags."""

from http import HTTPStatus
from typing import Annotated, Any, ClassVar

import msgspec
from aiohttp import web
from msgspec import Meta

from wigwag_proto.codec import encode
from wigwag_server.admin.answers import admit, admit_to_server, answer, author
from wigwag_server.admin.bodies import read_key
from wigwag_server.admin.find import no_such_record
from wigwag_server.admin.parameters import Parameters
from wigwag_server.admin.shapes import Body
from wigwag_server.auth.keys import Key
from wigwag_server.auth.rights import Right
from wigwag_server.problems import Problem
from wigwag_server.references import bodies
from wigwag_server.references.uploads import (
    MOST_REFERENCES,
    DeleteReferences,
    PutReferences,
    Upload,
    uploads,
    uses_of,
)
from wigwag_server.web.body import read_object
from wigwag_server.web.operation import operation

MOST_SHOWN = 1000

# What has control characters in it, JSON Schema cannot say in a way that all validators share.
Printable = Annotated[str, Meta(max_length=bodies.LONGEST_NAME, pattern="^[ -~]*$")]
Name = Annotated[str, Meta(min_length=1, max_length=bodies.LONGEST_NAME, pattern="^[ -~]*$")]
Path = Annotated[str, Meta(max_length=bodies.LONGEST_FILE, pattern="^[ -~]*$")]
Number = Annotated[int, Meta(ge=1, le=bodies.LAST_LINE)]
Link = Annotated[
    str,
    Meta(max_length=bodies.LONGEST_LINK, pattern="^(https?://[ -~]*)?$", description="With {commit}, {file}, {line}."),
]


class UseBody(Body, frozen=True):
    """One place that asks for a flag."""

    flag: Name
    file: Path
    line: Number
    column: Number = 1
    call: Printable = ""
    function: Path = ""
    within: Annotated[tuple[Printable, ...], Meta(max_length=bodies.MOST_WITHIN)] = ()


class UploadBody(Body, frozen=True):
    """All that a scan of a repository has found; it replaces what was there of the repository."""

    EXAMPLE: ClassVar[Any] = {
        "repository": "shop/web",
        "commit": "4f2c9e1",
        "link": "https://git.example.com/shop/web/blob/{commit}/{file}#L{line}",
        "references": [{"flag": "checkout", "file": "web/pay.py", "line": 12, "call": "is_enabled"}],
    }

    repository: Name
    commit: Name
    references: Annotated[tuple[UseBody, ...], Meta(max_length=MOST_REFERENCES)]
    branch: Printable = ""
    link: Link = ""


class Repository(msgspec.Struct, frozen=True):
    """A repository, and how much of its code asks for flags."""

    repository: str
    commit: str
    branch: str
    at: int
    by: str
    references: int
    flags: int


class Repositories(msgspec.Struct, frozen=True):
    """All that scans have told of, by name."""

    repositories: tuple[Repository, ...]


class Reference(msgspec.Struct, frozen=True):
    """One place that asks for a flag."""

    repository: str
    commit: str
    branch: str
    at: int
    file: str
    line: int
    column: int
    call: str
    function: str
    within: tuple[str, ...]
    link: str


class References(msgspec.Struct, frozen=True):
    """Where code asks for a flag: of the first thousand places, each."""

    environment: str
    key: str
    exists: bool
    references: tuple[Reference, ...]
    total: int
    repositories: tuple[str, ...]


class RepositoryQuery(msgspec.Struct, frozen=True):
    """Which repository."""

    repository: Annotated[str, Meta(min_length=1, max_length=bodies.LONGEST_NAME, description="Its name.")]


@operation(
    "Store where a repository asks for flags",
    needs=Right.EDIT,
    takes=UploadBody,
    gives={200: Repository},
    refuses=(409,),
    of_server=True,
)
async def put_references(request: web.Request) -> web.Response:
    """PUT /admin/code-references: what a scan of its code has found, in place of what the one before had."""
    services, caller = _admit_writer(request)
    Parameters(request).refuse()
    upload = bodies.read_upload(await read_object(request), caller.name)
    await services.run_to_end(services.system.commit(PutReferences(upload), author(request, caller)))
    stored = next(each for each in uploads(services.system.replica.records) if each.repository == upload.repository)
    return _answer(_shown(stored))


@operation(
    "List the repositories that ask for flags", needs=Right.READ, takes=None, gives={200: Repositories}, of_server=True
)
async def list_references(request: web.Request) -> web.Response:
    """GET /admin/code-references: what was scanned, at which commit, and how much was found."""
    services, _ = admit_to_server(request)
    Parameters(request).refuse()
    return _answer({"repositories": [_shown(each) for each in uploads(services.system.replica.records)]})


@operation(
    "Forget where a repository asks for flags",
    needs=Right.EDIT,
    takes=None,
    gives={204: None},
    query=RepositoryQuery,
    refuses=(404,),
    of_server=True,
)
async def delete_references(request: web.Request) -> web.Response:
    """DELETE /admin/code-references?repository=…: for a repository that is gone."""
    services, caller = _admit_writer(request)
    parameters = Parameters(request, "repository")
    name = parameters.text("repository")
    if not name:
        parameters.add("repository", "is missing: which one?")
    parameters.refuse()
    await services.run_to_end(services.system.commit(DeleteReferences(name or ""), author(request, caller)))
    return web.Response(status=HTTPStatus.NO_CONTENT)


@operation("Show where code asks for a flag", needs=Right.READ, takes=None, gives={200: References}, refuses=(404,))
async def flag_references(request: web.Request) -> web.Response:
    """GET /admin/flags/{name}/references: as the latest scans have told; also of a flag that is not there any more."""
    services, _, environment = admit(request)
    Parameters(request).refuse()
    key = read_key(request)
    found = list(uses_of(services.system.replica.records, key))
    flags = environment.replica.records.get("flag", {})
    if key not in flags and not found:
        raise no_such_record("flag", key, flags)
    body = {
        "environment": environment.name,
        "key": key,
        "exists": key in flags,
        "references": found[:MOST_SHOWN],
        "total": len(found),
        "repositories": sorted({each["repository"] for each in found}),
    }
    return answer(body, environment.replica.cursor)


def _admit_writer(request: web.Request) -> tuple[Any, Key]:
    """Return who writes. Raises Problem (403) for a token of some flags: references tell of others as well."""
    services, caller = admit_to_server(request)
    if caller.scope.limits_flags:
        detail = "This token is limited to some flags, and the references of a repository concern others as well."
        raise Problem(HTTPStatus.FORBIDDEN, detail)
    return services, caller


def _shown(upload: Upload) -> dict[str, Any]:
    return {
        "repository": upload.repository,
        "commit": upload.commit,
        "branch": upload.branch,
        "at": upload.at,
        "by": upload.by,
        "references": len(upload.references),
        "flags": len({use.flag for use in upload.references}),
    }


def _answer(body: Any) -> web.Response:
    return web.Response(body=encode(body), content_type="application/json")
