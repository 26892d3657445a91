"""Deciding a flag for a sample: as for a context, but that ids are hashes and buckets are given. Pure.

What the sample does not know is not guessed: the decision is noted as one that looked at it.
"""

from collections.abc import Mapping
from typing import Any

from wigwag_proto.bucketing import ROLLOUT_SEED, bucket, hash_prefix, id_text
from wigwag_proto.context import USER_ID
from wigwag_proto.decision import Decision
from wigwag_proto.evaluate import LinkedFlag, LinkedSegment, Walk, named_segments
from wigwag_proto.flag import Rule
from wigwag_proto.operators import SEGMENT_OPERATORS, Test, never, rule_test
from wigwag_proto.samples import NO_ID, Sample, hash_of

SAME = {"equals": True, "notEquals": False, "in": True, "notIn": False}


class Hashed:
    """Lists of ids, and operands of rules, hashed once for all samples that are held against them."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        # By what was hashed, which is held so that its id() stays its own.
        self._lists: dict[int, tuple[Any, frozenset[str]]] = {}
        self._tests: dict[int, tuple[Rule, Test]] = {}

    def ids(self, ids: Any) -> frozenset[str]:
        """Return the hashes of ids."""
        if id(ids) not in self._lists:
            self._lists[id(ids)] = ids, frozenset(hash_of(each, self._key) for each in ids)
        return self._lists[id(ids)][1]

    def operands(self, rule: Rule) -> frozenset[str]:
        """Return what a rule compares ids with, as a sample has it."""
        if id(rule) not in self._lists:
            values = rule.value if isinstance(rule.value, list) else [rule.value]
            found = frozenset(hashed for value in values if (hashed := self._operand(value)) is not None)
            self._lists[id(rule)] = rule, found
        return self._lists[id(rule)][1]

    def test(self, rule: Rule) -> Test:
        """Return the test of a rule on an attribute that is known as it is."""
        if id(rule) not in self._tests:
            self._tests[id(rule)] = rule, rule_test(rule.operator, rule.value)
        return self._tests[id(rule)][1]

    def _operand(self, value: Any) -> str | None:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        text = id_text(value)
        return None if text is None else ("s" if isinstance(value, str) else "i") + hash_of(text, self._key)


class Sampled(dict[str, Any]):
    """The context of a sample. `unknown` are the attributes that were looked at and are not in it."""

    def __init__(self, sample: Sample, hashed: Hashed) -> None:
        super().__init__(sample.attributes)
        self.ids: Mapping[str, str | None] = sample.ids
        self.buckets = sample.buckets
        self.hashed = hashed
        self.unknown: set[str] = set()

    def known(self, name: str) -> Any:
        """Return an attribute that is no id; None, with a note, where it is not known."""
        if name not in self:
            self.unknown.add(name)
        return self.get(name)


class SampledWalk(Walk):
    """One walk through the steps, for a sample."""

    attributes: Sampled

    def is_listed(self, ids: tuple[str, ...]) -> bool:
        """Say whether the user is one of these."""
        return bool(ids) and self._is_in(USER_ID, ids)

    def holds(self, rule: Rule) -> bool:
        """Say whether a rule matches."""
        if rule.operator not in SEGMENT_OPERATORS:
            return self._matches(rule)
        keys = named_segments(rule)
        if not keys or any(key not in self.linked.segments for key in keys) or not self._has_id(rule.attribute):
            return False
        within = any(self._in_segment(rule.attribute, self.linked.segments[key]) for key in keys)
        return within is (rule.operator == "inSegment")

    def bucket(self, seed: int) -> int | None:
        """Return the bucket that the app has found."""
        by, context = self.flag.bucket_by, self.attributes
        if context.get(by) is not None:
            return bucket(hash_prefix(self.flag.key), context[by], seed)
        if by in context or (by in context.ids and context.ids[by] in (None, NO_ID)):
            return None
        found = context.buckets.get(self.flag.key)
        if found is None or found.by != by:
            context.unknown.add(by)
            return None
        return found.rollout if seed == ROLLOUT_SEED else found.split

    def _matches(self, rule: Rule) -> bool:
        context = self.attributes
        test = context.hashed.test(rule)
        if test is never:
            return False
        if rule.attribute not in context.ids:
            try:
                return test(context.known(rule.attribute))
            except Exception:  # noqa: BLE001  # as `evaluate` takes it: two that have no order
                return False
        value = context.ids[rule.attribute]
        if rule.operator == "exists" or value is None:
            # Of a value that is there, `exists` asks no more; without one, a hash is not looked at.
            return test(value)
        if rule.operator not in SAME or value == NO_ID:
            context.unknown.add(rule.attribute)
            return False
        return (value in context.hashed.operands(rule)) is SAME[rule.operator]

    def _in_segment(self, name: str, linked: LinkedSegment) -> bool:
        segment = linked.segment
        if self._is_in(name, segment.exclude):
            return False
        if self._is_in(name, segment.include):
            return True
        return bool(segment.rules) and all(
            rule.operator not in SEGMENT_OPERATORS and self._matches(rule) for rule in segment.rules
        )

    def _has_id(self, name: str) -> bool:
        context = self.attributes
        if name in context.ids:
            return context.ids[name] not in (None, NO_ID)
        return id_text(context.known(name)) is not None

    def _is_in(self, name: str, ids: tuple[str, ...]) -> bool:
        context = self.attributes
        if name in context.ids:
            value = context.ids[name]
            return value not in (None, NO_ID) and value[1:] in context.hashed.ids(ids)
        return id_text(context.known(name)) in ids


def decide_sample(linked: LinkedFlag, sample: Sample, hashed: Hashed) -> tuple[Decision, set[str]]:
    """Return the decision for a sample, and what would have to be known of the context for it to be certain."""
    context = Sampled(sample, hashed)
    return SampledWalk(linked, context, 0.0).decide(), context.unknown
