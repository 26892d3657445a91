"""The test vectors, against the definition (`decide`) and against the compiled form."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from tests.proto.murmur3 import bucket_of, murmur3_32
from wigwag.flags import Flags
from wigwag_proto.bucketing import ROLLOUT_SEED, SPLIT_SEED, bucket, hash_prefix, rollout_limit, split_limits
from wigwag_proto.context import Context
from wigwag_proto.operators import rule_test
from wigwag_proto.ruleset import Ruleset

VECTORS = Path(__file__).parents[2] / "proto" / "vectors"


def cases(name: str) -> list[Any]:
    """Return the cases of a file, each with a readable id."""
    loaded = json.loads((VECTORS / name).read_text(encoding="utf-8"))["cases"]
    return [pytest.param(case, id=f"{i}-{str(case.get('name', case))[:60]}") for i, case in enumerate(loaded)]


def test_there_are_at_least_400_cases() -> None:
    assert sum(len(cases(path.name)) for path in VECTORS.glob("*.json")) >= 400


def test_the_independent_murmur3_gives_the_published_hashes() -> None:
    assert murmur3_32(b"", 0) == 0
    assert murmur3_32(b"", 1) == 0x514E28B7
    assert murmur3_32(b"test", 0) == 0xBA6BD213
    assert murmur3_32(b"Hello, world!", 0) == 0xC0363E43


@pytest.mark.parametrize("case", cases("bucketing.json"))
def test_buckets(case: dict[str, Any]) -> None:
    prefix = hash_prefix(case["flag"])
    assert bucket(prefix, case["value"], ROLLOUT_SEED) == case["rollout"]
    assert bucket(prefix, case["value"], SPLIT_SEED) == case["split"]
    if case["rollout"] is not None:
        assert bucket_of(case["flag"], str(case["value"]), 0) == case["rollout"]
        assert bucket_of(case["flag"], str(case["value"]), 1) == case["split"]


@pytest.mark.parametrize("case", cases("rollout.json"))
def test_limits_of_percentages(case: dict[str, Any]) -> None:
    assert rollout_limit(case["percentage"]) == case["limit"]


@pytest.mark.parametrize("case", cases("split.json"))
def test_limits_of_weights(case: dict[str, Any]) -> None:
    assert list(split_limits(case["weights"])) == case["limits"]


@pytest.mark.parametrize("case", cases("operators.json"))
def test_operators(case: dict[str, Any]) -> None:
    attributes = {"x": case["value"]} if "value" in case else {}
    rule = {"attribute": "x", "operator": case["operator"], "value": case["operand"]}
    flags = flags_of({"f": {"enabled": True, "rules": [rule]}}, {})
    assert flags.is_enabled("f", Context.from_plain(attributes)) is case["matches"]
    assert flags.explain("f", Context.from_plain(attributes)).enabled is case["matches"]
    if case["matches"]:
        assert rule_test(case["operator"], case["operand"])(attributes.get("x"))


@pytest.mark.parametrize("case", cases("decisions.json") + cases("segments.json"))
def test_decisions(case: dict[str, Any]) -> None:
    flags = flags_of(case["flags"], case["segments"], case["staleForS"])
    expect = case["expect"]
    context = Context.from_plain(case["context"])
    decision = flags.explain(case["flag"], context)
    assert decision.enabled is expect["enabled"]
    assert decision.reason == expect["reason"]
    assert (decision.variant.name if decision.variant else None) == expect["variant"]
    for field in ("override", "rule", "prerequisite", "bucket", "split"):
        assert field not in expect or getattr(decision, field) == expect[field], decision
    assert flags.is_enabled(case["flag"], context) is expect["enabled"]
    assert flags.bind(context).is_enabled(case["flag"]) is expect["enabled"]
    assert flags.variant(case["flag"], context) == decision.variant
    (usage,) = {count.reason for count in flags._ruleset.drain_usage()}
    assert usage == expect["reason"]


def flags_of(flags: dict[str, Any], segments: dict[str, Any], stale_for: float | None = 0) -> Flags:
    """Return flags that were proven current `stale_for` seconds ago; None: never."""
    ruleset = Ruleset()
    ruleset.load({"flag": flags, "segment": segments}, 1)
    now = 1000.0
    ruleset.proven_at = None if stale_for is None else now - stale_for
    assert not math.isnan(ruleset.stale_for(now))
    return Flags(ruleset, lambda: now)
