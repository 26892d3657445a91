"""The calls that application code makes."""

import signal
import subprocess
import sys
import time
from typing import Any

import pytest
from hypothesis import given

from tests.proto import strategies
from tests.proto.murmur3 import bucket_of
from wigwag.flags import Flags
from wigwag_proto.commit import Change
from wigwag_proto.context import Context
from wigwag_proto.decision import Reason, Variant
from wigwag_proto.flag import Kill
from wigwag_proto.ruleset import Ruleset
from wigwag_proto.usage import UNKNOWN_FLAGS_LIMIT, UsageCount

ON = {"enabled": True}
KILL = {"by": "ops", "at": 1}
PREMIUM = {"attribute": "plan", "operator": "equals", "value": "premium"}
BLUE = {"name": "blue", "weight": 1, "value": {"color": "#00f"}}


class Clock:
    """A monotonic clock that goes where it is set."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.reads = 0

    def __call__(self) -> float:
        self.reads += 1
        return self.now


class World:
    """A ruleset, the flags on it, and their clock."""

    def __init__(self, **flags: Any) -> None:
        self.ruleset = Ruleset()
        self.clock = Clock()
        self.ruleset.load({"flag": flags, "segment": {}}, 1)
        self.flags = Flags(self.ruleset, self.clock)

    def put(self, key: str, value: Any) -> None:
        self.ruleset.apply([Change("flag", key, value)], self.ruleset.revision + 1)

    def usage(self) -> set[tuple[str, bool, str, str | None, int]]:
        return {(c.flag, c.enabled, c.reason.value, c.variant, c.count) for c in self.ruleset.drain_usage()}


def test_a_context_or_its_parts_or_both_give_the_same() -> None:
    flags = World(f={**ON, "rules": [PREMIUM, {"attribute": "userId", "operator": "equals", "value": "u1"}]}).flags
    assert flags.is_enabled("f", user_id="u1", plan="premium")
    assert flags.is_enabled("f", Context("u1", plan="premium"))
    assert flags.is_enabled("f", Context("u1"), plan="premium")
    assert flags.is_enabled("f", Context("u2", plan="premium"), user_id="u1")
    assert flags.is_enabled("f", {"userId": "u1", "plan": "premium"})  # type: ignore[arg-type]
    assert flags.bind(Context("u1"), plan="premium").is_enabled("f")
    assert not flags.is_enabled("f", Context("u1"), plan="free")
    assert not flags.is_enabled("f")


def test_a_call_does_not_change_the_context() -> None:
    flags = World(f=ON).flags
    context = Context("u1", plan="free")
    flags.is_enabled("f", context, user_id="u2", plan="premium")
    flags.is_enabled("unknown", context, user_id="u2")
    flags.bind(context, plan="x").is_enabled("f")
    assert context == Context("u1", plan="free")


def test_the_default_is_for_unknown_flags_alone() -> None:
    flags = World(killed={**ON, "kill": KILL}, off={}).flags
    assert flags.is_enabled("nope", default=True)
    assert flags.bind().is_enabled("nope", default=True)
    assert not flags.is_enabled("nope")
    assert not flags.is_enabled("killed", default=True)
    assert not flags.is_enabled("off", default=True)


def test_a_variant_and_its_value() -> None:
    flags = World(f={**ON, "variants": [BLUE]}, off={"variants": [BLUE]}, plain=ON).flags
    assert flags.variant("f") == Variant("blue", {"color": "#00f"})
    assert flags.value("f", default=None) == {"color": "#00f"}
    for key in ("off", "plain", "nope"):
        assert flags.variant(key) is None
        assert flags.value(key, default="code") == "code"


def test_a_value_of_null_is_a_value() -> None:
    flags = World(f={**ON, "variants": [{"name": "a", "weight": 1, "value": None}]}).flags
    assert flags.value("f", default="code") is None


def test_explain_says_why_with_every_step() -> None:
    world = World(f={**ON, "rules": [PREMIUM], "rolloutPercentage": 50, "revision": 7})
    decision = world.flags.explain("f", user_id="user-2", plan="premium")
    assert (decision.flag, decision.reason, decision.revision) == ("f", Reason.ROLLOUT, 7)
    assert decision.bucket == bucket_of("f", "user-2", 0)
    assert decision.steps[0] == "rules[0]: plan equals … matches"
    assert "bucket" in decision.steps[1]
    assert world.flags.explain("nope", default=True).reason is Reason.UNKNOWN_FLAG
    assert world.flags.explain("nope", default=True).enabled
    assert world.usage() == set()


def test_all_decides_every_flag() -> None:
    decisions = World(a=ON, b={}, c={**ON, "rules": [PREMIUM]}).flags.all(plan="premium")
    assert {key: d.reason.value for key, d in decisions.items()} == {"a": "STATIC", "b": "DISABLED", "c": "RULE_MATCH"}


# Pins


def test_two_look_ups_of_one_binding_agree_whatever_arrives_between() -> None:
    world = World(f=ON, g={**ON, "variants": [BLUE]})
    bound = world.flags.bind(user_id="u")
    world.put("f", {})
    world.put("g", None)
    assert bound.is_enabled("f")
    assert bound.value("g", default=0) == {"color": "#00f"}
    assert set(bound.all()) == {"f", "g"}
    assert not world.flags.is_enabled("f")
    assert world.flags.value("g", default=0) == 0


def test_kills_of_every_sort_pierce_a_binding() -> None:
    world = World(f=ON, g=ON, h={**ON, "requires": [{"flag": "g"}]})
    bound = world.flags.bind(user_id="u")
    world.put("f", {**ON, "kill": KILL})
    world.ruleset.kill_out_of_band({"g": Kill(by="WIGWAG_KILL", at=0)})
    assert [bound.is_enabled(key) for key in "fgh"] == [False, False, False]
    assert bound.explain("g").reason is Reason.KILLED


def test_fail_safe_pierces_a_binding() -> None:
    world = World(f={**ON, "failSafeAfter": 30})
    world.ruleset.proven_at = world.clock.now
    bound = world.flags.bind()
    world.put("f", {**ON, "failSafeAfter": 30, "description": "edited"})
    assert bound.is_enabled("f")
    world.clock.now += 31
    assert not bound.is_enabled("f")


# The dead man's switch


def test_fail_safe_counts_from_the_last_proof_on_the_monotonic_clock() -> None:
    world = World(f={**ON, "failSafeAfter": 30, "variants": [BLUE]}, above={**ON, "requires": [{"flag": "f"}]})
    assert not world.flags.is_enabled("f")  # never proven
    world.ruleset.proven_at = 1000.0
    for now, on in ((1000.0, True), (1030.0, True), (1030.001, False), (1000.5, True), (900.0, True)):
        world.clock.now = now
        assert world.flags.is_enabled("f") is on
        assert world.flags.is_enabled("above") is on
        assert (world.flags.variant("f") is not None) is on
        assert world.flags.explain("f").enabled is on
    world.clock.now = 1031.0
    world.ruleset.proven_at = 1002.0
    assert world.flags.is_enabled("f")


def test_flags_without_fail_safe_never_read_the_clock() -> None:
    world = World(f={**ON, "rules": [PREMIUM], "rolloutPercentage": 50})
    world.flags.is_enabled("f", user_id="u", plan="premium")
    world.flags.bind(user_id="u").explain("f")
    assert world.clock.reads == 0


SUSPENDED = """
import sys, time
from wigwag.flags import Flags
from wigwag_proto.ruleset import Ruleset
ruleset = Ruleset()
ruleset.load({"flag": {"f": {"enabled": True, "failSafeAfter": 0.5}}}, 1)
ruleset.proven_at = time.monotonic()
flags = Flags(ruleset, time.monotonic)
print(flags.is_enabled("f"), flush=True)
sys.stdin.readline()
print(flags.is_enabled("f"), flush=True)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="needs SIGSTOP")
def test_a_process_that_was_suspended_knows_that_it_is_stale_when_it_wakes() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SUSPENDED], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "True\n"
        process.send_signal(signal.SIGSTOP)
        time.sleep(0.7)
        process.stdin.write("\n")
        process.stdin.flush()
        process.send_signal(signal.SIGCONT)
        assert process.stdout.readline() == "False\n"


# Never raises


@given(strategies.flags, strategies.contexts)
def test_no_flag_and_no_attributes_make_a_call_raise(flag: dict[str, Any], attributes: dict[str, Any]) -> None:
    world = World(f=flag)
    for context in (Context.from_plain(attributes), attributes):
        bound = world.flags.bind(context)  # type: ignore[arg-type]
        expected = bound.explain("f").enabled
        assert bound.is_enabled("f") is expected
        assert world.flags.is_enabled("f", context) is expected  # type: ignore[arg-type]
        world.flags.value("f", context, default=None)  # type: ignore[arg-type]


@pytest.mark.parametrize("user", [1, True, 1.5, b"u", [], {}, object(), "\ud800", "x" * 10_000, strategies.Hostile()])
def test_a_user_id_of_any_type_is_survived(user: Any) -> None:
    flags = World(
        f={**ON, "rolloutPercentage": 50, "blacklist": ["x"], "variants": [BLUE, {**BLUE, "name": "b"}]}
    ).flags
    assert flags.is_enabled("f", user_id=user) is flags.explain("f", user_id=user).enabled
    flags.value("f", user_id=user, default=0)


@pytest.mark.parametrize("key", [None, 5, [], {}, "\ud800", "x" * 10_000, object(), strategies.Hostile()])
def test_a_key_of_any_type_is_an_unknown_flag(key: Any) -> None:
    world = World(f=ON)
    assert world.flags.is_enabled(key, default=True)
    assert not world.flags.bind().is_enabled(key)
    assert world.flags.variant(key) is None
    assert world.flags.explain(key).reason is Reason.UNKNOWN_FLAG
    assert len(world.ruleset.drain_unknown()) == 1


@pytest.mark.parametrize("context", [5, "u1", [], object(), strategies.Hostile()])
def test_a_context_of_any_type_is_survived(context: Any) -> None:
    flags = World(f={**ON, "rules": [PREMIUM]}).flags
    assert not flags.is_enabled("f", context)
    assert not flags.bind(context).is_enabled("f")
    assert flags.is_enabled("f", context, plan="premium")


# The named defects that show in a decision


def test_defect_a_ramp_does_not_revive_a_killed_flag() -> None:
    world = World(f={**ON, "kill": KILL, "rolloutPercentage": 1})
    for percentage in (10, 50, 100):
        world.put("f", {**ON, "kill": KILL, "rolloutPercentage": percentage})
        assert not world.flags.is_enabled("f", user_id="u")


def test_defect_a_partial_rollout_does_not_let_all_anonymous_users_in() -> None:
    flags = World(f={**ON, "rolloutPercentage": 99.999}).flags
    assert not flags.is_enabled("f")
    assert flags.explain("f").reason is Reason.NO_BUCKET_KEY


def test_defect_rules_are_not_skipped_when_no_attributes_are_given() -> None:
    assert not World(f={**ON, "rules": [PREMIUM]}).flags.is_enabled("f", user_id="u")


def test_defect_greater_than_does_not_pass_on_a_missing_attribute() -> None:
    for operator in ("greaterThan", "greaterThanOrEqual", "lessThan", "lessThanOrEqual", "notEquals"):
        flags = World(f={**ON, "rules": [{"attribute": "age", "operator": operator, "value": 0}]}).flags
        assert not flags.is_enabled("f", user_id="u"), operator


def test_defect_a_kill_keeps_the_edit_that_came_before_it() -> None:
    world = World(f=ON)
    world.put("f", {**ON, "rolloutPercentage": 0})
    world.ruleset.kill_out_of_band({"f": Kill(by="kill file", at=0)})
    world.ruleset.kill_out_of_band({})
    assert world.flags.explain("f").reason is Reason.ROLLOUT


def test_defect_a_deleted_flag_does_not_live_on() -> None:
    world = World(f=ON)
    assert world.flags.is_enabled("f")
    world.put("f", None)
    assert not world.flags.is_enabled("f")
    assert world.flags.all() == {}


def test_defect_a_kill_of_a_misspelt_name_does_not_look_like_success() -> None:
    world = World(checkout=ON)
    changes = world.ruleset.kill_out_of_band({"chekout": Kill(by="WIGWAG_KILL", at=0)})
    assert [(c.key, c.before) for c in changes] == [("chekout", None)]  # the change says that no such flag was there
    assert world.flags.is_enabled("checkout")


def test_defect_one_malformed_flag_does_not_stop_the_refresh_of_all_after_it() -> None:
    world = World(a={"enabled": "yes"}, b=ON)
    assert world.flags.is_enabled("b")
    assert list(world.ruleset.unreadable) == ["a"]


def test_defect_no_usage_is_no_division_by_zero() -> None:
    assert World(f=ON).ruleset.drain_usage() == []


# Usage


def test_uses_are_counted_per_flag_and_outcome_and_drained_once() -> None:
    world = World(f={**ON, "variants": [BLUE]}, g={**ON, "rules": [PREMIUM]}, t={**ON, "failSafeAfter": 1})
    for _ in range(3):
        world.flags.is_enabled("f")
    world.flags.value("f", default=0)
    world.flags.is_enabled("g", plan="premium")
    world.flags.bind().is_enabled("g")
    world.flags.is_enabled("g", plan=strategies.Hostile())
    world.flags.is_enabled("t")
    assert world.usage() == {
        ("f", True, "STATIC", "blue", 4),
        ("g", True, "RULE_MATCH", None, 1),
        ("g", False, "RULE_MISMATCH", None, 2),
        ("t", False, "FAIL_SAFE", None, 1),
    }
    assert world.usage() == set()


def test_the_counts_of_a_patched_or_deleted_flag_are_not_lost() -> None:
    world = World(f=ON, gone=ON)
    bound = world.flags.bind()
    bound.is_enabled("f")
    bound.is_enabled("gone")
    world.put("f", {**ON, "description": "patched"})
    world.put("gone", None)
    bound.is_enabled("f")
    world.flags.is_enabled("f")
    bound.is_enabled("gone")
    assert world.usage() == {("f", True, "STATIC", None, 3), ("gone", True, "STATIC", None, 2)}
    assert world.usage() == set()


def test_unknown_flags_are_reported_once_and_counted_in_a_bounded_table() -> None:
    world = World()
    for _ in range(2):
        for n in range(UNKNOWN_FLAGS_LIMIT + 500):
            world.flags.is_enabled(f"nope-{n}", default=True)
        assert len(world.ruleset.drain_unknown()) in (UNKNOWN_FLAGS_LIMIT, 0)
    counts = world.ruleset.drain_usage()
    assert len(counts) == UNKNOWN_FLAGS_LIMIT + 1
    assert sum(count.count for count in counts) == 2 * (UNKNOWN_FLAGS_LIMIT + 500)
    assert UsageCount("nope-0", True, Reason.UNKNOWN_FLAG, None, 2) in counts
