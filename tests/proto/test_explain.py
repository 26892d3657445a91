"""An explanation is the decision that apps make."""

from typing import Any

import pytest
from hypothesis import given

from tests.proto.murmur3 import bucket_of
from tests.proto.strategies import contexts, flag_tables, segment_tables
from wigwag_proto.decision import Reason
from wigwag_proto.evaluate import decide
from wigwag_proto.explain import explain
from wigwag_proto.flag import Kill
from wigwag_proto.records import Records
from wigwag_proto.ruleset import Ruleset

KILLS = {"g": Kill(by="ops", at=1), "nowhere": Kill(by="ops", at=1)}


@given(flag_tables, segment_tables, contexts)
def test_an_explanation_is_what_the_ruleset_of_an_app_decides(
    flags: dict[str, Any], segments: dict[str, Any], context: dict[str, Any]
) -> None:
    ruleset, records = Ruleset(), Records()
    ruleset.load({"flag": flags, "segment": segments}, 1)
    ruleset.kill_out_of_band(KILLS)
    for key, plain in flags.items():
        records.set_flag(key, plain)
    for key, plain in segments.items():
        records.set_segment(key, plain)
    for key in ruleset.live:
        told = explain(key, records, context, kills=KILLS, stale_for=10)
        assert repr(told) == repr(decide(ruleset.live[key], context, 10))


def test_a_flag_that_is_not_there_is_unknown() -> None:
    assert explain("nope", Records(), {}).reason is Reason.UNKNOWN_FLAG


PREMIUM = {"attribute": "plan", "operator": "equals", "value": "premium"}
HALVES = [{"name": "a", "weight": 1}, {"name": "b", "weight": 1}]


@pytest.mark.parametrize(
    ("flag", "context", "steps"),
    [
        ({"kill": {"by": "ops", "reason": "on fire", "at": 1}}, {}, ["killed by ops: on fire"]),
        ({"kill": {"by": "ops", "at": 1}}, {}, ["killed by ops: no reason given"]),
        ({"enabled": False}, {}, ["not enabled"]),
        ({"failSafeAfter": 9.5}, {}, ["not known current for more than failSafeAfter = 9.5 s"]),
        ({"requires": [{"flag": "nope"}]}, {}, ["requires nope, which is not there", "so it is off"]),
        ({"requires": [{"flag": "off"}]}, {}, ["requires off: off, DISABLED, variant None", "so it is off"]),
        ({"blacklist": ["u1"]}, {"userId": "u1"}, ["the user is in the blacklist"]),
        ({"whitelist": ["u1"]}, {"userId": "u1"}, ["the user is in the whitelist"]),
        ({"rules": [PREMIUM]}, {}, ["rules[0]: plan equals … does not match", "not all rules match"]),
        (
            {"overrides": [{"name": "beta", "rules": [PREMIUM], "rolloutPercentage": 0}]},
            {"plan": "premium"},
            [
                "override beta[0]: plan equals … matches",
                "override beta takes over rules, percentage and variants",
                "the rollout is at 0 %",
            ],
        ),
        ({"rolloutPercentage": 12.5, "bucketBy": "org"}, {}, ["no org to bucket by, at 12.5 %"]),
        (
            {"rolloutPercentage": 12.5},
            {"userId": "u1"},
            [f"bucket {bucket_of('f', 'u1', 0)} of 100,000 against 12.5 %"],
        ),
        ({"variants": HALVES[:1]}, {}, ["on for everyone who gets here", "variant a"]),
        ({"variants": HALVES}, {}, ["on for everyone who gets here", "no userId to pick a variant by"]),
    ],
)
def test_each_step_is_told_in_words(flag: dict[str, Any], context: dict[str, Any], steps: list[str]) -> None:
    records = Records()
    records.set_flag("f", {"enabled": True, **flag})
    records.set_flag("off", {})
    assert list(explain("f", records, context, stale_for=10).steps) == steps
