"""Flags in words."""

import pytest

from wigwag.cli.flag_edit import read_rule
from wigwag.cli.flag_words import ago, differences, rules, summary


def test_a_summary_begins_with_what_decides() -> None:
    assert summary({"enabled": True, "kill": {"by": "x"}}) == "KILLED, 100%"
    assert summary({"enabled": True, "rolloutPercentage": 0.125}) == "on, 0.125%"
    assert summary({}) == "off, 100%"


@pytest.mark.parametrize("text", ['a equals "10"', "a equals 10", "a equals ten", 'a in ["x", 1]', "a exists"])
def test_rules_are_written_as_the_command_line_takes_them(text: str) -> None:
    assert rules([read_rule(text)]) == text


def test_differences_name_only_what_differs_and_take_defaults_for_what_they_are() -> None:
    assert differences({}, {"rolloutPercentage": 100.0, "enabled": False, "rules": [], "kind": "release"}) == []
    assert differences({"whitelist": ["a", "b"]}, {"whitelist": ["b", "c"], "enabled": True}) == [
        "switch off → on",
        "always on +c -a",
    ]
    assert differences({"rolloutPercentage": 10}, {}) == ["rollout 10% → 100%"]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-5, "just now"), (4, "just now"), (59, "59 s ago"), (60, "1 min ago"), (7200, "2 h ago"), (90_000, "1 d ago")],
)
def test_ages_are_told_in_the_largest_unit(seconds: int, words: str) -> None:
    assert ago(0, seconds * 1000) == words
