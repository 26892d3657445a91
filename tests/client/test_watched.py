"""Outcomes: what `watch`, `guard` and `track` count for the flags whose code ran."""

import asyncio
import os
import subprocess
import sys
from typing import Any

import pytest

from tests.client.test_flags import BLUE, KILL, ON, PREMIUM, World
from wigwag_proto.context import Context
from wigwag_proto.flag import Kill
from wigwag_proto.runs import RunCount

HALF = {**ON, "rolloutPercentage": 50}


def rows(world: World) -> dict[tuple[str, bool], RunCount]:
    return {(row.flag, row.enabled): row for row in world.ruleset.drain_runs()}


def endings(world: World) -> dict[tuple[str, bool], tuple[int, int, int]]:
    return {side: (row.successes, row.errors, row.cancelled) for side, row in rows(world).items()}


def test_a_watched_job_counts_for_every_flag_that_decided_in_it_and_no_other() -> None:
    world = World(on=ON, off={}, variant={**ON, "variants": [BLUE]}, timed={**ON, "failSafeAfter": 9}, unasked=ON)
    with world.flags.watch(user_id="u") as flags:
        assert flags.is_enabled("on")
        assert flags.is_enabled("on")
        assert not flags.is_enabled("off")
        assert flags.value("variant", default=None) == {"color": "#00f"}
        assert not flags.is_enabled("timed")  # never proven current
        assert flags.is_enabled("nope", default=True)
        flags.explain("unasked")
        flags.all()
    assert endings(world) == {
        ("on", True): (1, 0, 0),
        ("off", False): (1, 0, 0),
        ("variant", True): (1, 0, 0),
        ("timed", False): (1, 0, 0),
    }
    assert flags.decided["nope"] is None


def test_a_watched_job_counts_as_often_as_any_other_look_up() -> None:
    world = World(f={**ON, "variants": [BLUE]}, g={**ON, "rules": [PREMIUM]})
    with world.flags.watch(plan="premium") as flags:
        flags.is_enabled("f")
        flags.variant("f")
        flags.is_enabled("g")
    assert world.usage() == {("f", True, "STATIC", "blue", 2), ("g", True, "RULE_MATCH", None, 1)}


@pytest.mark.parametrize(
    ("error", "counted"),
    [(ValueError(), (0, 1, 0)), (asyncio.CancelledError(), (0, 0, 1)), (KeyboardInterrupt(), (0, 0, 1))],
)
def test_how_a_block_was_left_is_counted_and_the_exception_goes_on(
    error: BaseException, counted: tuple[int, ...]
) -> None:
    world = World(f=ON)
    watched = world.flags.watch()
    watched.is_enabled("f")
    with pytest.raises(type(error)):
        with watched:
            raise error
    with pytest.raises(type(error)):
        with world.flags.guard("g"):
            raise error
    assert endings(world) == {("f", True): counted, ("g", True): counted}


def test_an_expected_exception_is_a_success() -> None:
    world = World(f=ON)
    with pytest.raises(KeyError):
        with world.flags.guard("f", expected=LookupError):
            raise KeyError
    with pytest.raises(TypeError):
        with world.flags.guard("f", expected=(LookupError, ValueError)):
            raise TypeError
    assert endings(world) == {("f", True): (1, 1, 0)}


def test_the_duration_is_that_until_the_answer_began() -> None:
    world = World(f=ON)
    with world.flags.watch() as flags:
        flags.is_enabled("f")
        world.clock.now += 0.2
        flags.answered()
        world.clock.now += 100
    with world.flags.guard("f"):
        world.clock.now += 7
    row = rows(world)["f", True]
    assert round(row.seconds, 6) == 7.2
    assert (row.durations[7], row.durations[12]) == (1, 1)


def test_a_job_ends_once() -> None:
    world = World(f=ON)
    with world.flags.watch() as flags:
        flags.is_enabled("f")
        with flags:
            pass
    assert endings(world) == {("f", True): (1, 0, 0)}


def test_a_flag_killed_on_the_way_counts_for_the_code_that_had_begun() -> None:
    world = World(f=ON)
    with world.flags.watch() as flags:
        assert flags.is_enabled("f")
        world.ruleset.kill_out_of_band({"f": Kill(by="ops", at=0)})
        assert not flags.is_enabled("f")
    assert endings(world) == {("f", True): (1, 0, 0)}


def test_which_side_ran_is_said_or_decided_or_on() -> None:
    world = World(half=HALF, killed={**ON, "kill": KILL})
    off = next(f"u{n}" for n in range(100) if not world.flags.is_enabled("half", user_id=f"u{n}"))
    world.flags.track("half", error=True)
    world.flags.track("half", Context(off), error=True)
    world.flags.track("half", Context(off), enabled=True)
    world.flags.track("half", enabled=False, duration_s=0.5)
    world.flags.bind(user_id=off).track("half")
    with world.flags.bind().guard("killed"):
        pass
    with world.flags.bind().guard("killed", enabled=True):
        pass
    assert endings(world) == {
        ("half", True): (1, 1, 0),
        ("half", False): (2, 1, 0),
        ("killed", False): (1, 0, 0),
        ("killed", True): (1, 0, 0),
    }


def test_tracking_decides_nothing_that_is_counted_as_a_use() -> None:
    world = World(f=HALF)
    world.flags.track("f", Context("u"))
    world.flags.bind(user_id="u").track("f")
    assert world.usage() == set()


FORKED = """
import os
from wigwag import FlagClient

flags = FlagClient.from_dict({"f": True})
with flags.watch() as watched:
    watched.is_enabled("f")
child = os.fork()
if child:
    os.waitpid(child, 0)
print(len(flags._ruleset.drain_usage()), len(flags._ruleset.drain_runs()), flush=True)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_what_was_counted_before_a_fork_is_counted_once() -> None:
    out = subprocess.run([sys.executable, "-c", FORKED], capture_output=True, text=True, timeout=30, check=True).stdout
    assert out == "0 0\n1 1\n"  # the child, then the parent


@pytest.mark.parametrize("key", [None, 5, [], object()])
def test_a_key_of_any_type_is_survived(key: Any) -> None:
    world = World()
    world.flags.track(key, error=True)
    world.flags.bind().track(key)
    with world.flags.guard(key), world.flags.watch() as flags:
        flags.is_enabled(key)


def test_the_variant_is_counted_where_it_is_known() -> None:
    split = {**ON, "variants": [{"name": "blue", "weight": 1}]}
    world = World(f=split)
    with world.flags.watch(user_id="u") as flags:
        assert flags.is_enabled("f")
    with world.flags.bind(user_id="u").guard("f") as guard:
        assert (guard.enabled, guard.variant) == (True, "blue")
    world.flags.track("f", Context("u"), error=True)
    world.flags.track("f", variant="red")
    world.flags.track("f")
    world.flags.track("f", Context("u"), enabled=False)
    counted = {(row.enabled, row.variant): row.successes + row.errors for row in world.ruleset.drain_runs()}
    assert counted == {(True, "blue"): 3, (True, "red"): 1, (True, None): 1, (False, None): 1}
