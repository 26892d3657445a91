"""Who refers to whom: which flags a segment or a required flag is needed by."""

from collections import defaultdict
from collections.abc import Iterable

from wigwag_proto.evaluate import named_segments
from wigwag_proto.flag import Flag


def segments_named_by(flag: Flag) -> set[str]:
    """Return the keys of the segments that a flag's rules refer to, those of its overrides included."""
    rules = [*flag.rules, *(rule for override in flag.overrides for rule in override.rules)]
    return {key for rule in rules for key in named_segments(rule)}


def flags_required_by(flag: Flag) -> set[str]:
    """Return the keys of the flags that a flag requires directly."""
    return {requirement.flag for requirement in flag.requires}


class Links:
    """The references between records, kept up to date flag by flag."""

    def __init__(self) -> None:
        self._segments: dict[str, set[str]] = {}
        self._required: dict[str, set[str]] = {}
        self._segment_users: defaultdict[str, set[str]] = defaultdict(set)
        self._dependents: defaultdict[str, set[str]] = defaultdict(set)

    def set_flag(self, key: str, flag: Flag | None) -> None:
        """Note what a flag refers to now; None: there is no such flag."""
        segments = set() if flag is None else segments_named_by(flag)
        required = set() if flag is None else flags_required_by(flag)
        _relink(self._segment_users, key, self._segments, segments)
        _relink(self._dependents, key, self._required, required)

    def segments_of(self, key: str) -> set[str]:
        """Return the segments that a flag refers to."""
        return self._segments.get(key, set())

    def users_of_segment(self, key: str) -> set[str]:
        """Return the flags that refer to a segment."""
        return self._segment_users.get(key, set())

    def with_dependents(self, keys: Iterable[str]) -> set[str]:
        """Return the keys and those of all flags that require one of them, directly or through others."""
        found, waiting = set(keys), list(keys)
        while waiting:
            more = self._dependents.get(waiting.pop(), set()) - found
            found |= more
            waiting.extend(more)
        return found


def _relink(users: defaultdict[str, set[str]], key: str, links: dict[str, set[str]], now: set[str]) -> None:
    before = links.pop(key, set())
    if now:
        links[key] = now
    for target in before - now:
        users[target].discard(key)
        if not users[target]:
            del users[target]
    for target in now - before:
        users[target].add(key)
