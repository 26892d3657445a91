"""`GET /api/flags/{name}`: on or off, for the simplest front ends."""

from http import HTTPStatus

from aiohttp import web

from wigwag_proto.codec import encode
from wigwag_proto.context import Context
from wigwag_server.auth.keys import KeyKind
from wigwag_server.ofrep.shapes import SimpleDecision
from wigwag_server.problems import Problem
from wigwag_server.services import SERVICES
from wigwag_server.web.operation import operation


@operation(
    "Decide one flag: on or off",
    needs=(KeyKind.CLIENT, KeyKind.SERVER),
    gives={200: SimpleDecision},
)
async def simple_flag(request: web.Request) -> web.Response:
    """GET /api/flags/{name}?userId=u1&plan=premium: the query is the context, and every value in it is text."""
    services = request.app[SERVICES]
    key = services.guard.admit(request, KeyKind.CLIENT, KeyKind.SERVER, api_key=True)
    evaluator = services.evaluators[services.known_environment(key.environment or "").name]
    name = request.match_info["name"]
    compiled = evaluator.find(name, to_browsers=key.kind is KeyKind.CLIENT)
    if compiled is None:
        raise Problem(HTTPStatus.NOT_FOUND, f"There is no flag {name[:128]!r} for this key.")
    decided = evaluator.decide(compiled, Context.from_plain(dict(request.query)))
    headers = {"Cache-Control": "no-store"}
    return web.Response(body=encode({"enabled": decided.enabled}), content_type="application/json", headers=headers)
