"""`/admin/stale`, `…/archive` and `…/restore`: flags that go away."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar

import msgspec
from aiohttp import web
from msgspec import Meta

from wigwag_proto.flag import Archived, Flag
from wigwag_proto.problems import Violation, escaped, unknown_name
from wigwag_server.admin import flags
from wigwag_server.admin.answer_shapes import Trial
from wigwag_server.admin.answers import admit, answer
from wigwag_server.admin.bodies import LONGEST_REASON, read_if_match, read_key, refuse
from wigwag_server.admin.comments import read_comment
from wigwag_server.admin.flag_commands import ArchiveFlag, RestoreFlag
from wigwag_server.admin.flag_life import Life, Stage
from wigwag_server.admin.parameters import LONGEST, Parameters
from wigwag_server.admin.query_shapes import WriteQuery
from wigwag_server.admin.shapes import Body, Comment, CommentBody, Reason
from wigwag_server.admin.surroundings import Surroundings, still_asked, surroundings
from wigwag_server.admin.writing import read_dry_run, write
from wigwag_server.auth.rights import Right
from wigwag_server.web.body import read_object
from wigwag_server.web.operation import IF_MATCH, operation

STALE = frozenset({Stage.POTENTIALLY_STALE, Stage.STALE})


class FlagLife(msgspec.Struct, frozen=True, rename="camel"):
    """A flag in its life: the stage, why, and what to do."""

    key: str
    state: Stage
    kind: str
    owner: str
    description: str
    reasons: tuple[str, ...]
    next_step: str
    created_at: int
    updated_at: int
    last_asked_at: Annotated[int | None, Meta(description="Null where nothing has told.")]
    uses: Annotated[int | None, Meta(description="Places in code that ask; null where no code was scanned.")]


class Lives(msgspec.Struct, frozen=True, rename="camel"):
    """Flags by key. `usage_known` is false where the usage counts could not be read: nothing was inferred from them."""

    environment: str
    cursor: str
    usage_known: bool
    flags: tuple[FlagLife, ...]


class StaleQuery(msgspec.Struct, frozen=True):
    """Which flags."""

    all: Annotated[bool, Meta(description="`true`: every flag, also archived ones, with where it stands.")] = False
    flag: Annotated[str, Meta(max_length=LONGEST, description="Only the flag with this key, wherever it stands.")] = ""


class ArchiveBody(Body, frozen=True):
    """Why a flag is done with."""

    EXAMPLE: ClassVar[Any] = {"reason": "everybody has it"}

    reason: Reason = ""
    comment: Comment = ""


@operation("List the flags that should go away", needs=Right.READ, takes=None, gives={200: Lives}, query=StaleQuery)
async def list_stale(request: web.Request) -> web.Response:
    """GET /admin/stale: potentially stale and stale flags, each with the reasons and the next step."""
    services, _, environment = admit(request)
    parameters = Parameters(request, "all", "flag")
    everything, only = parameters.switch("all"), parameters.text("flag")
    parameters.refuse()
    cursor = environment.replica.cursor
    around = await surroundings(services, environment)
    records = environment.replica.records.get("flag", {})
    if only:
        records = {only: records[only]} if only in records else {}
    # To judge ten thousand takes longer than a kill of somebody else must wait.
    listed = await asyncio.to_thread(_listed, sorted(records.items()), around, everything=everything or bool(only))
    body = {
        "environment": environment.name,
        "cursor": str(cursor),
        "usageKnown": around.usage_known,
        "flags": listed,
    }
    return answer(body, cursor)


@operation(
    "Archive a flag",
    needs=Right.EDIT,
    takes=ArchiveBody | None,
    gives={200: (Flag, Trial)},
    query=WriteQuery,
    headers=(IF_MATCH,),
)
async def archive_flag(request: web.Request) -> web.Response:
    """POST /admin/flags/{name}/archive: take it off the lists. It is decided as before, for code that still asks."""
    services, caller, environment = admit(request)
    key, dry_run = read_key(request), read_dry_run(request)
    body = await read_object(request, optional=True)
    found: list[Violation] = []
    comment = read_comment(request, body, found)
    reason = body.get("reason", "")
    known = ("reason", "comment")
    found += [Violation(f"/{escaped(each)}", unknown_name("field", each, known)) for each in body if each not in known]
    if not isinstance(reason, str) or len(reason) > LONGEST_REASON:
        found.append(Violation("/reason", f"must be text of at most {LONGEST_REASON} characters"))
    refuse("Nothing was archived.", found)
    command = ArchiveFlag(key, Archived(by=caller.name, reason=reason, at=0), read_if_match(request))
    done = await write(request, environment, command, caller, comment or reason, dry_run=dry_run)
    return flags.warned(flags.done_answer(environment, key, done), await still_asked(services, environment, key))


@operation(
    "Restore an archived flag",
    needs=Right.EDIT,
    takes=CommentBody | None,
    gives={200: (Flag, Trial)},
    query=WriteQuery,
    headers=(IF_MATCH,),
    refuses=(409,),
)
async def restore_flag(request: web.Request) -> web.Response:
    """POST /admin/flags/{name}/restore: put it back on the lists, as it was."""
    services, caller, environment = admit(request)
    key, dry_run = read_key(request), read_dry_run(request)
    body = await read_object(request, optional=True)
    found: list[Violation] = []
    comment = read_comment(request, body, found)
    found += [Violation(f"/{escaped(field)}", "unknown field") for field in body if field != "comment"]
    refuse("Nothing was restored.", found)
    limit = flags.owner_limit(services, environment)
    command = RestoreFlag(key, read_if_match(request), limit)
    done = await write(request, environment, command, caller, comment, dry_run=dry_run)
    return flags.warned(flags.done_answer(environment, key, done), flags.over_limit(services, environment, key))


def _listed(flags: Sequence[tuple[str, Any]], around: Surroundings, *, everything: bool) -> list[dict[str, Any]]:
    judged = ((key, record, around.life(key, record)) for key, record in flags)
    return [_shown(key, record, life, around) for key, record, life in judged if everything or life.state in STALE]


def _shown(key: str, record: Any, life: Life, around: Surroundings) -> dict[str, Any]:
    plain = record if isinstance(record, Mapping) else {}
    known = around.known(key)
    return {
        "key": key,
        "state": life.state,
        "kind": str(plain.get("kind", "release")),
        "owner": str(plain.get("owner", "")),
        "description": str(plain.get("description", "")),
        "reasons": life.reasons,
        "nextStep": life.next_step,
        "createdAt": plain.get("createdAt", 0),
        "updatedAt": plain.get("updatedAt", 0),
        "lastAskedAt": known.asked_ms,
        "uses": known.uses,
    }
