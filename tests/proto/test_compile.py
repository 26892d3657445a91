"""The compiled form is the definition, only faster."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.proto import strategies
from tests.proto.test_vectors import flags_of
from wigwag_proto.circuit import Circuit
from wigwag_proto.compile import CompiledFlag
from wigwag_proto.context import Context
from wigwag_proto.decision import Reason
from wigwag_proto.evaluate import decide
from wigwag_proto.ruleset import Ruleset
from wigwag_proto.runs import Ending

PREMIUM = {"attribute": "plan", "operator": "equals", "value": "premium"}


def compiled(**flag: Any) -> CompiledFlag:
    """Return the compiled form of one flag."""
    ruleset = Ruleset()
    ruleset.load({"flag": {"f": {"enabled": True, **flag}}, "segment": {}}, 1)
    return ruleset.newest.table["f"]


@settings(max_examples=600, deadline=None)
@given(
    strategies.flag_tables,
    strategies.segment_tables,
    strategies.contexts,
    st.sampled_from([0.0, 31.0]),
    st.sets(st.sampled_from(strategies.KEYS)),
)
def test_compiled_and_defined_decisions_are_equal_whatever_the_attributes(
    table: dict[str, Any], segments: dict[str, Any], attributes: dict[str, Any], stale_for: float, tripped: set[str]
) -> None:
    flags = flags_of(table, segments, stale_for)
    circuits = flags._ruleset.circuits
    for key in tripped:
        circuits.ended(key, circuits.breaker(key, Circuit(errors=1), lambda: 0.0), Ending.ERROR, 0.0)
    context = Context.from_plain(attributes)
    for key in strategies.KEYS:
        expected = flags.explain(key, context)
        assert flags.is_enabled(key, context) is expected.enabled
        assert flags.variant(key, context) == expected.variant
        counted = {(c.enabled, c.reason, c.variant, c.count) for c in flags._ruleset.drain_usage()}
        assert counted == {(expected.enabled, expected.reason, expected.variant.name if expected.variant else None, 2)}


@settings(max_examples=150, deadline=None)
@given(strategies.flags, strategies.contexts)
def test_a_compiled_flag_that_raises_does_so_for_exotic_values_alone(
    flag: dict[str, Any], attributes: dict[str, Any]
) -> None:
    plain = {k: v for k, v in attributes.items() if v is None or type(v) in (str, int, float)}
    one = compiled(**{**flag, "failSafeAfter": None, "requires": []})
    try:
        outcome = one.check(plain)
    except TypeError:  # a text compared with a number has no order: the definition says mismatch
        return
    assert outcome is not None
    assert outcome.reason == decide(one, plain).reason


def test_a_flag_that_depends_on_nothing_is_a_constant() -> None:
    for flag, reason in (
        ({"enabled": False}, Reason.DISABLED),
        ({"kill": {"by": "ops", "at": 1}, "rules": [PREMIUM]}, Reason.KILLED),
        ({}, Reason.STATIC),
        ({"variants": [{"name": "a", "weight": 1}]}, Reason.STATIC),
        ({"rolloutPercentage": 0}, Reason.ROLLOUT),
        ({"requires": [{"flag": "nope"}]}, Reason.PREREQUISITE),
        ({"rules": [{"attribute": "a", "operator": "soundsLike", "value": 1}]}, Reason.RULE_MISMATCH),
        ({"overrides": [{"name": "all"}], "rules": [PREMIUM]}, Reason.OVERRIDE),
    ):
        constant = compiled(**flag).constant
        assert constant is not None, flag
        assert constant.reason is reason


def test_a_flag_that_depends_on_the_context_or_on_time_is_no_constant() -> None:
    for flag in ({"rules": [PREMIUM]}, {"rolloutPercentage": 50}, {"failSafeAfter": 1}, {"blacklist": ["u"]}):
        assert compiled(**flag).constant is None


def test_a_requirement_that_is_constantly_on_costs_nothing() -> None:
    ruleset = Ruleset()
    ruleset.load({"flag": {"f": {"enabled": True, "requires": [{"flag": "g"}]}, "g": {"enabled": True}}}, 1)
    assert ruleset.newest.table["f"].constant is not None


def test_flags_of_one_shape_share_their_code() -> None:
    one = compiled(rules=[PREMIUM], rolloutPercentage=10)
    other = compiled(rules=[{**PREMIUM, "attribute": "country", "value": "DE"}], rolloutPercentage=33)
    assert one.check.__code__ is other.check.__code__


def test_nothing_that_a_person_wrote_stands_in_generated_code() -> None:
    nasty = '"); import os; ("'
    rule = {"attribute": nasty, "operator": "equals", "value": nasty}
    flag = compiled(
        rules=[rule, {**rule, "operator": nasty}],
        bucketBy=nasty,
        rolloutPercentage=50,
        whitelist=[nasty],
        overrides=[{"name": nasty, "rules": [rule], "variants": [{"name": nasty, "weight": 1, "value": nasty}]}],
    )
    assert "import os" not in flag.source
    assert decide(flag, {nasty: nasty}).override == nasty


def test_a_flag_of_a_thousand_rules_is_compiled_and_decided() -> None:
    rules = [{"attribute": f"a{n}", "operator": "equals", "value": n} for n in range(1000)]
    flag = compiled(rules=rules)
    everything = {f"a{n}": n for n in range(1000)}
    assert flag.check(everything).enabled  # type: ignore[union-attr]
    assert not flag.check({**everything, "a999": 0}).enabled  # type: ignore[union-attr]
