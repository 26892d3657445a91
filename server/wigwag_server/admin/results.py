"""`/admin/flags/{name}/results`: what came of both sides of a flag and of its variants, with intervals."""

from collections import Counter
from collections.abc import Iterable, Mapping
from math import log
from typing import Any

from aiohttp import web

from wigwag_server.admin.answers import admit, answer
from wigwag_server.admin.bodies import read_key
from wigwag_server.admin.find import find_record
from wigwag_server.admin.metrics import read_over
from wigwag_server.admin.parameters import Parameters
from wigwag_server.admin.proof_shapes import MetricsQuery
from wigwag_server.admin.rollouts import shown_side
from wigwag_server.auth.rights import Right
from wigwag_server.rollouts.counted import by_variant, evidence
from wigwag_server.rollouts.evidence import Evidence, Side
from wigwag_server.rollouts.sequential import evidence_of_increase, interval
from wigwag_server.usage.series import read_series
from wigwag_server.usage.usage_store import Buckets, Size
from wigwag_server.web.operation import operation

ALPHA = 0.05
ENOUGH = 100
METHOD = (
    "Intervals are confidence sequences: they hold at all times together, however often one looks. They and the "
    "verdicts are of the mixture sequential probability ratio test (Robbins, 1970) with a beta mixture."
)


@operation(
    "Show what came of a flag, on both sides and of each variant",
    needs=Right.READ,
    takes=None,
    gives={200: dict[str, Any]},
    query=MetricsQuery,
    refuses=(404,),
)
async def show_results(request: web.Request) -> web.Response:
    """GET /admin/flags/{name}/results: runs, errors and durations with the flag on and off, and of each variant."""
    services, _, environment = admit(request)
    parameters = Parameters(request, "over")
    parameters.refuse()
    key, over_s = read_key(request), read_over(request)
    flag = find_record(environment.replica.records, "flag", key)
    size = Size.MINUTE if over_s <= Size.MINUTE.kept_s else Size.HOUR
    buckets = await services.usage.store.read(environment.name, key, size, over_s)
    seen = evidence(buckets.series, 0)
    body = {
        "environment": environment.name,
        "flag": key,
        "overS": over_s,
        "confidence": 1 - ALPHA,
        "method": METHOD,
        "outcomes": {"on": _fared(seen.on), "off": _fared(seen.off)},
        "verdict": _verdict(seen),
        "variants": _variants(flag, buckets),
    }
    return answer(body, environment.replica.cursor)


def _fared(side: Side) -> dict[str, Any]:
    between = interval(side.errors, side.runs, ALPHA) if side.runs else None
    return {**shown_side(side), "errorRateBetween": between}


def _variants(flag: Mapping[str, Any], buckets: Buckets) -> list[dict[str, Any]]:
    """Return what is known of each variant: those that the flag has, and those that it had."""
    exposures: Counter[str] = Counter()
    for text, found in buckets.series.items():
        kind, _, *rest = read_series(text)
        if kind == "usage" and rest[1] is not None:
            exposures[rest[1]] += sum(found.values())
    sides = by_variant(buckets.series)
    names = dict.fromkeys([*_names(flag), *exposures, *sides])
    return [
        {
            "variant": name,
            "exposures": exposures[name],
            **_fared(sides.get(name, Side())),
            "verdict": _of_variant(name, sides),
        }
        for name in names
    ]


def _names(flag: Mapping[str, Any]) -> Iterable[str]:
    for arm in (flag, *flag.get("overrides", ())):
        yield from (str(each["name"]) for each in arm.get("variants", ()))


def _of_variant(name: str, sides: Mapping[str, Side]) -> str:
    """Compare a variant with all others together; the comparisons share the false alarms."""
    one, other = sides.get(name, Side()), Side()
    for each, side in sides.items():
        other = other if each == name else other.plus(side)
    if one.runs < ENOUGH:
        return f"Too little data: {one.runs:,} runs, and at least {ENOUGH} are needed."
    if other.runs < ENOUGH:
        return f"Too little data: {other.runs:,} runs of the other variants, and at least {ENOUGH} are needed."
    enough = log(2 * len(sides) / ALPHA)
    if _increase(one, other) >= enough:
        return "More fails than with the other variants."
    if _increase(other, one) >= enough:
        return "Less fails than with the other variants."
    return "No difference in errors from the other variants is proven."


def _verdict(seen: Evidence) -> str:
    for name, side in (("on", seen.on), ("off", seen.off)):
        if side.runs < ENOUGH:
            return f"Too little data: {side.runs:,} runs with the flag {name}, and at least {ENOUGH} are needed."
    enough = log(2 / ALPHA)  # for both directions together
    if _increase(seen.on, seen.off) >= enough:
        return "More fails with the flag on than with it off."
    if _increase(seen.off, seen.on) >= enough:
        return "Less fails with the flag on than with it off."
    return "No difference in errors is proven."


def _increase(one: Side, other: Side) -> float:
    return evidence_of_increase(0.0, one.errors, one.runs, other.errors, other.runs)
