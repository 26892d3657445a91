"""Why a flag is on or off for somebody: now, as it was at a moment, or as a draft of it would have it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from aiohttp import web

from wigwag_proto.codec import encode
from wigwag_proto.context import Context
from wigwag_proto.decision import Decision
from wigwag_proto.explain import explain
from wigwag_proto.flag import Flag, Kill
from wigwag_proto.problems import Problems, escaped, unknown_name
from wigwag_proto.records import Records
from wigwag_proto.references import check_references
from wigwag_server.admin.answer_shapes import Explained, ExplainedAll
from wigwag_server.admin.answers import admit, answer
from wigwag_server.admin.as_of import Past, read_moment
from wigwag_server.admin.bodies import read_key, refuse
from wigwag_server.admin.find import find_record
from wigwag_server.admin.flags import FlagWriter, killed_out_of_band
from wigwag_server.admin.parameters import Parameters
from wigwag_server.admin.past import Moment
from wigwag_server.admin.query_shapes import FlagQuery
from wigwag_server.admin.search import FLAG_LISTS, find, read_part, read_search
from wigwag_server.admin.shapes import FlagQuestionBody, QuestionBody
from wigwag_server.auth.rights import Right
from wigwag_server.web.body import read_object
from wigwag_server.web.operation import operation

FIELDS = ("context", "asOf", "staleFor")
FLAG_FIELDS = (*FIELDS, "draft")
LARGEST_CONTEXT = 64 * 1024
LARGEST_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Question:
    """For whom, and when: `stale_for` is how many seconds the app has not been known current. No moment: now."""

    attributes: Mapping[str, Any]
    moment: Moment | None
    stale_for: float


@operation(
    "Explain what a flag decides for a context",
    needs=Right.READ,
    takes=FlagQuestionBody | None,
    gives={200: Explained},
)
async def explain_flag(request: web.Request) -> web.Response:
    """POST /admin/flags/{name}/explain: the decision, with every step that led to it."""
    services, caller, environment = admit(request)
    key = read_key(request)
    Parameters(request).refuse()
    body = await read_object(request, optional=True)
    question = _read_question(body, FLAG_FIELDS)
    catalog = services.catalogs[environment.name].records
    draft = body.get("draft")
    if draft is not None:
        before = environment.replica.records.get("flag", {}).get(key, {})
        writer = FlagWriter(services, environment, caller, key)
        config = writer.put(draft, before if isinstance(before, Mapping) else {}).config
        decision = _explain_draft(key, config, catalog, killed_out_of_band(environment), question)
    elif question.moment is not None:
        past = await Past.open(environment, question.moment)
        decision = explain(key, await past.flag_with_references(key), question.attributes, stale_for=question.stale_for)
    else:
        find_record(environment.replica.records, "flag", key)
        kills = killed_out_of_band(environment)
        decision = explain(key, catalog, question.attributes, kills=kills, stale_for=question.stale_for)
    body_out = {"environment": environment.name, "cursor": str(environment.replica.cursor), **_plain(decision)}
    return answer(body_out, environment.replica.cursor)


@operation(
    "Explain what all flags decide for a context",
    needs=Right.READ,
    takes=QuestionBody | None,
    gives={200: ExplainedAll},
    query=FlagQuery,
)
async def explain_flags(request: web.Request) -> web.Response:
    """POST /admin/explain: the flags that a search finds, by key, each with its decision."""
    services, _, environment = admit(request)
    parameters = Parameters(request, "q", "limit", "after", lists=FLAG_LISTS)
    search, part = read_search(parameters), read_part(parameters, LARGEST_PAGE)
    parameters.refuse()
    question = _read_question(await read_object(request, optional=True), FIELDS)
    table: Mapping[str, Any]
    if question.moment is None:
        records, kills = services.catalogs[environment.name].records, killed_out_of_band(environment)
        table = environment.replica.records.get("flag", {})
    else:
        kills, records = {}, Records()
        tables = await (await Past.open(environment, question.moment)).tables()
        table = tables["flag"]
        for key, plain in table.items():
            records.set_flag(key, plain)
        for key, plain in tables["segment"].items():
            records.set_segment(key, plain)
    page = find(table, search, part, kills)
    decisions = [
        explain(key, records, question.attributes, kills=kills, stale_for=question.stale_for) for key in page.keys
    ]
    body = {
        "environment": environment.name,
        "cursor": str(environment.replica.cursor),
        "decisions": [_plain(each) for each in decisions],
        "total": page.total,
        "next": page.next,
    }
    return answer(body, environment.replica.cursor)


def _read_question(body: Mapping[str, Any], fields: tuple[str, ...]) -> Question:
    """Check the whole body but for the draft. Raises Problem (422)."""
    problems = Problems()
    for name in body:
        if name not in fields:
            problems.add(f"/{escaped(name)}", unknown_name("field", name, fields))
    context = body.get("context", {})
    if not isinstance(context, Mapping):
        problems.add("/context", 'must be an object of attributes, such as {"userId": "ann"}')
    elif problems.is_json("/context", context) and len(encode(context)) > LARGEST_CONTEXT:
        problems.add("/context", f"takes more than {LARGEST_CONTEXT:,} bytes")
    stale_for = body.get("staleFor", 0)
    if problems.is_number("/staleFor", stale_for) and stale_for < 0:
        problems.add("/staleFor", "must be a number of seconds, 0 or more")
    moment = read_moment(body.get("asOf"), "/asOf", problems.found)
    draft = body.get("draft")
    if draft is not None and not isinstance(draft, Mapping):
        problems.add("/draft", "must be an object with the fields of a flag")
    if draft is not None and body.get("asOf") is not None:
        problems.add("/draft", "does not go with asOf: a draft is about what would be, not what was")
    refuse("There is nothing to explain.", problems.found)
    return Question(Context.from_plain(context).attributes, moment, stale_for)


def _explain_draft(
    key: str, config: Mapping[str, Any], catalog: Records, kills: Mapping[str, Kill], question: Question
) -> Decision:
    """Decide as if the draft were written: under a kill that is in force, that is what decides."""
    records = with_draft(key, config, catalog)
    return explain(key, records, question.attributes, kills=kills, stale_for=question.stale_for)


def with_draft(key: str, config: Mapping[str, Any], catalog: Records) -> Records:
    """Return the records as if a configuration were written, under a kill that is in force. Raises Problem (422)."""
    present = catalog.flags.get(key)
    flag = msgspec.convert({**config, "key": key}, Flag)
    flag = msgspec.structs.replace(flag, kill=None if present is None else present.kill)
    records = Records()
    records.flags = {**catalog.flags, key: flag}
    records.segments = catalog.segments
    segments = {each: linked.segment for each, linked in catalog.segments.items()}
    refuse("The draft could not be written.", check_references(key, records.flags, segments))
    return records


def _plain(decision: Decision) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(decision)
    return plain
