"""Checks across records: what flags and segments refer to must be there, and stay there.

All functions look at the state as it would be after the write. They cost the number of flags, which a write can
afford and a decision never pays.
"""

from collections.abc import Collection, Iterable, Mapping

from wigwag_proto.evaluate import named_segments
from wigwag_proto.flag import Flag, Override, Rule, Segment
from wigwag_proto.problems import Problems, Violation, unknown_name

DEEPEST_REQUIRES = 2


def check_references(key: str, flags: Mapping[str, Flag], segments: Mapping[str, Segment]) -> list[Violation]:
    """Check what a flag refers to, and that no other flag is broken by what it is now. It must be in `flags`."""
    problems = Problems()
    flag = flags[key]
    _check_segments(problems, "", flag.rules, segments)
    for index, override in enumerate(flag.overrides):
        _check_segments(problems, f"/overrides/{index}", override.rules, segments)
    for index, requirement in enumerate(flag.requires):
        _check_requirement(problems, f"/requires/{index}", requirement.flag, requirement.variant, flags)
    if not problems.found:
        _check_chain(problems, key, flags)
    for other, wanted in _wanted_variants(key, flags):
        if wanted not in variant_names(flag):
            problems.add("/variants", f"flag {other!r} requires variant {wanted!r}; change its `requires` first")
    return problems.found


def flags_that_need_flag(key: str, flags: Mapping[str, Flag]) -> list[str]:
    """Return the flags that require a flag directly, sorted: with any, it cannot be deleted."""
    return sorted(k for k, flag in flags.items() if k != key and any(r.flag == key for r in flag.requires))


def flags_that_need_segment(key: str, flags: Mapping[str, Flag]) -> list[str]:
    """Return the flags with a rule that names a segment, sorted: with any, it cannot be deleted."""
    return sorted(k for k, flag in flags.items() if any(key in named_segments(rule) for rule in all_rules(flag)))


def all_rules(flag: Flag) -> Iterable[Rule]:
    """Return the rules of a flag and of its overrides."""
    yield from flag.rules
    for override in flag.overrides:
        yield from override.rules


def variant_names(flag: Flag) -> set[str]:
    """Return the variants that a flag can be on, those of its overrides included."""
    arms: tuple[Flag | Override, ...] = (flag, *flag.overrides)
    return {variant.name for arm in arms for variant in arm.variants}


def _check_segments(problems: Problems, pointer: str, rules: Iterable[Rule], known: Mapping[str, Segment]) -> None:
    for index, rule in enumerate(rules):
        for key in named_segments(rule):
            if key not in known:
                problems.add(f"{pointer}/rules/{index}/value", unknown_name("segment", key, known.keys()))


def _check_requirement(
    problems: Problems, pointer: str, key: str, variant: str | None, flags: Mapping[str, Flag]
) -> None:
    required = flags.get(key)
    if required is None:
        problems.add(f"{pointer}/flag", unknown_name("flag", key, flags.keys()))
    elif variant is not None and variant not in variant_names(required):
        problems.add(f"{pointer}/variant", unknown_name(f"variant of {key!r}", variant, variant_names(required)))


def _check_chain(problems: Problems, key: str, flags: Mapping[str, Flag]) -> None:
    """Check the longest chain through a flag: those above it, itself, and those below."""
    below = _longest(key, {k: [r.flag for r in flag.requires] for k, flag in flags.items()})
    if below[0] == below[-1] and len(below) > 1:
        problems.add("/requires", f"closes a cycle: {' → '.join(below)}")
        return
    users: dict[str, list[str]] = {}
    for k, flag in flags.items():
        for requirement in flag.requires:
            users.setdefault(requirement.flag, []).append(k)
    above = _longest(key, users)
    chain = [*reversed(above[1:]), *below]
    if len(chain) - 1 > DEEPEST_REQUIRES:
        problems.add("/requires", f"is {len(chain) - 1} levels deep: {' → '.join(chain)}; at most 2 are permitted")


def _longest(key: str, links: Mapping[str, list[str]]) -> list[str]:
    """Return the longest path from a key, or the first that leads back to it. Stops once it is long enough to refuse.

    A cycle that does not contain the key cannot have been written before, and ends by length as well.
    """
    longest = [key]
    waiting = [[key]]
    while waiting:
        path = waiting.pop()
        for following in links.get(path[-1], ()):
            if following == key:
                return [*path, key]
            extended = [*path, following]
            if len(extended) > len(longest):
                longest = extended
            if len(extended) <= DEEPEST_REQUIRES + 1:
                waiting.append(extended)
    return longest


def _wanted_variants(key: str, flags: Mapping[str, Flag]) -> list[tuple[str, str]]:
    return [
        (other, requirement.variant)
        for other, flag in sorted(flags.items())
        for requirement in flag.requires
        if requirement.flag == key and requirement.variant is not None
    ]


def check_references_of(
    changed_flags: Collection[str],
    changed_segments: Collection[str],
    flags: Mapping[str, Flag],
    segments: Mapping[str, Segment],
    *,
    most: int,
) -> list[tuple[str, Violation]]:
    """Check a state that many changes at once lead to: every reference to or from what has changed.

    `flags` and `segments` are the state; what was removed is not in it. Returns violations by the key of the flag, up
    to about `most`. It costs the number of flags once, where `check_references` for each would cost its square.
    """
    found: list[tuple[str, Violation]] = []
    removed_segments = {key for key in changed_segments if key not in segments}
    for key in sorted(flags):
        if len(found) >= most:
            return found
        flag = flags[key]
        refers_to_changed = any(requirement.flag in changed_flags for requirement in flag.requires)
        if key not in changed_flags and not refers_to_changed and not removed_segments:
            continue
        problems = Problems()
        _check_segments(problems, "", flag.rules, segments)
        for index, override in enumerate(flag.overrides):
            _check_segments(problems, f"/overrides/{index}", override.rules, segments)
        for index, requirement in enumerate(flag.requires):
            _check_requirement(problems, f"/requires/{index}", requirement.flag, requirement.variant, flags)
        found += [(key, violation) for violation in problems.found]
    for key in sorted(_on_long_chains(flags) & set(changed_flags)):
        problems = Problems()
        _check_chain(problems, key, flags)
        found += [(key, violation) for violation in problems.found]
        if len(found) >= most:
            break
    return found


def _on_long_chains(flags: Mapping[str, Flag]) -> set[str]:
    """Return the flags on chains of more levels than are permitted, cycles included."""
    too_high = {key for key, flag in flags.items() if flag.requires}
    for _ in range(DEEPEST_REQUIRES):
        too_high = {key for key in too_high if any(each.flag in too_high for each in flags[key].requires)}
    found, waiting = set(too_high), list(too_high)
    while waiting:
        for requirement in flags[waiting.pop()].requires:
            if requirement.flag in flags and requirement.flag not in found:
                found.add(requirement.flag)
                waiting.append(requirement.flag)
    return found
