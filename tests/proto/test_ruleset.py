"""The ruleset follows a replica, whatever the replica brings."""

import gc
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from wigwag_proto.commit import Change
from wigwag_proto.decision import Reason
from wigwag_proto.evaluate import decide
from wigwag_proto.flag import Kill
from wigwag_proto.ruleset import FlagChange, Ruleset, What

KILL = {"by": "ops", "reason": "errors", "at": 1}
ON = {"enabled": True}
PREMIUM = {"attribute": "plan", "operator": "equals", "value": "premium"}
IN_STAFF = {"attribute": "userId", "operator": "inSegment", "value": "staff"}


def ruleset_of(flags: dict[str, Any], segments: dict[str, Any] | None = None) -> Ruleset:
    """Return a loaded ruleset at revision 1."""
    ruleset = Ruleset()
    ruleset.load({"flag": flags, "segment": segments or {}}, 1)
    return ruleset


def put(key: str, value: Any, kind: str = "flag") -> Change:
    """Return a change of one record."""
    return Change(kind, key, value)


def reason(ruleset: Ruleset, key: str, **attributes: Any) -> Reason:
    """Decide on the newest state."""
    return decide(ruleset.newest.table[key], attributes).reason


def said(changes: list[FlagChange]) -> list[tuple[str, str]]:
    """Return what happened to which flag."""
    return sorted((change.key, change.what.value) for change in changes)


def test_a_load_tells_what_differs_and_keeps_what_is_the_same() -> None:
    ruleset = ruleset_of({"a": ON, "b": ON, "c": {"enabled": True, "kill": KILL}})
    kept = ruleset.newest.table["a"]
    changes = ruleset.load({"flag": {"a": dict(ON), "b": {}, "d": ON, "c": ON}, "segment": {}}, 2)
    assert said(changes) == [("b", "updated"), ("c", "revived"), ("d", "created")]
    assert ruleset.newest.table["a"] is kept
    assert {change.revision for change in changes} == {2}
    assert said(ruleset.load({"flag": {}, "segment": {}}, 3)) == [(key, "deleted") for key in "abcd"]


def test_true_instead_of_1_is_a_difference() -> None:
    variants = [{"name": "a", "weight": 1, "value": 1}]
    ruleset = ruleset_of({"f": {**ON, "variants": variants}})
    ruleset.load({"flag": {"f": {**ON, "variants": [{**variants[0], "value": True}]}}}, 2)
    variant = decide(ruleset.newest.table["f"], {}).variant
    assert variant is not None
    assert variant.value is True


def test_a_change_tells_created_updated_killed_revived_and_deleted() -> None:
    ruleset = Ruleset()
    story = [ON, {}, {"kill": KILL}, ON, None]
    what = [ruleset.apply([put("f", value)], n)[0].what for n, value in enumerate(story, 1)]
    assert what == [What.CREATED, What.UPDATED, What.KILLED, What.REVIVED, What.DELETED]
    assert ruleset.apply([put("f", None)], 6) == []
    assert ruleset.revision == 6


def test_a_change_carries_the_flag_before_and_after() -> None:
    ruleset = ruleset_of({"f": {**ON, "description": "old"}})
    (change,) = ruleset.apply([put("f", {**ON, "description": "new"})], 2)
    assert change.before is not None
    assert change.after is not None
    assert (change.before.description, change.after.description) == ("old", "new")


def test_one_malformed_flag_does_not_stop_the_refresh_of_all_after_it() -> None:
    ruleset = ruleset_of({"a": ON, "b": ON, "c": {}})
    ruleset.apply([put("a", {"enabled": "yes"}), put("b", {}), put("c", ON)], 2)
    assert list(ruleset.unreadable) == ["a"]
    assert reason(ruleset, "a") is Reason.STATIC  # its last good version
    assert reason(ruleset, "b") is Reason.DISABLED
    assert reason(ruleset, "c") is Reason.STATIC
    ruleset.apply([put("a", {})], 3)
    assert ruleset.unreadable == {}
    assert reason(ruleset, "a") is Reason.DISABLED


@pytest.mark.parametrize("nonsense", [{"enabled": 1}, {"rules": 5}, {"variants": [3]}, [], "x", 7, {"rules": [{}]}])
def test_a_malformed_flag_without_a_good_version_is_absent(nonsense: Any) -> None:
    ruleset = ruleset_of({"bad": nonsense, "good": ON})
    assert "bad" not in ruleset.newest.table
    assert "bad" in ruleset.unreadable
    assert reason(ruleset, "good") is Reason.STATIC


@pytest.mark.parametrize("kill", [KILL, True, "now", {"nobody": 1}])
def test_the_kill_of_a_malformed_flag_is_obeyed(kill: Any) -> None:
    ruleset = ruleset_of({"f": ON})
    ruleset.apply([put("f", {"enabled": "yes", "kill": kill}), put("new", {"enabled": "yes", "kill": kill})], 2)
    assert reason(ruleset, "f") is Reason.KILLED
    assert reason(ruleset, "new") is Reason.KILLED
    ruleset.apply([put("f", {"enabled": "yes"})], 3)
    assert reason(ruleset, "f") is Reason.KILLED  # its last good version is killed


def test_a_malformed_segment_keeps_its_last_good_version() -> None:
    ruleset = ruleset_of({"f": {**ON, "rules": [IN_STAFF]}}, {"staff": {"include": ["ann"]}})
    ruleset.apply([put("staff", {"include": 5}, "segment")], 2)
    assert list(ruleset.unreadable) == ["segment/staff"]
    assert reason(ruleset, "f", userId="ann") is Reason.RULE_MATCH


def test_a_deleted_flag_does_not_live_on_in_caches() -> None:
    ruleset = ruleset_of({"f": ON, "g": {**ON, "requires": [{"flag": "f"}]}})
    ruleset.apply([put("f", None)], 2)
    assert "f" not in ruleset.newest.table
    assert reason(ruleset, "g") is Reason.PREREQUISITE
    ruleset.apply([put("f", ON)], 3)
    assert reason(ruleset, "g") is Reason.STATIC


def test_a_changed_segment_reaches_what_requires_a_flag_that_names_it() -> None:
    flags = {
        "a": {**ON, "requires": [{"flag": "b"}]},
        "b": {**ON, "requires": [{"flag": "c"}]},
        "c": {**ON, "overrides": [{"name": "staff", "rules": [IN_STAFF]}], "rolloutPercentage": 0},
    }
    ruleset = ruleset_of(flags)
    assert reason(ruleset, "a", userId="ann") is Reason.PREREQUISITE
    assert ruleset.apply([put("staff", {"include": ["ann"]}, "segment")], 2) == []  # no flag is another flag
    assert reason(ruleset, "a", userId="ann") is Reason.STATIC
    ruleset.apply([put("staff", None, "segment")], 3)
    assert reason(ruleset, "a", userId="ann") is Reason.PREREQUISITE


def test_changes_of_one_commit_take_effect_together() -> None:
    ruleset = ruleset_of({"f": {**ON, "rules": [IN_STAFF]}}, {"staff": {"include": ["ann"]}})
    ruleset.apply(
        [put("f", {**ON, "rules": [{**IN_STAFF, "value": "crew"}]}), put("crew", {"include": ["bob"]}, "segment")], 2
    )
    assert reason(ruleset, "f", userId="bob") is Reason.RULE_MATCH
    assert reason(ruleset, "f", userId="ann") is Reason.RULE_MISMATCH


def test_a_patch_compiles_what_it_changes_and_nothing_else() -> None:
    ruleset = ruleset_of({f"f{n}": ON for n in range(2000)})
    before = {key: ruleset.newest.table[key] for key in ruleset.newest.table}
    ruleset.apply([put("f7", {})], 2)
    changed = [key for key in before if ruleset.newest.table[key] is not before[key]]
    assert changed == ["f7"]


def test_a_flag_is_left_alone_once_it_no_longer_refers_to_what_changes() -> None:
    ruleset = ruleset_of({"f": {**ON, "rules": [IN_STAFF], "requires": [{"flag": "g"}]}, "g": ON}, {"staff": {}})
    ruleset.apply([put("f", ON)], 2)
    compiled = ruleset.newest.table["f"]
    ruleset.apply([put("staff", {"include": ["ann"]}, "segment"), put("g", {})], 3)
    assert ruleset.newest.table["f"] is compiled


def test_cycles_in_the_log_are_off_and_can_be_mended() -> None:
    ruleset = ruleset_of({k: {**ON, "requires": [{"flag": r}]} for k, r in ("ab", "bc", "ca", "da")})
    assert {reason(ruleset, key) for key in "abcd"} == {Reason.PREREQUISITE}
    ruleset.apply([put("c", ON)], 2)
    assert {reason(ruleset, key) for key in "abcd"} == {Reason.STATIC}


def test_a_chain_of_a_thousand_requirements_is_survived() -> None:
    flags = {f"f{n}": {**ON, "requires": [{"flag": f"f{n + 1}"}]} for n in range(1000)}
    ruleset = ruleset_of({**flags, "other": ON})
    assert reason(ruleset, "other") is Reason.STATIC
    assert reason(ruleset, "f999") is Reason.PREREQUISITE


# Kills out of band


def test_a_kill_out_of_band_is_in_force_until_it_is_not_in_the_set() -> None:
    ruleset = ruleset_of({"f": ON, "g": {**ON, "requires": [{"flag": "f"}]}})
    kill = Kill(by="WIGWAG_KILL", at=0)
    assert said(ruleset.kill_out_of_band({"f": kill})) == [("f", "killed")]
    assert reason(ruleset, "f") is Reason.KILLED
    assert reason(ruleset, "g") is Reason.PREREQUISITE
    assert ruleset.kill_out_of_band({"f": kill}) == []
    ruleset.apply([put("f", {**ON, "description": "edited"})], 2)
    assert reason(ruleset, "f") is Reason.KILLED
    assert said(ruleset.kill_out_of_band({})) == [("f", "revived")]
    assert reason(ruleset, "f") is Reason.STATIC


def test_a_key_that_is_killed_before_any_flag_was_loaded_is_killed() -> None:
    ruleset = Ruleset()
    ruleset.kill_out_of_band({"f": Kill(by="kill file", at=0)})
    assert reason(ruleset, "f") is Reason.KILLED
    ruleset.load({"flag": {"f": ON}, "segment": {}}, 1)
    assert reason(ruleset, "f") is Reason.KILLED
    ruleset.kill_out_of_band({})
    assert reason(ruleset, "f") is Reason.STATIC


def test_the_bare_kill_of_no_flag_goes_away_with_the_kill() -> None:
    ruleset = Ruleset()
    ruleset.kill_out_of_band({"f": Kill(by="kill file", at=0)})
    assert said(ruleset.kill_out_of_band({})) == [("f", "deleted")]
    assert "f" not in ruleset.newest.table


def test_a_flag_killed_twice_stays_killed_until_both_are_lifted() -> None:
    ruleset = ruleset_of({"f": {**ON, "kill": KILL}})
    assert ruleset.kill_out_of_band({"f": Kill(by="kill file", at=0)}) == []
    assert ruleset.apply([put("f", ON)], 2)[0].what is What.UPDATED
    assert reason(ruleset, "f") is Reason.KILLED
    assert said(ruleset.kill_out_of_band({})) == [("f", "revived")]


# Pins


def test_a_pin_shows_its_own_state_whatever_comes_later() -> None:
    ruleset = ruleset_of({"f": ON, "gone": ON, "same": ON})
    pin = ruleset.pin()
    ruleset.apply([put("f", {}), put("gone", None)], 2)
    ruleset.apply([put("f", {**ON, "description": "third"}), put("new", ON)], 3)
    ruleset.load({"flag": {"other": ON}, "segment": {}}, 4)
    assert sorted(pin.table) == ["f", "gone", "same"]
    assert pin.table["f"].flag.description == ""
    assert pin.revision == 1
    with pytest.raises(KeyError):
        pin.table["new"]
    assert sorted(ruleset.newest.table) == ["other"]


def test_pins_of_many_states_each_show_their_own() -> None:
    ruleset = Ruleset()
    pins = []
    for revision in range(1, 60):
        ruleset.apply([put(f"f{revision % 7}", {**ON, "revision": revision})], revision)
        table = ruleset.newest.table
        pins.append((ruleset.pin(), {key: table[key].flag.revision for key in table}))
    for pin, expected in (*pins[::2], *reversed(pins)):
        assert {key: pin.table[key].flag.revision for key in pin.table} == expected


def test_a_pin_that_read_before_and_after_later_changes_stays_the_same() -> None:
    ruleset = ruleset_of({"f": {**ON, "revision": 1}})
    pin = ruleset.pin()
    for revision in range(2, 6):
        ruleset.apply([put("f", {**ON, "revision": revision})], revision)
        assert pin.table["f"].flag.revision == 1


def test_kills_pierce_a_pin_and_go_when_they_are_lifted() -> None:
    ruleset = ruleset_of({"f": ON, "g": {**ON, "requires": [{"flag": "f"}]}})
    pin = ruleset.pin()
    story: list[tuple[Callable[[], object], Callable[[], object]]] = [
        (
            partial(ruleset.apply, [put("f", {**ON, "kill": KILL})], 2),
            partial(ruleset.apply, [put("f", {})], 3),
        ),
        (
            partial(ruleset.kill_out_of_band, {"f": Kill(by="kill file", at=0)}),
            partial(ruleset.kill_out_of_band, {}),
        ),
    ]
    for kill, lift in story:
        kill()
        assert decide(pin.table["f"], {}).reason is Reason.KILLED
        assert decide(pin.table["g"], {}).reason is Reason.PREREQUISITE
        lift()
        assert decide(pin.table["f"], {}).reason is Reason.STATIC
        assert decide(pin.table["g"], {}).reason is Reason.STATIC


def test_a_pin_taken_while_killed_stays_killed() -> None:
    ruleset = ruleset_of({"f": {**ON, "kill": KILL}})
    pin = ruleset.pin()
    ruleset.apply([put("f", ON)], 2)
    assert decide(pin.table["f"], {}).reason is Reason.KILLED


def test_deleting_a_killed_flag_does_not_turn_it_on_for_a_pin() -> None:
    ruleset = ruleset_of({"f": ON})
    pin = ruleset.pin()
    ruleset.apply([put("f", {**ON, "kill": KILL})], 2)
    ruleset.apply([put("f", None)], 3)
    assert decide(pin.table["f"], {}).reason is Reason.KILLED


def test_a_flag_created_killed_after_the_pin_is_killed_for_the_pin() -> None:
    ruleset = Ruleset()
    pin = ruleset.pin()
    ruleset.apply([put("f", {**ON, "kill": KILL})], 1)
    assert decide(pin.table["f"], {}).reason is Reason.KILLED


def test_states_that_nobody_holds_are_freed() -> None:
    ruleset = ruleset_of({"f": ON})
    pin = ruleset.pin()
    held = weakref.ref(pin)
    ruleset.apply([put("f", {})], 2)
    gc.collect()
    assert held() is pin
    del pin
    gc.collect()
    assert held() is None


# Time


def test_staleness_counts_from_the_last_proof() -> None:
    ruleset = Ruleset()
    assert ruleset.stale_for(100.0) == float("inf")
    ruleset.proven_at = 90.0
    assert ruleset.stale_for(100.0) == 10.0


def test_only_flags_with_fail_safe_or_that_require_one_look_at_time() -> None:
    ruleset = ruleset_of(
        {
            "plain": ON,
            "timed": {**ON, "failSafeAfter": 30},
            "above": {**ON, "requires": [{"flag": "timed"}]},
            "killed": {**ON, "failSafeAfter": 30, "kill": KILL},
        }
    )
    timed = [key for key in ruleset.newest.table if ruleset.newest.table[key].check_at is not None]
    assert timed == ["timed", "above"]
