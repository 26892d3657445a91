"""`/admin/flags/{name}/preview`: how many of the contexts that were lately decided a change would answer otherwise."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar

import msgspec
from aiohttp import web
from msgspec import Meta

from wigwag_proto.commit import Change
from wigwag_proto.explain import link
from wigwag_proto.flag import Flag
from wigwag_proto.problems import Problems, escaped, unknown_name
from wigwag_proto.references import flags_that_need_flag
from wigwag_proto.samples import Sample
from wigwag_server.admin.answers import admit, answer
from wigwag_server.admin.bodies import read_key, refuse
from wigwag_server.admin.edits import FIELDS, Patch
from wigwag_server.admin.explanations import with_draft
from wigwag_server.admin.find import Plain, find_record
from wigwag_server.admin.flags import FlagWriter, killed_out_of_band
from wigwag_server.admin.parameters import Parameters
from wigwag_server.admin.shapes import Body
from wigwag_server.auth.keys import Key
from wigwag_server.auth.rights import Right
from wigwag_server.environment import Environment
from wigwag_server.samples.compare import Answer, Comparison, Move, compare
from wigwag_server.samples.sample_store import Kept
from wigwag_server.services import Services
from wigwag_server.web.body import read_object
from wigwag_server.web.operation import operation

BODY_FIELDS = ("draft", "patch")


class PreviewBody(Body, frozen=True):
    """The change: a whole configuration, or a merge patch of the one that there is. One of them must be given."""

    EXAMPLE: ClassVar[Any] = {"patch": {"rolloutPercentage": 50}}

    draft: Annotated[dict[str, Any] | None, Meta(description="A body as for writing the flag.")] = None
    patch: Annotated[dict[str, Any] | None, Meta(description="A body as for changing some fields of it.")] = None


_ONE = [{"required": [field], "properties": {field: {"type": "object"}}} for field in BODY_FIELDS]
PreviewRequest = Annotated[PreviewBody, Meta(extra_json_schema={"oneOf": _ONE})]


class MoveAnswer(msgspec.Struct, frozen=True, rename={"before": "from", "after": "to"}):
    """So many contexts get this answer now, and would get that one."""

    before: Answer
    after: Answer
    count: int
    changed: bool
    value: Annotated[bool, Meta(description="The variant is the same, and has another value.")]


class Missing(msgspec.Struct, frozen=True):
    """An attribute that some decisions hang on, and that these contexts were not asked for."""

    attribute: str
    contexts: int


class Preview(msgspec.Struct, frozen=True, rename="camel"):
    """What a change would do. `contexts` is `changed`, the same, and `unknown` together."""

    environment: str
    cursor: str
    flag: str
    sampling: Annotated[bool, Meta(description="Whether this environment takes samples of contexts.")]
    contexts: int
    changed: int
    unknown: Annotated[int, Meta(description="Contexts of which too little is known to tell.")]
    since: Annotated[int | None, Meta(description="When the oldest of them was taken (Unix ms).")]
    until: int | None
    moves: Annotated[tuple[MoveAnswer, ...], Meta(description="Changes first, the most frequent first.")]
    missing: tuple[Missing, ...]
    needed_by: Annotated[tuple[str, ...], Meta(description="Flags that require this one; they may change too.")]
    detail: Annotated[str, Meta(description="All that in a sentence or two.")]


@operation(
    "Preview a change of a flag",
    needs=Right.READ,
    takes=PreviewRequest,
    gives={200: Preview},
    refuses=(409,),
)
async def preview_flag(request: web.Request) -> web.Response:
    """POST /admin/flags/{name}/preview: nothing is changed; sampled contexts are decided by the flag as it would be."""
    services, caller, environment = admit(request)
    key = read_key(request)
    Parameters(request).refuse()
    body = _read_body(await read_object(request))
    catalog, kills = services.catalogs[environment.name].records, killed_out_of_band(environment)
    config = _wanted(services, environment, caller, key, body)
    before, after = link(key, catalog, kills), link(key, with_draft(key, config, catalog), kills)
    cursor = environment.replica.cursor
    kept: Sequence[Kept] = ()
    if before is not None and after is not None:
        kept = await services.samples.store.read(environment.name, key)
    hashed_with = await services.samples.store.key(environment.name) if kept else b""
    found = Comparison.of_none()
    if before is not None and after is not None and kept:
        # Lists of ids may have to be hashed, which takes a while.
        samples = [msgspec.json.decode(each.data, type=Sample) for each in kept]
        found = await asyncio.to_thread(compare, before, after, samples, hashed_with)
    sampling = services.samples.takes(environment.name)
    changed = sum(count for move, count in found.moves.items() if move.changes)
    shown = Preview(
        environment=environment.name,
        cursor=str(cursor),
        flag=key,
        sampling=sampling,
        contexts=len(kept),
        changed=changed,
        unknown=found.unknown,
        since=min((each.at_s * 1000 for each in kept), default=None),
        until=max((each.at_s * 1000 for each in kept), default=None),
        moves=tuple(_move(move, count) for move, count in _sorted(found)),
        missing=tuple(Missing(name, count) for name, count in found.missing.most_common()),
        needed_by=tuple(flags_that_need_flag(key, catalog.flags)),
        detail=_detail(environment, key, found, None if before is None else before.flag, sampling=sampling),
    )
    return answer(msgspec.to_builtins(shown), cursor)


def _read_body(body: dict[str, Any]) -> dict[str, Any]:
    """Check all but the change itself. Raises Problem (422)."""
    problems = Problems()
    for name in body:
        if name not in BODY_FIELDS:
            problems.add(f"/{escaped(name)}", unknown_name("field", name, BODY_FIELDS))
    given = [name for name in BODY_FIELDS if body.get(name) is not None]
    for name in given:
        if not isinstance(body[name], Mapping):
            problems.add(f"/{name}", "must be an object with fields of a flag")
    if len(given) != 1:
        problems.add("", "needs either a draft, which is a whole configuration, or a patch")
    refuse("There is nothing to preview.", problems.found)
    return {name: body[name] for name in given}


def _wanted(
    services: Services, environment: Environment, caller: Key, key: str, body: Mapping[str, Plain]
) -> Mapping[str, Any]:
    """Return the configuration that the flag would have. Raises Problem: 404, 409, 422."""
    writer = FlagWriter(services, environment, caller, key)
    records = environment.replica.records
    if "draft" in body:
        before = records.get("flag", {}).get(key, {})
        return writer.put(body["draft"], before if isinstance(before, Mapping) else {}).config
    own = {name: value for name, value in body["patch"].items() if name != "comment"}
    revision = (environment.replica.cursor.revision if environment.replica.cursor else 0) + 1
    changes: Sequence[Change] = Patch("flag", key, own, writer.put)(records, revision, round(time.time() * 1000))
    after = changes[0].value if changes else find_record(records, "flag", key)
    return {name: after[name] for name in FIELDS["flag"] if name in after}


def _sorted(found: Comparison) -> list[tuple[Move, int]]:
    return sorted(found.moves.items(), key=lambda each: (not each[0].changes, -each[1], each[0].before, str(each[0])))


def _move(move: Move, count: int) -> MoveAnswer:
    return MoveAnswer(move.before, move.after, count, move.changes, move.value)


def _detail(environment: Environment, key: str, found: Comparison, before: Flag | None, *, sampling: bool) -> str:
    """Say it in words."""
    if before is None:
        return f"There is no flag '{key}' yet, so nobody was asked for it."
    contexts = found.unknown + sum(found.moves.values())
    if not contexts and not sampling:
        return (
            f"There are no samples: {environment.name} takes none. "
            f"An administrator may let it: wigwag environments edit {environment.name} --samples"
        )
    if not contexts:
        return (
            f"There are no samples of '{key}'. Only apps send some that allow it (sample_contexts in their settings), "
            "and within half a minute after they asked for the flag."
        )
    changes = [(move, count) for move, count in _sorted(found) if move.changes]
    many = sum(count for _, count in changes)
    parts = [f"{count} {_moved(move)}" for move, count in changes]
    said = f"{many or 'None'} of {contexts} sampled contexts would get another answer"
    said += f": {', '.join(parts)}." if parts else "."
    if before.kill is not None:
        said += f" '{key}' is killed, so that it is off whatever the change is."
    if found.unknown:
        names = ", ".join(name for name, _ in found.missing.most_common(5))
        said += f" Of {found.unknown} it is not known: they were not asked for {names}."
    return said


def _moved(move: Move) -> str:
    return f"{move.before} get another value" if move.value else f"from {move.before} to {move.after}"
