"""What is carried over from flagd, and what is said of the rest. Each case decides as flagd would."""

from collections.abc import Mapping
from typing import Any

import pytest

from wigwag.cli.importers.flagd import from_flagd
from wigwag_proto.context import Context
from wigwag_proto.explain import explain
from wigwag_proto.records import Records
from wigwag_proto.validate import check_flag_body

SWITCH = {"on": True, "off": False}
COLOURS = {"red": "#f00", "blue": "#00f"}
IS_PREMIUM = {"==": [{"var": "plan"}, "premium"]}
IS_STAFF = {"ends_with": [{"var": "email"}, "@example.com"]}


def imported(flag: Mapping[str, Any], **document: Any) -> tuple[dict[str, Any], list[dict[str, str]]]:
    """Return the configuration and what was left behind."""
    found = from_flagd({"flags": {"f": {"state": "ENABLED", **flag}}, **document})
    config = found.document["flags"]["f"]
    assert check_flag_body(config, key="f").violations == ()
    return config, found.left_behind


def decided(config: Mapping[str, Any], **attributes: Any) -> Any:
    """Return whether the flag is on, or the value of its variant."""
    records = Records()
    records.set_flag("f", {"key": "f", **config})
    decision = explain("f", records, Context.from_plain(attributes).attributes)
    return decision.variant.value if decision.variant else decision.enabled


@pytest.mark.parametrize(
    ("targeting", "on", "off"),
    [
        ({"if": [IS_PREMIUM, "on", "off"]}, [{"plan": "premium"}], [{"plan": "basic"}, {}]),
        ({"if": [IS_PREMIUM, "on"]}, [{"plan": "premium"}], [{"plan": "basic"}]),
        ({"if": [IS_PREMIUM, "off", "on"]}, [{"plan": "basic"}, {}], [{"plan": "premium"}]),
        (
            {"if": [{"and": [IS_PREMIUM, {">=": [{"var": "age"}, 18]}]}, "on", "off"]},
            [{"plan": "premium", "age": 18}],
            [{"plan": "premium", "age": 17}],
        ),
        (
            {"if": [{"or": [IS_PREMIUM, IS_STAFF]}, "on", "off"]},
            [{"plan": "premium"}, {"email": "a@example.com"}],
            [{"email": "a@else.com"}],
        ),
        ({"if": [{"<": [18, {"var": "age"}]}, "on", "off"]}, [{"age": 19}], [{"age": 18}]),
        ({"if": [{"in": [{"var": "country"}, ["NO", "SE"]]}, "on", "off"]}, [{"country": "NO"}], [{"country": "DE"}]),
        ({"if": [{"in": ["adm", {"var": "role"}]}, "on", "off"]}, [{"role": "admin"}], [{"role": "user"}]),
        (
            {"if": [{"sem_ver": [{"var": "version"}, ">", "1.2.0"]}, "on", "off"]},
            [{"version": "1.3.0"}],
            [{"version": "1.2.0"}],
        ),
        ({"if": [{"!": {"in": [{"var": "country"}, ["NO"]]}}, "on", "off"]}, [{"country": "DE"}], [{"country": "NO"}]),
        (
            {"if": [{"starts_with": [{"var": "targetingKey"}, "beta-"]}, True, False]},
            [{"targetingKey": "beta-1"}],
            [{"targetingKey": "x"}],
        ),
        ({"if": [{"$ref": "isPremium"}, "on", "off"]}, [{"plan": "premium"}], [{"plan": "basic"}]),
    ],
    ids=lambda each: str(each)[:60],
)
def test_a_switch_decides_as_before(targeting: Any, on: list[Any], off: list[Any]) -> None:
    variants = {"on": True, "off": False} if True not in targeting["if"] else {"true": True, "false": False}
    default = "off" if "off" in variants else "false"
    flag = {"variants": variants, "defaultVariant": default, "targeting": targeting}
    config, _ = imported(flag, **{"$evaluators": {"isPremium": IS_PREMIUM}})
    assert [decided(config, **context) for context in on] == [True] * len(on), config
    assert [decided(config, **context) for context in off] == [False] * len(off), config


def test_variants_with_values_go_by_a_row_of_conditions() -> None:
    targeting = {"if": [IS_PREMIUM, "red", IS_STAFF, "blue"]}
    config, left = imported({"variants": COLOURS, "defaultVariant": "blue", "targeting": targeting})
    assert decided(config, plan="premium", email="a@example.com") == "#f00"
    assert decided(config, email="a@example.com") == "#00f"
    assert decided(config) == "#00f"
    assert left == []


def test_states_and_defaults() -> None:
    assert decided(imported({"variants": SWITCH, "defaultVariant": "on"})[0]) is True
    assert decided(imported({"variants": SWITCH, "defaultVariant": "off"})[0]) is False
    assert decided(imported({"variants": COLOURS, "defaultVariant": "red"})[0]) == "#f00"
    assert decided(imported({"variants": COLOURS, "defaultVariant": None})[0]) is False
    assert decided(imported({"state": "DISABLED", "variants": SWITCH, "defaultVariant": "on"})[0]) is False


def test_a_distribution_keeps_its_shares_and_says_that_the_users_are_others() -> None:
    by_email = {"fractional": [{"cat": [{"var": "$flagd.flagKey"}, {"var": "email"}]}, ["on", 25], ["off", 75]]}
    config, left = imported({"variants": SWITCH, "defaultVariant": "off", "targeting": by_email})
    assert (config["rolloutPercentage"], config["bucketBy"]) == (25, "email")
    assert [each["what"] for each in left] == ["which users are in"]
    split = {"fractional": [["red", 1], ["blue", 3]]}
    config, _ = imported({"variants": COLOURS, "defaultVariant": "red", "targeting": split})
    assert [(each["name"], each["weight"]) for each in config["variants"]] == [("red", 1), ("blue", 3)]


@pytest.mark.parametrize(
    ("targeting", "why"),
    [
        ({"if": [{"+": [1, 2]}, "on", "off"]}, "there is no rule for '+'"),
        ({"if": [{"==": [{"var": "a.b"}, 1]}, "on", "off"]}, "nested"),
        ({"if": [{"sem_ver": [{"var": "v"}, "^", "1.0.0"]}, "on", "off"]}, "there is no rule for 'sem_ver'"),
        ({"if": [IS_PREMIUM, "purple", "off"]}, "there is no variant 'purple'"),
        ({"if": [{"$ref": "nothing"}, "on", "off"]}, "there is no shared condition 'nothing'"),
        ({"fractional": [["on", {"var": "share"}], ["off", 1]]}, "is computed"),
        ({"if": [{"!": IS_STAFF}, "on", "off"]}, "the opposite"),
    ],
    ids=lambda each: str(each)[:50],
)
def test_what_cannot_be_said_arrives_switched_off_and_is_told(targeting: Any, why: str) -> None:
    config, left = imported({"variants": SWITCH, "defaultVariant": "on", "targeting": targeting})
    assert decided(config, plan="premium") is False
    assert [each["what"] for each in left] == ["targeting"]
    assert why in left[0]["why"]
    assert "the flag arrives with its switch off" in left[0]["why"]


def test_the_rest_of_a_file_is_told_of() -> None:
    found = from_flagd(
        {
            "flags": {
                "f": {
                    "state": "ENABLED",
                    "variants": SWITCH,
                    "defaultVariant": "on",
                    "metadata": {"owner": "ann", "x": 1},
                    "new": 1,
                },
                "bad key": {},
                "none": {"state": "ENABLED"},
            },
            "metadata": {"version": 1},
        }
    )
    assert found.document == {"flags": {"f": {"enabled": True, "owner": "ann", "rolloutPercentage": 100}}}
    told = {(each["key"], each["what"]) for each in found.left_behind}
    assert told == {
        ("f", "metadata 'x'"),
        ("f", "new"),
        ("bad key", "the whole flag"),
        ("none", "the whole flag"),
        ("the file", "metadata"),
    }
    assert from_flagd({}).left_behind[0]["why"] == "it has no 'flags'"


def test_a_negative_rule_is_told_to_leave_out_contexts_without_the_attribute() -> None:
    targeting = {"if": [{"!=": [{"var": "plan"}, "basic"]}, "on", "off"]}
    _, left = imported({"variants": SWITCH, "defaultVariant": "off", "targeting": targeting})
    assert [each["what"] for each in left] == ["contexts without an attribute"]
