"""Circuits: a flag goes off in one process when the code behind it fails too often there, and comes back carefully."""

import asyncio
import itertools
import logging
import math
import sys
import threading
from contextlib import suppress
from typing import Any

import pytest

from tests.client.test_flags import KILL, ON, World
from tests.proto import strategies
from wigwag import Circuit, Reason
from wigwag.flags import Flags
from wigwag.testing import FakeFlags
from wigwag_proto.circuit import Breaker
from wigwag_proto.context import Context
from wigwag_proto.runs import Ending

CIRCUIT = Circuit(errors=3, within_s=10, share=0.5, cool_down_s=60)
COOL_DOWN_S = 60.0


class Broken(Exception):
    """What the code behind the flag raises."""


def run(flags: Flags, *, fails: bool, circuit: Circuit = CIRCUIT, **options: Any) -> None:
    """Run the code behind the flag once."""
    with suppress(Broken), flags.guard("f", trip=circuit, **options):
        if fails:
            raise Broken


def tripped(**flag: Any) -> World:
    world = World(f={**ON, **flag})
    for _ in range(3):
        run(world.flags, fails=True)
    return world


def test_too_many_failures_turn_the_flag_off_and_the_reason_says_so() -> None:
    world = World(f=ON)
    run(world.flags, fails=True)
    run(world.flags, fails=True)
    assert world.flags.is_enabled("f")
    run(world.flags, fails=True)
    assert not world.flags.is_enabled("f")
    assert world.flags.value("f", default="safe") == "safe"
    decision = world.flags.explain("f")
    assert (decision.enabled, decision.reason) == (False, Reason.CIRCUIT)
    assert "3 of 3 runs failed within 10 s in this process" in decision.steps[-1]
    assert ("f", False, "CIRCUIT", None, 2) in world.usage()


def test_without_a_circuit_nothing_trips() -> None:
    world = World(f=ON)
    for _ in range(100):
        with pytest.raises(Broken), world.flags.guard("f"):
            raise Broken
    assert world.flags.is_enabled("f")


@pytest.mark.parametrize(
    ("runs", "trips"),
    [
        ([True, True, True], True),
        ([False] * 3 + [True] * 3, True),
        ([False] * 4 + [True] * 3, False),  # fewer than half
    ],
)
def test_failures_must_be_a_share_of_the_runs(runs: list[bool], trips: bool) -> None:
    world = World(f=ON)
    for fails in runs:
        run(world.flags, fails=fails)
    assert world.flags.is_enabled("f") is not trips


@pytest.mark.parametrize(("apart_s", "trips"), [(5.0, True), (5.5, False)])
def test_failures_count_for_the_time_given(apart_s: float, trips: bool) -> None:
    world = World(f=ON)
    for _ in range(3):
        run(world.flags, fails=True)
        world.clock.now += apart_s
    assert ("f" in world.ruleset.circuits.tripped()) is trips


def test_failures_long_ago_and_of_the_other_side_and_expected_ones_do_not_count() -> None:
    world = World(f=ON)
    for _ in range(6):
        run(world.flags, fails=True)
        world.clock.now += 6.0
    for _ in range(6):
        run(world.flags, fails=True, enabled=False)
        run(world.flags, fails=True, expected=Broken)
    assert world.flags.is_enabled("f")


def test_after_the_cool_down_one_is_let_through_until_it_has_ended() -> None:
    world = tripped()
    world.clock.now += COOL_DOWN_S
    first, second = Context("u1"), Context("u2")
    assert world.flags.is_enabled("f", first)
    assert world.flags.is_enabled("f", first)  # the same one is not told this and then that
    assert not world.flags.is_enabled("f", second)
    run(world.flags, fails=True)
    assert not world.flags.is_enabled("f", first)
    world.clock.now += COOL_DOWN_S
    assert world.flags.is_enabled("f", second)
    assert not world.flags.is_enabled("f", first)
    run(world.flags, fails=False)
    assert world.flags.is_enabled("f", first)
    assert world.flags.is_enabled("f", second)
    assert world.flags.explain("f").reason is Reason.STATIC


def test_who_was_let_through_and_never_ran_does_not_keep_others_out_for_ever() -> None:
    world = tripped()
    world.clock.now += COOL_DOWN_S
    assert world.flags.is_enabled("f")
    world.clock.now += 4.5
    assert not world.flags.is_enabled("f")
    world.clock.now += 0.5
    assert world.flags.is_enabled("f")


def test_a_cancelled_run_says_nothing_and_lets_the_next_one_through() -> None:
    world = tripped()
    world.clock.now += COOL_DOWN_S
    assert world.flags.is_enabled("f", Context("u1"))
    with pytest.raises(asyncio.CancelledError), world.flags.guard("f", trip=CIRCUIT):
        raise asyncio.CancelledError
    assert world.flags.explain("f").enabled
    assert "f" in world.ruleset.circuits.tripped()


def test_who_asks_again_does_not_keep_others_out_for_longer() -> None:
    world = tripped()
    world.clock.now += COOL_DOWN_S
    first, second = Context("u1"), Context("u2")
    assert world.flags.is_enabled("f", first)
    world.clock.now += 4.5
    assert world.flags.is_enabled("f", first)
    world.clock.now += 0.5
    assert world.flags.is_enabled("f", second)


def test_to_explain_keeps_nobody_out() -> None:
    world = tripped()
    world.clock.now += COOL_DOWN_S
    assert world.flags.explain("f").enabled
    assert world.flags.all()["f"].enabled
    assert world.flags.is_enabled("f")


def test_a_run_that_began_before_it_tripped_says_nothing_about_now() -> None:
    world = World(f=ON)
    slow = world.flags.guard("f", trip=CIRCUIT)
    with slow:
        for _ in range(3):
            run(world.flags, fails=True)
        world.clock.now += COOL_DOWN_S
    assert world.flags.is_enabled("f", Context("u1"))
    assert not world.flags.is_enabled("f", Context("u2"))


def test_a_guard_with_a_context_says_which_code_is_to_run() -> None:
    world = World(f={**ON, "variants": [{"name": "blue", "weight": 1}]})
    context = Context("u1")

    def work() -> str:
        with world.flags.guard("f", context, trip=CIRCUIT) as guard:
            if guard.enabled:
                raise Broken
            return f"old code, {guard.variant}"

    for _ in range(3):
        with pytest.raises(Broken):
            work()
    assert work() == "old code, None"
    world.clock.now += COOL_DOWN_S
    with (
        world.flags.guard("f", context, trip=CIRCUIT) as one,
        world.flags.guard("f", Context("u2"), trip=CIRCUIT) as two,
    ):
        assert (one.enabled, two.enabled) == (True, False)


def test_a_kill_comes_first_and_a_required_flag_takes_others_with_it() -> None:
    world = World(f=ON, above={**ON, "requires": [{"flag": "f"}]})
    assert world.flags.is_enabled("above")
    for _ in range(3):
        run(world.flags, fails=True)
    assert world.flags.explain("above").reason is Reason.PREREQUISITE
    assert not world.flags.is_enabled("above")
    world.clock.now += COOL_DOWN_S
    assert world.flags.is_enabled("above")  # lets one through
    assert not world.flags.is_enabled("f")
    world.put("f", {**ON, "kill": KILL})
    assert world.flags.explain("f").reason is Reason.KILLED


def test_it_shows_through_to_flags_bound_before_and_an_edit_does_not_end_it() -> None:
    world = World(f=ON)
    bound = world.flags.bind()
    world.put("f", {**ON, "description": "later"})
    for _ in range(3):
        run(world.flags, fails=True)
    assert not bound.is_enabled("f")
    world.put("f", {**ON, "description": "edited"})
    assert not world.flags.is_enabled("f")
    while_tripped = [world.flags.bind(), world.flags.bind(user_id="u1"), world.flags.bind(user_id="u2")]
    world.clock.now += COOL_DOWN_S
    run(world.flags, fails=False)
    assert bound.is_enabled("f")
    assert all(each.is_enabled("f") for each in while_tripped)
    assert world.flags.bind(user_id="u").is_enabled("f")


def test_a_flag_that_does_not_exist_has_no_circuit() -> None:
    world = World()
    for _ in range(10):
        run(world.flags, fails=True)
    assert world.ruleset.circuits.tripped() == {}
    world.put("f", ON)
    assert world.flags.is_enabled("f")


def test_an_attribute_that_cannot_be_compared_lets_no_crowd_through() -> None:
    world = tripped(rules=[{"attribute": "plan", "operator": "notEquals", "value": "x"}])
    world.clock.now += COOL_DOWN_S
    answers = [world.flags.is_enabled("f", plan=strategies.Hostile()) for _ in range(3)]
    assert sum(answers) <= 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"errors": 0},
        {"share": 1.5},
        {"share": -0.1},
        {"within_s": 0},
        {"within_s": 86_401},
        {"within_s": math.nan},
        {"cool_down_s": -1},
    ],
)
def test_a_circuit_that_makes_no_sense_is_refused_where_it_is_written(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="a circuit needs"):
        Circuit(**wrong)


def test_a_circuit_is_as_documented_where_nothing_is_said_and_may_go_to_the_limits() -> None:
    assert Circuit() == Circuit(errors=5, within_s=30, share=0.5, cool_down_s=60)
    for share, within_s in ((0, 0.001), (1, 86_400)):
        assert Circuit(errors=1, within_s=within_s, share=share, cool_down_s=0).share == share


def test_it_is_logged_once_and_stands_in_the_status(caplog: pytest.LogCaptureFixture) -> None:
    flags = FakeFlags(f=True)
    circuit = Circuit(errors=3, cool_down_s=0)
    with caplog.at_level(logging.WARNING, logger="wigwag"):
        for _ in range(20):
            run(flags, fails=True, circuit=circuit)
    assert "f" in flags.status.tripped
    assert [each.getMessage() for each in caplog.records] == [
        "flag 'f' is off in this process for 0 s: 3 of 3 runs failed within 30 s in this process"
    ]
    run(flags, fails=False, circuit=circuit)
    assert not flags.status.tripped
    assert flags.is_enabled("f")
    assert caplog.records[-1].getMessage().startswith("flag 'f' is decided as usual again")


def test_a_flag_that_is_deleted_while_it_is_tripped_is_not_told_of_and_is_off_when_it_comes_back() -> None:
    world = tripped()
    assert list(world.ruleset.tripped()) == ["f"]
    world.put("f", None)
    assert world.ruleset.tripped() == {}
    world.put("f", ON)
    assert list(world.ruleset.tripped()) == ["f"]
    assert not world.flags.is_enabled("f")


def test_threads_that_end_runs_while_a_circuit_closes_meet_no_error_of_it() -> None:
    breaker = Breaker(CIRCUIT, itertools.count().__next__)  # each run is in a slice of its own
    met: list[Exception] = []
    begun = threading.Barrier(3)

    def end_runs() -> None:
        begun.wait()
        try:
            for _ in range(60_000):
                breaker.ended(Ending.SUCCESS, 0.0)
        except Exception as error:  # noqa: BLE001  # whatever it is, an app would meet it
            met.append(error)

    threads = [threading.Thread(target=end_runs) for _ in range(2)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        begun.wait()
        while any(thread.is_alive() for thread in threads):
            breaker.close()
    finally:
        sys.setswitchinterval(interval)
    assert met == []
