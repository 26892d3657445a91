"""`/admin/flags/{name}/results`: what was counted on each side, with intervals, and of each variant."""

from collections import Counter
from math import log
from typing import Any

from aiohttp import web

from wigwag_server.admin.answers import admit, answer
from wigwag_server.admin.bodies import read_key
from wigwag_server.admin.find import find_record
from wigwag_server.admin.metrics import read_over
from wigwag_server.admin.parameters import Parameters
from wigwag_server.admin.proof_shapes import MetricsQuery
from wigwag_server.admin.rollouts import shown_evidence
from wigwag_server.auth.rights import Right
from wigwag_server.rollouts.counted import evidence
from wigwag_server.rollouts.evidence import Evidence, Side
from wigwag_server.rollouts.sequential import evidence_of_increase, interval
from wigwag_server.usage.series import read_series
from wigwag_server.usage.usage_store import Buckets, Size
from wigwag_server.web.operation import operation

ALPHA = 0.05
ENOUGH = 100
ENOUGH_EVIDENCE = log(2 / ALPHA)


@operation(
    "Show what came of both sides of a flag",
    needs=Right.READ,
    takes=None,
    gives={200: dict[str, Any]},
    query=MetricsQuery,
    refuses=(404,),
)
async def show_results(request: web.Request) -> web.Response:
    """GET /admin/flags/{name}/results: runs and errors with the flag on and off, and decisions for each variant.

    Outcomes are counted by side, not by variant: of a variant it is known how often it was given, not how it fared.
    """
    services, _, environment = admit(request)
    parameters = Parameters(request, "over")
    parameters.refuse()
    key, over_s = read_key(request), read_over(request)
    find_record(environment.replica.records, "flag", key)
    size = Size.MINUTE if over_s <= Size.MINUTE.kept_s else Size.HOUR
    buckets = await services.usage.store.read(environment.name, key, size, over_s)
    seen = evidence(buckets.series, 0)
    shown = shown_evidence(seen)
    for name, side in (("on", seen.on), ("off", seen.off)):
        low, high = interval(side.errors, side.runs, ALPHA)
        shown[name]["errorRateBetween"] = [low, high] if side.runs else None
    body = {
        "environment": environment.name,
        "flag": key,
        "overS": over_s,
        "confidence": 1 - ALPHA,
        "outcomes": shown,
        "variants": _variants(buckets),
        "outcomesByVariant": None,
        "verdict": _verdict(seen),
    }
    return answer(body, environment.replica.cursor)


def _variants(buckets: Buckets) -> list[dict[str, Any]]:
    counts: Counter[str] = Counter()
    for text, found in buckets.series.items():
        kind, _, *rest = read_series(text)
        if kind == "usage" and rest[1] is not None:
            counts[rest[1]] += sum(found.values())
    return [{"variant": name, "exposures": count} for name, count in counts.most_common()]


def _verdict(seen: Evidence) -> str:
    for name, side in (("on", seen.on), ("off", seen.off)):
        if side.runs < ENOUGH:
            return f"Too little data: {side.runs:,} runs with the flag {name}, and at least {ENOUGH} are needed."
    if _worse(seen.on, seen.off):
        return "More fails with the flag on than with it off."
    if _worse(seen.off, seen.on):
        return "Less fails with the flag on than with it off."
    return "No difference in errors is proven."


def _worse(one: Side, other: Side) -> bool:
    """Say whether more fails on one side, at 95 % for both directions together."""
    return evidence_of_increase(0.0, one.errors, one.runs, other.errors, other.runs) >= ENOUGH_EVIDENCE
