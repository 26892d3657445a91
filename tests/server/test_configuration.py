"""From what is wanted to changes, as properties: of any state and anything wanted."""

from collections.abc import Mapping
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.proto.strategies import flags as any_flag
from wigwag_proto.commit import Change
from wigwag_proto.differences import same_json
from wigwag_proto.flag import Flag, Segment
from wigwag_proto.references import check_references, check_references_of
from wigwag_server.admin.configuration import Wanted, plan
from wigwag_server.admin.difference import configuration, difference, differences_of, without_defaults

KEYS = ("a", "b", "c", "d")
KILL = {"by": "ann", "reason": "", "at": 1, "until": None}


@st.composite
def records(draw: st.DrawFn) -> dict[str, dict[str, Any]]:
    """Return a state with flags, some of them killed, some damaged, and segments."""
    flags: dict[str, Any] = {}
    for key in draw(st.sets(st.sampled_from(KEYS))):
        plain = {**draw(any_flag), "key": key, "createdAt": 3, "updatedAt": 4, "revision": 5}
        plain["kill"] = draw(st.sampled_from([None, KILL]))
        flags[key] = draw(st.sampled_from([plain, plain, plain, "damaged"]))
    segments = {
        key: {**msgspec.to_builtins(Segment(key=key, include=("ann",))), "revision": 2}
        for key in draw(st.sets(st.sampled_from(KEYS)))
    }
    return {"flag": flags, "segment": segments}


@st.composite
def wanted(draw: st.DrawFn) -> Wanted:
    flags = {key: configuration("flag", draw(any_flag)) or {} for key in draw(st.sets(st.sampled_from(KEYS)))}
    given_flags = {
        key: draw(st.sampled_from([config, without_defaults("flag", config)])) for key, config in flags.items()
    }
    return Wanted({"flag": given_flags}, frozenset(draw(st.sets(st.sampled_from(["flag", "segment"])))))


def applied(state: Mapping[str, Mapping[str, Any]], changes: list[Change]) -> dict[str, dict[str, Any]]:
    after = {kind: dict(table) for kind, table in state.items()}
    for change in changes:
        if change.value is None:
            del after[change.kind][change.key]
        else:
            after[change.kind][change.key] = change.value
    return after


def kills(state: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    read = {key: flag["kill"] for key, flag in state["flag"].items() if isinstance(flag, dict)}
    return {key: kill for key, kill in read.items() if kill is not None}


@settings(max_examples=200)
@given(state=records(), want=wanted())
def test_a_plan_brings_about_what_is_wanted_and_touches_no_kill(state: Any, want: Wanted) -> None:
    made = plan(want, state, 9, 70)
    after = applied(state, made.changes)
    assert kills(after) == kills(state)
    for key, config in want.records["flag"].items():
        now = configuration("flag", after["flag"][key])
        assert now is not None
        assert same_json(without_defaults("flag", now), without_defaults("flag", configuration("flag", config) or {}))
    if "flag" in want.whole:
        assert set(after["flag"]) == {*want.records["flag"], *made.kept}
        assert set(made.kept) <= set(kills(state))
    else:
        assert set(after["flag"]) == set(state["flag"]) | set(want.records["flag"])
    assert after["segment"] == ({} if "segment" in want.whole else state["segment"])
    assert plan(want, after, 10, 80).changes == []
    for change in made.changes:
        if change.value is not None:
            before = state[change.kind].get(change.key)
            assert (change.value["revision"], change.value["updatedAt"]) == (9, 70)
            assert change.value["createdAt"] == (before["createdAt"] if isinstance(before, dict) else 70)
    told = {(each["kind"], each["key"]) for each in differences_of(made.changes, state)}
    assert told == {(change.kind, change.key) for change in made.changes}


def test_true_is_no_number_and_ten_is_ten() -> None:
    assert same_json({"a": [1, {"b": 10}]}, {"a": (1.0, {"b": 10.0})})
    assert not same_json({"a": 1}, {"a": True})
    assert not same_json([1], [1, 2])
    assert not same_json({"a": 1}, {"b": 1})
    assert not same_json(None, {})


def test_a_difference_says_what_and_by_field() -> None:
    flag = {"key": "a", "enabled": True, "rolloutPercentage": 10, "revision": 3}
    assert difference("flag", "a", flag, {**flag, "revision": 4, "kill": KILL, "rolloutPercentage": 10.0}) is None
    assert difference("flag", "a", None, flag) == {
        "kind": "flag",
        "key": "a",
        "change": "added",
        "fields": {
            "enabled": {"before": None, "after": True},
            "rolloutPercentage": {"before": None, "after": 10.0},
        },
    }
    assert (difference("flag", "a", flag, None) or {})["change"] == "removed"
    assert (difference("flag", "a", "damaged", flag) or {})["change"] == "changed"


links = st.dictionaries(st.sampled_from(KEYS), st.sets(st.sampled_from((*KEYS, "gone")), max_size=3), max_size=4)


@settings(max_examples=300)
@given(links=links, changed=st.sets(st.sampled_from(KEYS)))
def test_many_flags_at_once_are_held_to_what_each_alone_is(links: dict[str, set[str]], changed: set[str]) -> None:
    flags = {
        key: msgspec.convert({"key": key, "requires": [{"flag": each} for each in sorted(to)]}, Flag)
        for key, to in links.items()
    }
    alone = {
        (key, violation.pointer, violation.message)
        for key in changed & flags.keys()
        for violation in check_references(key, flags, {})
    }
    together = {
        (key, violation.pointer, violation.message)
        for key, violation in check_references_of(changed, (), flags, {}, most=1000)
    }
    broken_links = {each for each in together if each[1] != "/requires"}
    assert broken_links >= {each for each in alone if each[1] != "/requires"}
    # With a link to nothing in the same flag, the chain through it is told once that is mended.
    mine = {key for key in changed & flags.keys() if not any(each[0] == key for each in broken_links)}
    chains = {each for each in together if each[1] == "/requires" and each[0] in mine}
    assert chains == {each for each in alone if each[1] == "/requires" and each[0] in mine}


def test_a_segment_that_goes_is_missed_by_the_rules_on_it() -> None:
    rule = {"attribute": "userId", "operator": "inSegment", "value": "staff"}
    flags = {"a": msgspec.convert({"key": "a", "rules": [rule]}, Flag)}
    assert check_references_of((), {"staff"}, flags, {}, most=10)
    assert not check_references_of((), {"staff"}, flags, {"staff": Segment(key="staff")}, most=10)
