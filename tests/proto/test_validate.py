"""What a person writes is checked whole, and every problem is told with its place."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.proto import strategies
from wigwag_proto.flag import Flag, Segment
from wigwag_proto.operators import never, rule_test
from wigwag_proto.problems import Violation
from wigwag_proto.rule_checks import ALL_OPERATORS, VALUES
from wigwag_proto.validate import FLAG_FIELDS, SEGMENT_FIELDS, check_flag_body, check_key, check_segment_body

RULE = {"attribute": "plan", "operator": "equals", "value": "premium"}
FULL: dict[str, Any] = {
    "enabled": True,
    "whitelist": ["ann"],
    "blacklist": ["bob"],
    "rules": [RULE],
    "rolloutPercentage": 12.345,
    "variants": [{"name": "a", "weight": 1, "value": {"any": ["json", None, 1.5]}}, {"name": "b", "weight": 0}],
    "overrides": [{"name": "beta", "rules": [RULE], "rolloutPercentage": 100, "variants": []}],
    "bucketBy": "companyId",
    "requires": [{"flag": "search", "variant": "blue"}],
    "failSafeAfter": 30,
    "clientVisible": True,
    "kind": "ops",
    "expectedLifeDays": 90,
    "description": "d",
    "owner": "o",
    "tags": ["payments"],
}


def pointers(body: Any, **options: Any) -> list[str]:
    """Return where the problems of a flag body are."""
    return [violation.pointer for violation in check_flag_body(body, **{"key": "f", **options}).violations]


def test_a_flag_with_every_field_passes_and_comes_back_as_it_was() -> None:
    assert set(FULL) == set(FLAG_FIELDS)
    checked = check_flag_body(FULL, key="f")
    assert checked.violations == ()
    assert checked.config == FULL
    assert msgspec.convert({**checked.config, "key": "f"}, Flag).bucket_by == "companyId"


def test_an_empty_body_passes_and_adds_nothing() -> None:
    assert check_flag_body({}, key="f").config == {}


def test_what_get_gave_can_be_sent_back() -> None:
    kill = {"by": "ops", "reason": "", "at": 1}
    got = {**FULL, "key": "f", "kill": kill, "createdAt": 1, "updatedAt": 2, "revision": 3}
    assert check_flag_body(got, key="f", kill=kill).config == FULL
    assert check_flag_body({**got, "kill": None}, key="f", kill=kill).config == FULL


def test_a_kill_that_is_not_in_force_is_refused_not_ignored() -> None:
    assert pointers({"kill": {"by": "me", "at": 1}}) == ["/kill"]


def test_kill_switch_true_kills_and_false_says_nothing() -> None:
    assert check_flag_body({"killSwitch": True}, key="f").kill
    assert not check_flag_body({"killSwitch": False}, key="f").kill
    assert pointers({"killSwitch": "yes"}) == ["/killSwitch"]


def test_a_misspelt_field_is_refused_by_name_with_a_suggestion() -> None:
    for name, meant in (("rolloutpercentage", "rolloutPercentage"), ("kil", "kill"), ("bucket_by", "bucketBy")):
        (violation,) = check_flag_body({name: None}, key="f").violations
        assert violation.pointer == f"/{name}"
        assert repr(meant) in violation.message


def test_all_problems_are_told_at_once() -> None:
    body = {
        "enabled": 1,
        "rolloutPercentage": 101,
        "tags": ["a", "a"],
        "rules": [RULE, {**RULE, "operator": "before"}],
        "overrides": [{"name": "x"}],
        "nope": 1,
    }
    assert sorted(pointers(body)) == [
        "/enabled",
        "/nope",
        "/overrides/0/rules",
        "/rolloutPercentage",
        "/rules/1/value",
        "/tags/1",
    ]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (None, ""),
        ([], ""),
        ("x", ""),
        ({"enabled": "true"}, "/enabled"),
        ({"enabled": None}, "/enabled"),
        ({"rolloutPercentage": True}, "/rolloutPercentage"),
        ({"rolloutPercentage": "50"}, "/rolloutPercentage"),
        ({"rolloutPercentage": -0.001}, "/rolloutPercentage"),
        ({"rolloutPercentage": 100.001}, "/rolloutPercentage"),
        ({"rolloutPercentage": 33.3333}, "/rolloutPercentage"),
        ({"rolloutPercentage": float("nan")}, "/rolloutPercentage"),
        ({"rolloutPercentage": float("inf")}, "/rolloutPercentage"),
        ({"failSafeAfter": 0}, "/failSafeAfter"),
        ({"failSafeAfter": -1}, "/failSafeAfter"),
        ({"failSafeAfter": True}, "/failSafeAfter"),
        ({"failSafeAfter": float("inf")}, "/failSafeAfter"),
        ({"kind": "feature"}, "/kind"),
        ({"kind": None}, "/kind"),
        ({"kind": []}, "/kind"),
        ({"bucketBy": ""}, "/bucketBy"),
        ({"clientVisible": 0}, "/clientVisible"),
        ({"description": None}, "/description"),
        ({"owner": "x" * 129}, "/owner"),
        ({"tags": "payments"}, "/tags"),
        ({"tags": [""]}, "/tags/0"),
        ({"tags": [str(n) for n in range(101)]}, "/tags"),
        ({"whitelist": [42]}, "/whitelist/0"),
        ({"whitelist": [""]}, "/whitelist/0"),
        ({"whitelist": ["a", "a"]}, "/whitelist/1"),
        ({"whitelist": ["a"], "blacklist": ["b", "a"]}, "/blacklist/1"),
        ({"rules": {}}, "/rules"),
        ({"rules": [5]}, "/rules/0"),
        ({"rules": [{"operator": "exists"}]}, "/rules/0"),
        ({"rules": [{"attribute": "a"}]}, "/rules/0"),
        ({"rules": [{"attribute": "a", "operator": "equals"}]}, "/rules/0"),
        ({"rules": [{**RULE, "operator": "equal"}]}, "/rules/0/operator"),
        ({"rules": [{**RULE, "operator": ["equals"]}]}, "/rules/0/operator"),
        ({"rules": [{"attribute": "a", "operator": None}]}, "/rules/0/operator"),
        ({"rules": [{**RULE, "attribute": ""}]}, "/rules/0/attribute"),
        ({"rules": [{**RULE, "attribute": "x" * 129}]}, "/rules/0/attribute"),
        ({"rules": [{**RULE, "operator": "in", "value": ["a", None]}]}, "/rules/0/value/1"),
        ({"rules": [{**RULE, "operator": "inSegment", "value": ["a", 5]}]}, "/rules/0/value/1"),
        ({"rules": [{**RULE, "a/b~c": 1}]}, "/rules/0/a~1b~0c"),
        ({"variants": [{"name": "a"}]}, "/variants/0"),
        ({"variants": [{"weight": 1}]}, "/variants/0"),
        ({"variants": [{"name": "", "weight": 1}]}, "/variants/0/name"),
        ({"variants": [{"name": "a", "weight": -1}, {"name": "b", "weight": 2}]}, "/variants/0/weight"),
        ({"variants": [{"name": "a", "weight": True}]}, "/variants/0/weight"),
        ({"variants": [{"name": "a", "weight": float("nan")}]}, "/variants/0/weight"),
        ({"variants": [{"name": "a", "weight": 0}]}, "/variants"),
        ({"variants": [{"name": "a", "weight": 1e308}, {"name": "b", "weight": 1e308}]}, "/variants"),
        ({"variants": [{"name": "a", "weight": 1}, {"name": "a", "weight": 1}]}, "/variants/1/name"),
        ({"variants": [{"name": "a", "weight": 1, "value": [float("inf")]}]}, "/variants/0/value/0"),
        ({"variants": [{"name": "a", "weight": 1, "value": {"n": 2**64}}]}, "/variants/0/value/n"),
        ({"variants": [{"name": "a", "weight": 1, "value": object()}]}, "/variants/0/value"),
        ({"overrides": [{"rules": [RULE]}]}, "/overrides/0"),
        ({"overrides": [{"name": "o", "rules": [RULE], "enabled": True}]}, "/overrides/0/enabled"),
        ({"overrides": [{"name": "o", "rules": [RULE]}] * 2}, "/overrides/1/name"),
        ({"overrides": [{"name": "o", "rules": [RULE], "rolloutPercentage": 200}]}, "/overrides/0/rolloutPercentage"),
        ({"requires": [{"flag": "-x"}]}, "/requires/0/flag"),
        ({"requires": [{}]}, "/requires/0"),
        ({"requires": [{"flag": "a"}, {"flag": "a", "variant": "b"}]}, "/requires/1/flag"),
        ({"requires": [{"flag": "a", "variant": 5}]}, "/requires/0/variant"),
        ({"key": "other"}, "/key"),
        ({"key": 5}, "/key"),
        ({"description": "\ud800"}, ""),
    ],
)
def test_what_is_wrong_is_refused_at_its_place(body: Any, pointer: str) -> None:
    assert pointers(body) == [pointer]


UNUSABLE: dict[tuple[str, ...], list[Any]] = {
    ("equals", "notEquals"): [None, [], {}, float("nan"), "x" * 10_001, 2**64],
    ("in", "notIn"): [None, [], "a", [[]], [None], {}],
    ("contains", "startsWith", "endsWith"): [None, "", [], {}],
    ("greaterThan", "greaterThanOrEqual", "lessThan", "lessThanOrEqual"): [None, "1", True, [], float("nan")],
    ("before", "after"): [None, 5, "2026-01-31", "2026-01-31T09:00:00", "2026-02-30T00:00:00Z"],
    ("semverEquals", "semverGreaterThan", "semverLessThan"): [None, 1, "1.2", "v1.2.3", "1.02.3"],
    ("exists",): ["true", 1, []],
    ("inSegment", "notInSegment"): [None, "", [], [5], 5, {}],
}


@pytest.mark.parametrize(
    ("operator", "wrong"),
    [(operator, wrong) for operators, values in UNUSABLE.items() for operator in operators for wrong in values],
)
def test_an_operator_takes_only_values_that_it_can_use(operator: str, wrong: Any) -> None:
    found = pointers({"rules": [{"attribute": "a", "operator": operator, "value": wrong}]})
    assert found
    assert all(pointer.startswith("/rules/0/value") for pointer in found)


USABLE: dict[tuple[str, ...], list[Any]] = {
    ("equals", "notEquals"): ["", "x" * 10_000, 0, -1.5, True, False],
    ("in", "notIn"): [["a"], ["", 0, 1.5, False]],
    ("contains",): ["a", 0, False],
    ("startsWith", "endsWith"): ["a", "x" * 10_000],
    ("greaterThan", "greaterThanOrEqual", "lessThan", "lessThanOrEqual"): [0, -1, 18.5],
    ("before", "after"): ["2026-01-31T09:00:00Z"],
    ("semverEquals", "semverGreaterThan", "semverLessThan"): ["1.2.3-rc.1"],
    ("exists",): [None, True, False],
    ("inSegment", "notInSegment"): ["staff", "x" * 128, ["staff", "x" * 128]],
}


@pytest.mark.parametrize(
    ("operator", "value"),
    [(operator, value) for operators, values in USABLE.items() for operator in operators for value in values],
)
def test_an_operator_takes_whatever_it_can_use(operator: str, value: Any) -> None:
    assert pointers({"rules": [{"attribute": "x" * 128, "operator": operator, "value": value}]}) == []


def test_what_is_said_of_a_rule_helps() -> None:
    for rule, hint in (
        ({**RULE, "operator": "equal"}, "unknown operator 'equal'; did you mean 'equals'?"),
        ({**RULE, "value": None}, "to ask for absence, use exists with false"),
        ({"attribute": "a", "operator": "equals"}, "needs the field 'value' for equals"),
    ):
        (violation,) = check_flag_body({"rules": [rule]}, key="f").violations
        assert hint in violation.message
    assert pointers({"rules": [{"attribute": "a", "operator": "exists"}]}) == []


def test_every_operator_has_a_check() -> None:
    assert set(VALUES) == set(ALL_OPERATORS)


@given(strategies.rules)
def test_a_rule_that_passes_can_match_something(rule: dict[str, Any]) -> None:
    if not pointers({"rules": [rule]}) and "Segment" not in rule["operator"]:
        assert rule_test(rule["operator"], rule["value"]) is not never


ANYTHING: list[Any] = [*strategies.PYTHON_VALUES, strategies.PYTHON_VALUES]
PARTS = (
    "name",
    "weight",
    "value",
    "rules",
    "variants",
    "rolloutPercentage",
    "flag",
    "variant",
    "attribute",
    "operator",
)


@pytest.mark.parametrize("value", ANYTHING, ids=lambda value: type(value).__name__)
def test_no_value_in_any_place_makes_the_check_raise(value: Any) -> None:
    part = dict.fromkeys(PARTS, value)
    rules = [{**RULE, "operator": operator, "value": value} for operator in ALL_OPERATORS]
    for field in (*FLAG_FIELDS, *SEGMENT_FIELDS, "kill", "killSwitch", "key"):
        for body in ({field: value}, {field: [value]}, {field: part}, {field: [part]}, {field: [{"rules": rules}]}):
            check_flag_body(body, key="f")
            check_segment_body(body, key="s")
    assert not check_flag_body({"rules": rules}, key="f").config


@given(
    st.recursive(
        strategies.values, lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(FLAG_FIELDS), inner)
    )
)
def test_no_body_makes_the_check_raise_and_what_passes_is_readable(body: Any) -> None:
    checked = check_flag_body(body, key="f")
    if not checked.violations:
        msgspec.convert({**checked.config, "key": "f"}, Flag)
    assert not (checked.violations and checked.config)


@given(strategies.flags)
def test_what_passes_survives_json(flag: dict[str, Any]) -> None:
    checked = check_flag_body(flag, key="f", kill=flag.get("kill"))
    if not checked.violations:
        assert json.loads(json.dumps(checked.config)) == checked.config


def test_a_flag_that_is_too_large_is_refused() -> None:
    (violation,) = check_flag_body({"whitelist": [f"user-{n}" for n in range(30_000)]}, key="f").violations
    assert violation.pointer == ""
    assert "segment" in violation.message
    deep: Any = 1
    for _ in range(40):
        deep = [deep]
    assert pointers({"variants": [{"name": "a", "weight": 1, "value": deep}]}) == ["/variants/0/value" + "/0" * 33]


def test_keys() -> None:
    for good in ("a", "A1", "new_checkout", "new.checkout-2", "9", "x" * 128):
        assert check_key(good) is None
    for bad in ("", "-a", ".a", "_a", "a b", "ä", "a/b", "a\n", "x" * 129, None, 5):
        assert check_key(bad) is not None


def test_a_new_flag_must_have_a_key() -> None:
    assert check_flag_body({}).violations == (Violation("", "needs the field 'key'"),)
    assert check_flag_body({"key": "f"}).violations == ()


def test_a_segment_is_checked_the_same_way_and_does_not_nest() -> None:
    body = {"include": ["ann"], "exclude": ["bob"], "rules": [RULE], "description": "d"}
    checked = check_segment_body({**body, "key": "s", "revision": 5}, key="s")
    assert checked.config == body
    assert msgspec.convert({**checked.config, "key": "s"}, Segment).include == ("ann",)
    nested = {"attribute": "userId", "operator": "inSegment", "value": "other"}
    wrong = check_segment_body({"include": [1], "rules": [nested], "enabled": True, "exclude": "x"}, key="s")
    assert sorted(v.pointer for v in wrong.violations) == ["/enabled", "/exclude", "/include/0", "/rules/0/operator"]
