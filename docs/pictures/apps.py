"""What the apps of the shop report, and the rollouts whose two sides they count."""

import itertools
import math
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from docs.pictures.flags import FLAGS, Flag
from tests.support.server import Server
from wigwag_proto.runs import BOUNDS_S

RAMPS: Mapping[str, Mapping[str, Any]] = {
    "recommendations_v4": {
        "stages": [1, 5, 10, 25, 50, 100],
        "interval": "4h",
        "guard": {"maxErrorIncrease": 0.002, "maxP95Increase": 0.5, "onBreach": "rollback"},
        "comment": "as agreed on Monday",
    },
    "refunds_async": {
        "stages": [10, 50, 100],
        "interval": "2h",
        "guard": {"maxErrorRate": 0.02, "onBreach": "rollback"},
        "comment": "the queue is twice as big now",
    },
    "search_suggest_v2": {
        "stages": [2, 8, 20, 50, 100],
        "interval": "3h",
        "guard": {"maxErrorIncrease": 0.0, "onBreach": "pause"},
    },
    "warehouse_routing_v2": {
        "stages": [10, 25, 50, 100],
        "interval": "1h",
        "guard": {"maxErrorIncrease": 0.001, "minSamples": 20_000, "onBreach": "kill"},
    },
}
# How often the new code fails, once more than one in five run it.
FAILED = {"refunds_async": 0.06, "recommendations_v4": 0.0031, "search_suggest_v2": 0.0042}
MEDIAN = {"recommendations_v4": 6, "search_suggest_v2": 5, "refunds_async": 7, "warehouse_routing_v2": 6}


@dataclass(slots=True)
class Apps:
    """Reports of what apps decided and how it went, as clients send them."""

    rng: random.Random = field(default_factory=lambda: random.Random(7))  # noqa: S311 - the same pictures each time
    numbers: Any = field(default_factory=lambda: itertools.count(1))

    async def report(self, server: Server, minutes: float, hour: float) -> None:
        """Report so many minutes, at an hour of the day."""
        there = {each["key"]: each for each in (await server.ask("GET", "/admin/flags?limit=1000")).body["flags"]}
        busy = minutes * (0.75 + 0.25 * math.sin((hour - 9) * math.pi / 12))
        usage, outcomes = [], []
        for flag in FLAGS:
            if not flag.asked or flag.key not in there:
                continue
            calls = max(2, round(flag.asked * busy * self.rng.uniform(0.88, 1.12)))
            on = round(calls * _share(there[flag.key], flag))
            reason = "KILLED" if there[flag.key]["kill"] else "ROLLOUT" if 0 < on < calls else "STATIC"
            sides = ((True, on), (False, calls - on))
            usage += [_used(flag.key, number, reason, on=side) for side, number in sides]
            if flag.key in RAMPS:
                rate = FAILED.get(flag.key, 0.003) if _share(there[flag.key], flag) >= 0.2 else 0.003
                outcomes += [
                    self._fared(flag.key, on=side, calls=number, share=rate if side else 0.0034)
                    for side, number in sides
                ]
        body = {
            "instance": {"id": "seed-0001", "label": "shop", "host": "web-1"},
            "batch": next(self.numbers),
            "usage": [each for each in usage if each["count"]],
            "outcomes": [each for each in outcomes if each["calls"]],
            "closing": True,
        }
        answer = await server.ask("POST", "/v1/telemetry", token=server.key, json=body)
        assert answer.status == 204, answer

    def _fared(self, key: str, *, on: bool, calls: int, share: float) -> dict[str, Any]:
        buckets = [0] * (len(BOUNDS_S) + 1)
        for place, part in ((-1, 0.2), (0, 0.6), (1, 0.17)):
            buckets[MEDIAN[key] + place] = int(calls * part)
        buckets[MEDIAN[key] + 2] = calls - sum(buckets)
        errors = min(calls, int(calls * share + self.rng.random()))
        return {
            "flag": key,
            "enabled": on,
            "calls": calls,
            "errors": errors,
            "durationMs": calls * 180,
            "durations": buckets,
        }


def _share(plain: Mapping[str, Any], flag: Flag) -> float:
    if plain["kill"] or not plain["enabled"]:
        return 0.0
    return float(plain["rolloutPercentage"]) / 100 if flag.key in RAMPS else flag.on or 1.0


def _used(key: str, number: int, reason: str, *, on: bool) -> dict[str, Any]:
    return {"flag": key, "enabled": on, "reason": reason, "count": number}
