"""`/admin/flags/{name}/metrics` and `/admin/usage`: what is asked for, how often, and what came of it."""

import re
from http import HTTPStatus
from typing import Any

from aiohttp import web

from wigwag_proto.validate import check_key
from wigwag_server.admin.answers import admit, answer
from wigwag_server.admin.bodies import read_key
from wigwag_server.admin.find import find_record, nearest_keys
from wigwag_server.admin.parameters import Parameters
from wigwag_server.admin.proof_shapes import MetricsQuery, NoQuery
from wigwag_server.auth.rights import Right
from wigwag_server.problems import Problem
from wigwag_server.usage.metrics import metrics
from wigwag_server.usage.usage_store import OTHERS, Size, Unknown
from wigwag_server.web.operation import operation

OVER = re.compile(r"(\d{1,4})([mhd])")
UNITS_S = {"m": 60, "h": 3600, "d": 86_400}


@operation(
    "Show how a flag was decided",
    needs=Right.READ,
    takes=None,
    gives={200: dict[str, Any]},
    query=MetricsQuery,
    refuses=(404,),
)
async def show_metrics(request: web.Request) -> web.Response:
    """GET /admin/flags/{name}/metrics: the last day by the minute, or `?over=` up to 60 days by the hour."""
    services, _, environment = admit(request)
    parameters = Parameters(request, "over")
    parameters.refuse()
    key, over_s = read_key(request), read_over(request)
    find_record(environment.replica.records, "flag", key)
    size = Size.MINUTE if over_s <= Size.MINUTE.kept_s else Size.HOUR
    buckets = await services.usage.store.read(environment.name, key, size, over_s)
    asked_s = (await services.usage.store.asked(environment.name)).get(key)
    body = {
        "environment": environment.name,
        "flag": key,
        "from": (buckets.now_s - over_s) * 1000,
        "until": buckets.now_s * 1000,
        "lastAskedAt": None if asked_s is None else asked_s * 1000,
        **metrics(buckets, size),
    }
    return answer(body, environment.replica.cursor)


@operation(
    "Show which flags code asks for, and which of these do not exist",
    needs=Right.READ,
    takes=None,
    gives={200: dict[str, Any]},
    query=NoQuery,
)
async def show_usage(request: web.Request) -> web.Response:
    """GET /admin/usage: when each flag was last asked for, and names that are in code and nowhere else."""
    services, _, environment = admit(request)
    parameters = Parameters(request)
    parameters.refuse()
    flags = environment.replica.records.get("flag", {})
    asked = await services.usage.store.asked(environment.name)
    unknown = await services.usage.store.unknown(environment.name)
    body = {
        "environment": environment.name,
        "flags": [{"flag": key, "lastAskedAt": asked[key] * 1000 if key in asked else None} for key in sorted(flags)],
        "unknown": [_unknown(each, nearest_keys(each.name, flags)) for each in unknown if each.name not in flags],
    }
    return answer(body, environment.replica.cursor)


def _unknown(each: Unknown, nearest: list[str]) -> dict[str, Any]:
    return {
        "name": each.name,
        "count": each.count,
        "firstAskedAt": each.first_s * 1000,
        "lastAskedAt": each.last_s * 1000,
        "nearest": nearest,
        "suggestion": _suggestion(each.name, nearest),
    }


def _suggestion(name: str, nearest: list[str]) -> str:
    if name == OTHERS:
        return "More names are asked for than are told apart. Names that are made at run time cannot be flags."
    if (wrong := check_key(name)) is not None:
        return f"No flag can have this name: {wrong}."
    meant = f"If it is a slip, it may mean {' or '.join(nearest)}. " if nearest else ""
    return f"{meant}This creates it, turned off: wigwag set {name} --off"


def read_over(request: web.Request) -> int:
    """Return how many seconds back to look. Raises Problem (422)."""
    text = request.query.get("over", "24h")
    match = OVER.fullmatch(text)
    over_s = int(match[1]) * UNITS_S[match[2]] if match else 0
    if not 0 < over_s <= Size.HOUR.kept_s:
        detail = f"over={text[:20]!r} is not a time such as 30m, 24h or 60d, of at most 60 days."
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail)
    return over_s
