"""The pure parts of `wigwag set`."""

import pytest

from wigwag.cli.flag_edit import Edit, configuration_of, read_percent, read_rule


@pytest.mark.parametrize(("text", "value"), [("10", 10), ("10%", 10), ("0.5", 0.5), (" 100 ", 100), ("0", 0)])
def test_a_percentage_is_read_as_people_write_it(text: str, value: float) -> None:
    assert read_percent(text) == value


@pytest.mark.parametrize("text", ["", "%", "-1", "100.1", "nan", "inf", "1e3", "ten"])
def test_what_is_no_percentage_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a percentage"):
        read_percent(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a equals premium", "premium"),
        ("a equals two words", "two words"),
        ("a equals true", True),
        ("a equals 10", 10),
        ('a equals "10"', "10"),
        ('a in ["x", "y"]', ["x", "y"]),
        ("a equals NaN", "NaN"),
        ("a  equals   'x'", "'x'"),
    ],
)
def test_a_rules_value_is_json_where_it_is_json_else_text(text: str, value: object) -> None:
    assert read_rule(text) == {"attribute": "a", "operator": "equals" if "equals" in text else "in", "value": value}


def test_a_rule_may_have_no_value() -> None:
    assert read_rule("age exists") == {"attribute": "age", "operator": "exists"}


def test_an_edit_adds_a_rule_once_but_tells_true_from_1() -> None:
    one, true = read_rule("a equals 1"), read_rule("a equals true")
    assert Edit(rules=[one]).applied_to({"rules": [one]}) == {"rules": [one]}
    assert Edit(rules=[true]).applied_to({"rules": [one]}) == {"rules": [one, true]}


def test_an_edit_carries_along_what_it_does_not_know() -> None:
    assert Edit(enabled=False).applied_to({"enabled": True, "later": 1}) == {"enabled": False, "later": 1}


def test_an_edit_without_anything_in_it_is_empty() -> None:
    assert Edit().empty
    assert not Edit(enabled=False).empty
    assert not Edit(description="").empty


def test_the_servers_own_fields_are_no_configuration() -> None:
    flag = {"key": "x", "kill": None, "createdAt": 1, "updatedAt": 2, "revision": 3, "enabled": True}
    assert configuration_of(flag) == {"enabled": True}
