"""Taking samples in an app: bounded, out of the way of decisions, and only while somebody asks."""

import time
from random import Random
from typing import Any

from tests.proto.strategies import Hostile
from wigwag.flags import Flags
from wigwag.sampler import FROM_ONE_FLAG, Sampler
from wigwag_proto.commit import Change
from wigwag_proto.ruleset import Ruleset

SALT = bytes(32)
HALF: dict[str, Any] = {"enabled": True, "rolloutPercentage": 50}


def an_app(flags: int) -> tuple[Ruleset, Flags, Sampler]:
    ruleset = Ruleset()
    sampler = Sampler(ruleset, Random(1))
    ruleset.load({"flag": {f"f{n}": {"key": f"f{n}", **HALF} for n in range(flags)}}, 1)
    return ruleset, Flags(ruleset, time.monotonic), sampler


def taken(sampler: Sampler) -> list[str]:
    drained = sampler.drain()
    assert drained is not None
    return [sample.flag for sample in drained[1]]


def armed(ruleset: Ruleset) -> list[str]:
    return [key for key, each in ruleset.live.items() if each.check is not each.plain_check]


def test_nothing_is_taken_before_somebody_asks_and_after_nobody_does() -> None:
    ruleset, flags, sampler = an_app(1)
    flags.is_enabled("f0", user_id="ann")
    assert sampler.drain() is None
    assert armed(ruleset) == []
    sampler.ask((10, SALT))
    assert armed(ruleset) == ["f0"]
    sampler.ask(None)
    flags.is_enabled("f0", user_id="ann")
    assert sampler.drain() is None
    assert armed(ruleset) == []


def test_a_few_of_each_flag_are_taken_and_then_it_decides_alone_until_the_next_report() -> None:
    ruleset, flags, sampler = an_app(2)
    sampler.ask((10, SALT))
    for number in range(20):
        flags.is_enabled("f0", user_id=f"u{number}")
    assert armed(ruleset) == ["f1"]
    assert taken(sampler) == ["f0"] * FROM_ONE_FLAG
    assert sorted(armed(ruleset)) == ["f0", "f1"]
    # A new version of a flag is sampled as well, but not one that has had its turn.
    for _ in range(20):
        flags.is_enabled("f0", user_id="ann")
    ruleset.apply([Change("flag", key, {"key": key, "enabled": True}) for key in ("f0", "f2")], 2)
    assert sorted(armed(ruleset)) == ["f1", "f2"]


def test_no_more_are_kept_than_were_asked_for() -> None:
    ruleset, flags, sampler = an_app(500)
    sampler.ask((20, SALT))
    for number in range(500):
        for _ in range(5):
            flags.is_enabled(f"f{number}", user_id="ann")
    assert armed(ruleset) == []
    assert len(taken(sampler)) == 20
    assert len(armed(ruleset)) == 20


def test_decisions_and_counts_are_the_same_with_samples() -> None:
    _, plain, _ = an_app(3)
    _, sampled, sampler = an_app(3)
    sampler.ask((5, SALT))
    contexts: list[Any] = [f"u{n}" for n in range(30)] + [7, None, Hostile(), 1.5]
    for context in contexts:
        for key in ("f0", "f1", "f2", "nope"):
            assert plain.is_enabled(key, userId=context) == sampled.is_enabled(key, userId=context)
    one, other = (sorted(map(repr, each._ruleset.drain_usage())) for each in (plain, sampled))
    assert one == other
    assert len(taken(sampler)) == 5


def test_a_flag_is_not_sampled_through_one_that_requires_it() -> None:
    ruleset, flags, sampler = an_app(1)
    sampler.ask((10, SALT))
    ruleset.apply([Change("flag", "top", {"key": "top", "enabled": True, "requires": [{"flag": "f0"}]})], 2)
    flags.is_enabled("top", user_id="ann")
    assert taken(sampler) == ["top"]
