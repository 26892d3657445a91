"""What only a fake can: be set."""

from typing import Any

import pytest

from wigwag import MalformedFlags, WigwagError
from wigwag.testing import FakeFlags, flag, override, rule, segment


def test_it_says_what_the_test_says() -> None:
    flags = FakeFlags({"a.b": True}, on=True, off=False, button="blue", limit=5, sizes=[1], none=None)
    assert flags.is_enabled("on")
    assert not flags.is_enabled("off", default=True)
    assert flags.is_enabled("a.b")
    assert flags.value("button", default="grey") == "blue"
    assert flags.value("limit", default=0) == 5
    assert flags.value("sizes", default=0) == [1]
    assert flags.is_enabled("none", default=True)


def test_builders_make_whole_flags() -> None:
    premium = rule("plan", "equals", "premium")
    flags = FakeFlags(
        premium=flag(premium),
        dead=flag(killed=True),
        idle=flag(enabled=False),
        split=flag(variants={"a": 1, "b": 2}),
        arm=flag(premium, overrides=[override("ann", rule("userId", "equals", "ann"), value="hers")], value="theirs"),
        nobody=flag(percentage=0),
        listed=flag(percentage=0, whitelist=["ann"]),
        staff=flag(rule("userId", "inSegment", "staff")),
        segments={"staff": segment(include=["ann"])},
    )
    assert flags.is_enabled("premium", plan="premium")
    assert not flags.is_enabled("premium")
    assert flags.explain("dead").reason.value == "KILLED"
    assert not flags.is_enabled("idle")
    assert {flags.value("split", default=0, user_id=f"u{n}") for n in range(50)} == {1, 2}
    assert flags.value("arm", default=0, user_id="ann") == "hers"
    assert flags.value("arm", default=0, plan="premium") == "theirs"
    assert not flags.is_enabled("nobody", user_id="ann")
    assert flags.is_enabled("listed", user_id="ann")
    assert flags.is_enabled("staff", user_id="ann")
    with pytest.raises(TypeError):
        flag(value=1, variants={"a": 1})


@pytest.mark.parametrize("wrong", [{"enabled": 1}, flag(percentage=101), flag(rule("plan", "like", "x")), {"on": True}])
def test_a_flag_that_the_server_would_refuse_is_refused(wrong: Any) -> None:
    with pytest.raises(MalformedFlags):
        FakeFlags(f=wrong)
    flags = FakeFlags(f=True)
    with pytest.raises(MalformedFlags):
        flags.set(f=wrong)
    assert flags.is_enabled("f")


def test_what_is_overridden_is_restored_and_nothing_else() -> None:
    flags = FakeFlags(a=True, b=flag(rule("plan", "equals", "premium")))
    with flags.overridden(a=False, b=True, new=True):
        assert not flags.is_enabled("a")
        assert flags.is_enabled("b")
        with flags.overridden({"new": None}):
            assert not flags.is_enabled("new")
        assert flags.is_enabled("new")
        flags.set(other=True)
    assert flags.is_enabled("a")
    assert not flags.is_enabled("b")
    assert flags.is_enabled("b", plan="premium")
    assert flags.explain("new").reason.value == "UNKNOWN_FLAG"
    assert flags.is_enabled("other")


def test_what_is_overridden_is_restored_after_a_failure_too() -> None:
    flags = FakeFlags(a=True)
    with pytest.raises(ZeroDivisionError):
        with flags.overridden(a=False):
            raise ZeroDivisionError
    assert flags.is_enabled("a")


def test_a_kill_keeps_the_configuration() -> None:
    flags = FakeFlags(a=flag(rule("plan", "equals", "premium")))
    bound = flags.bind(plan="premium")
    flags.kill("a")
    assert not bound.is_enabled("a")
    assert flags.explain("a").reason.value == "KILLED"
    flags.set(b=True)
    assert not flags.is_enabled("a", plan="premium")
    flags.revive("a")
    assert flags.is_enabled("a", plan="premium")
    assert not flags.is_enabled("a")
    with pytest.raises(WigwagError, match="did you mean"):
        FakeFlags(checkout=True).kill("chekout")


def test_what_was_asked_is_told() -> None:
    flags = FakeFlags(a=True)
    flags.is_enabled("a")
    flags.bind().is_enabled("a")
    assert flags.asked() == {"a": 2}
    flags.is_enabled("nope")
    assert flags.asked() == {"a": 2, "nope": 1}


def test_the_machine_kills_nothing_in_a_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WIGWAG_KILL", "a")
    assert FakeFlags(a=True).is_enabled("a")
    assert FakeFlags.from_dict({"a": True}).is_enabled("a")


def test_changes_are_told_at_once_where_there_is_no_event_loop() -> None:
    flags = FakeFlags(a=True)
    told: list[str] = []
    flags.on_change(lambda change: told.append(f"{change.what} {change.key}"))
    flags.set(a=False, b=True)
    flags.kill("b")
    assert told == ["updated a", "created b", "killed b"]
