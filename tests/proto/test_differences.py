"""What a change did to a record, as people are told it."""

from typing import Any

import pytest
from hypothesis import given

from tests.proto.strategies import flags
from wigwag_proto.differences import differences, same_json, what_happened

FLAG: dict[str, Any] = {"key": "f", "enabled": True, "rolloutPercentage": 10, "whitelist": ["a", "b"], "revision": 3}


def test_only_what_differs_is_told_and_no_bookkeeping() -> None:
    after = {**FLAG, "rolloutPercentage": 50, "revision": 4, "updatedAt": 7}
    assert differences("flag", FLAG, after) == [{"field": "rolloutPercentage", "before": 10, "after": 50}]
    assert differences("flag", FLAG, {**FLAG, "revision": 9}) == []


def test_of_a_list_of_users_only_those_are_told_who_came_or_went() -> None:
    assert differences("flag", FLAG, {**FLAG, "whitelist": ["b", "c"]}) == [
        {"field": "whitelist", "added": ["c"], "removed": ["a"]}
    ]
    for after, added, removed in ((["b"], [], ["a"]), (["a", "b", "c"], ["c"], [])):
        assert differences("flag", FLAG, {**FLAG, "whitelist": after}) == [
            {"field": "whitelist", "added": added, "removed": removed}
        ]
    swapped = {**FLAG, "whitelist": ["b", "a"]}
    assert differences("flag", FLAG, swapped)[0]["after"] == ["b", "a"]


def test_a_new_flag_differs_from_the_defaults_and_a_deleted_one_goes_back_to_them() -> None:
    created = differences("flag", None, {"key": "f", "enabled": True, "kind": "release", "rolloutPercentage": 100})
    assert created == [{"field": "enabled", "before": False, "after": True}]
    assert differences("flag", FLAG, None)[0] == {"field": "enabled", "before": True, "after": False}


@pytest.mark.parametrize(
    ("before", "after", "what"),
    [
        (None, FLAG, "created"),
        (FLAG, None, "deleted"),
        (FLAG, {**FLAG, "kill": {"by": "ops", "at": 1}}, "killed"),
        ({**FLAG, "kill": {"by": "ops", "at": 1}}, FLAG, "revived"),
        (FLAG, {**FLAG, "enabled": False}, "updated"),
        ("damaged", FLAG, "updated"),
    ],
)
def test_what_happened_has_a_word(before: Any, after: Any, what: str) -> None:
    assert what_happened(before, after) == what


def test_a_list_of_more_than_texts_is_told_whole() -> None:
    before, after = ["a", {"of": "a later release"}], ["a", 1]
    assert differences("flag", {**FLAG, "later": before}, {**FLAG, "later": after}) == [
        {"field": "later", "before": before, "after": after}
    ]


def test_a_damaged_record_is_told_as_it_is() -> None:
    assert {"field": "record", "before": "garbage", "after": None} in differences("flag", "garbage", FLAG)


def test_json_is_compared_as_json() -> None:
    assert same_json({"a": (1, 2), "b": 1}, {"b": 1, "a": [1, 2]})
    assert not same_json(True, 1)
    assert not same_json({"a": False}, {"a": 0})


@given(flags, flags)
def test_there_are_differences_exactly_where_two_flags_are_not_the_same(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    filled = {each["field"]: each for each in differences("flag", one, other)}
    for field in one.keys() & other.keys():
        assert (field in filled) == (not same_json(one[field], other[field])), field
    assert differences("flag", one, one) == []
