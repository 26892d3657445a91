"""What records refer to is there, and stays there while they do."""

from typing import Any

import msgspec

from wigwag_proto.flag import Flag, Segment
from wigwag_proto.references import check_references, flags_that_need_flag, flags_that_need_segment


def flags_of(**table: Any) -> dict[str, Flag]:
    """Return flags from their plain form."""
    return {key: msgspec.convert({"key": key, **plain}, Flag) for key, plain in table.items()}


def requires(*keys: str) -> dict[str, Any]:
    """Return a plain flag that requires others."""
    return {"requires": [{"flag": key} for key in keys]}


def rule(segment: Any) -> dict[str, Any]:
    """Return a rule that names segments."""
    return {"attribute": "userId", "operator": "inSegment", "value": segment}


def problems(key: str, flags: dict[str, Flag], *segments: str) -> dict[str, str]:
    """Return the messages by pointer."""
    known = {name: Segment(key=name) for name in segments}
    return {v.pointer: v.message for v in check_references(key, flags, known)}


def test_two_levels_pass_from_wherever_one_looks() -> None:
    flags = flags_of(a=requires("b"), b=requires("c", "d"), c={}, d={})
    assert all(not problems(key, flags) for key in flags)


def test_three_levels_are_refused_at_whichever_flag_is_written() -> None:
    flags = flags_of(a=requires("b"), b=requires("c"), c=requires("d"), d={})
    for key in "abcd":
        (message,) = problems(key, flags).values()
        assert "a → b → c → d" in message


def test_cycles_are_refused_with_their_path() -> None:
    assert "a → a" in problems("a", flags_of(a=requires("a")))["/requires"]
    assert "a → b → a" in problems("a", flags_of(a=requires("b"), b=requires("a")))["/requires"]
    assert "c → a → b → c" in problems("c", flags_of(a=requires("b"), b=requires("c"), c=requires("a")))["/requires"]


def test_a_large_cycle_is_refused_as_well() -> None:
    flags = flags_of(**{f"f{n}": requires(f"f{(n + 1) % 100}") for n in range(100)})
    assert "/requires" in problems("f0", flags)


def test_flags_and_variants_that_are_not_there_are_refused_with_a_suggestion() -> None:
    variants = [{"name": "blue", "weight": 1}]
    flags = flags_of(
        search={"variants": variants, "overrides": [{"name": "o", "variants": [{"name": "red", "weight": 1}]}]},
        good={"requires": [{"flag": "search", "variant": "red"}]},
        bad={"requires": [{"flag": "serch"}, {"flag": "search", "variant": "blu"}]},
    )
    assert problems("good", flags) == {}
    found = problems("bad", flags)
    assert "'search'" in found["/requires/0/flag"]
    assert "'blue'" in found["/requires/1/variant"]


def test_segments_that_are_not_there_are_refused() -> None:
    flags = flags_of(
        f={"rules": [rule("staff"), rule(["staff", "crew"])], "overrides": [{"name": "o", "rules": [rule("x")]}]}
    )
    assert sorted(problems("f", flags, "staff")) == ["/overrides/0/rules/0/value", "/rules/1/value"]


def test_a_variant_that_others_require_cannot_go() -> None:
    flags = flags_of(search={}, f={"requires": [{"flag": "search", "variant": "blue"}]})
    assert "'f' requires variant 'blue'" in problems("search", flags)["/variants"]


def test_who_needs_a_flag_or_segment_is_listed() -> None:
    flags = flags_of(
        z=requires("a"),
        b=requires("a"),
        a={},
        c={"overrides": [{"name": "o", "rules": [rule(["s", "t"])]}]},
        d={"rules": [rule("s")]},
    )
    assert flags_that_need_flag("a", flags) == ["b", "z"]
    assert flags_that_need_flag("b", flags) == []
    assert flags_that_need_segment("s", flags) == ["c", "d"]
    assert flags_that_need_segment("t", flags) == ["c"]


def test_a_suggestion_stays_short_however_many_there_are() -> None:
    flags = flags_of(**{f"flag-{n:05}": {} for n in range(10_000)}, f=requires("zzz"))
    (message,) = problems("f", flags).values()
    assert "flag-00000" in message
    assert "and 9,971 more" in message
    assert len(message) < 1000


def test_where_there_is_none_the_message_says_so() -> None:
    (message,) = problems("f", flags_of(f={"rules": [rule("beta")]})).values()
    assert message == "unknown segment 'beta'; there is none"
