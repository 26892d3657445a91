"""The decision, step by step: the definition of what a flag means, and what `explain` runs.

Read `decide` from top to bottom: the first step that applies decides. `wigwag_proto.compile` makes of the same
steps the form that runs on the hot path; tests hold the two equal.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from wigwag_proto.bucketing import ROLLOUT_SEED, SPLIT_SEED, bucket, hash_prefix, id_text, rollout_limit, split_limits
from wigwag_proto.circuit import Breaker
from wigwag_proto.context import USER_ID
from wigwag_proto.decision import Decision, Reason, Variant
from wigwag_proto.flag import Flag, Override, Requirement, Rule, Segment
from wigwag_proto.operators import SEGMENT_OPERATORS, Test, rule_test

NEVER_PROVEN = math.inf  # how long a replica that was never proven current has been stale


class LinkedSegment:
    """A segment ready to be asked: its ids as sets (there may be many thousands), its rules as tests.

    Segments do not nest, which keeps them free of cycles: a rule of theirs that names a segment matches nothing.
    """

    __slots__ = ("exclude", "include", "segment", "tests")

    def __init__(self, segment: Segment) -> None:
        self.segment = segment
        self.tests = [(rule.attribute, rule_test(rule.operator, rule.value)) for rule in segment.rules]
        self.include = frozenset(segment.include)
        self.exclude = frozenset(segment.exclude)


class LinkedFlag:
    """A flag with all that its decision depends on: the segments and flags that it refers to and that exist.

    `breaker` is there while the circuit of the flag is tripped in this process.
    """

    __slots__ = ("breaker", "flag", "required", "segments")

    def __init__(
        self,
        flag: Flag,
        segments: Mapping[str, LinkedSegment],
        required: Mapping[str, "LinkedFlag"],
        breaker: Breaker | None = None,
    ) -> None:
        self.flag = flag
        self.segments = segments
        self.required = required
        self.breaker = breaker


def decide(linked: LinkedFlag, attributes: Mapping[str, Any], stale_for: float = 0.0) -> Decision:
    """Decide a flag for a context. Never raises, whatever the attributes are.

    `stale_for` is how many seconds ago the replica was last proven current; NEVER_PROVEN where it never was.
    """
    return Walk(linked, attributes, stale_for).decide()


class Walk:
    """One walk through the steps, which notes what it sees on the way.

    `is_listed`, `holds` and `bucket` are all that looks at the context.
    """

    def __init__(self, linked: LinkedFlag, attributes: Mapping[str, Any], stale_for: float) -> None:
        self.linked = linked
        self.flag = linked.flag
        self.attributes = attributes
        self.stale_for = stale_for
        self.steps: list[str] = []
        self.seen: dict[str, Any] = {}

    def decide(self) -> Decision:
        """Go through the steps, once."""
        flag = self.flag
        if flag.kill is not None:
            return self.off(Reason.KILLED, f"killed by {flag.kill.by}: {flag.kill.reason or 'no reason given'}")
        if not flag.enabled:
            return self.off(Reason.DISABLED, "not enabled")
        if flag.fail_safe_after is not None and self.stale_for > flag.fail_safe_after:
            return self.off(
                Reason.FAIL_SAFE, f"not known current for more than failSafeAfter = {flag.fail_safe_after:g} s"
            )
        breaker = self.linked.breaker
        if breaker is not None and not breaker.would_let(self.attributes):
            return self.off(Reason.CIRCUIT, f"its circuit is tripped: {breaker.reason}")
        for requirement in flag.requires:
            if not self.is_met(requirement):
                return self.off(Reason.PREREQUISITE, "so it is off", prerequisite=requirement.flag)
        if self.is_listed(flag.blacklist):
            return self.off(Reason.BLACKLISTED, "the user is in the blacklist")
        if self.is_listed(flag.whitelist):
            return self.on(Reason.WHITELISTED, flag, "the user is in the whitelist")
        return self.target()

    def target(self) -> Decision:
        """Overrides, rules and rollout: whoever is in neither list."""
        flag = self.flag
        arm = next((o for o in flag.overrides if self.first_mismatch(o.rules, f"override {o.name}") is None), None)
        if arm is not None:
            self.seen["override"] = arm.name
            self.steps.append(f"override {arm.name} takes over rules, percentage and variants")
            return self.roll_out(arm, Reason.OVERRIDE)
        mismatch = self.first_mismatch(flag.rules, "rules")
        if mismatch is not None:
            return self.off(Reason.RULE_MISMATCH, "not all rules match", rule=mismatch)
        return self.roll_out(flag, Reason.RULE_MATCH if flag.rules else Reason.STATIC)

    def roll_out(self, arm: Flag | Override, reason: Reason) -> Decision:
        """Take in the percentage of the flag, or of the override that took over."""
        percentage = arm.rollout_percentage
        limit = rollout_limit(percentage)
        if limit <= 0:
            return self.off(Reason.ROLLOUT, "the rollout is at 0 %")
        if limit >= rollout_limit(100):
            return self.on(reason, arm, "on for everyone who gets here")
        found = self.bucket(ROLLOUT_SEED)
        if found is None:
            return self.off(Reason.NO_BUCKET_KEY, f"no {self.flag.bucket_by} to bucket by, at {percentage:g} %")
        self.seen["bucket"] = found
        said = f"bucket {found} of 100,000 against {percentage:g} %"
        return self.on(Reason.ROLLOUT, arm, said) if found < limit else self.off(Reason.ROLLOUT, said)

    def on(self, reason: Reason, arm: Flag | Override, said: str) -> Decision:
        """Decide that it is on, and pick a variant where there are any."""
        self.steps.append(said)
        return self.decision(reason, enabled=True, variant=self.pick(arm))

    def off(self, reason: Reason, said: str, **seen: Any) -> Decision:
        self.steps.append(said)
        self.seen.update(seen)
        return self.decision(reason, enabled=False, variant=None)

    def decision(self, reason: Reason, *, enabled: bool, variant: Variant | None) -> Decision:
        return Decision(
            flag=self.flag.key,
            enabled=enabled,
            reason=reason,
            variant=variant,
            revision=self.flag.revision,
            steps=tuple(self.steps),
            **self.seen,
        )

    def pick(self, arm: Flag | Override) -> Variant | None:
        """Pick by weight. Where only one can be picked it needs no bucket; where none can, there is no variant."""
        limits = split_limits([variant.weight for variant in arm.variants])
        choices = pickable(limits)
        if not choices:
            return None
        if len(choices) > 1:
            found = self.bucket(SPLIT_SEED)
            if found is None:
                self.steps.append(f"no {self.flag.bucket_by} to pick a variant by")
                return None
            self.seen["split"] = found
            choices = [index for index in choices if found < limits[index]]
        chosen = arm.variants[choices[0]]
        self.steps.append(f"variant {chosen.name}")
        return Variant(chosen.name, chosen.value)

    def is_listed(self, ids: tuple[str, ...]) -> bool:
        """Say whether the user is one of these."""
        user = id_text(self.attributes.get(USER_ID))
        return user is not None and user in ids

    def holds(self, rule: Rule) -> bool:
        """Say whether a rule matches."""
        return rule_holds(rule, self.attributes, self.linked.segments)

    def bucket(self, seed: int) -> int | None:
        """Return the bucket of the context, None where it has none."""
        return bucket(hash_prefix(self.flag.key), self.attributes.get(self.flag.bucket_by), seed)

    def is_met(self, requirement: Requirement) -> bool:
        """Decide the required flag for the same context. One that does not exist is not on."""
        required = self.linked.required.get(requirement.flag)
        if required is None:
            self.steps.append(f"requires {requirement.flag}, which is not there")
            return False
        decision = type(self)(required, self.attributes, self.stale_for).decide()
        name = None if decision.variant is None else decision.variant.name
        state = "on" if decision.enabled else "off"
        self.steps.append(f"requires {requirement.flag}: {state}, {decision.reason}, variant {name}")
        return decision.enabled and requirement.variant in (None, name)

    def first_mismatch(self, rules: Iterable[Rule], of: str) -> int | None:
        """Return the index of the first rule that does not match, or None where all do."""
        for index, rule in enumerate(rules):
            holds = self.holds(rule)
            self.steps.append(
                f"{of}[{index}]: {rule.attribute} {rule.operator} … {'matches' if holds else 'does not match'}"
            )
            if not holds:
                return index
        return None


def pickable(limits: tuple[int, ...]) -> list[int]:
    """Return the indices of the variants that some bucket picks: those that raise the limit."""
    return [index for index, limit in enumerate(limits) if limit > (limits[index - 1] if index else 0)]


def rule_holds(rule: Rule, attributes: Mapping[str, Any], segments: Mapping[str, LinkedSegment]) -> bool:
    """Return whether a rule matches. One that cannot be evaluated does not."""
    if rule.operator in SEGMENT_OPERATORS:
        return segment_test(rule, segments)(attributes)
    return _matches(rule_test(rule.operator, rule.value), attributes.get(rule.attribute))


def named_segments(rule: Rule) -> tuple[str, ...]:
    """Return the keys of the segments that a rule refers to: its value is a key or a list of keys."""
    if rule.operator not in SEGMENT_OPERATORS:
        return ()
    keys = rule.value if isinstance(rule.value, list) else [rule.value]
    return tuple(key for key in keys if isinstance(key, str))


def segment_test(rule: Rule, segments: Mapping[str, LinkedSegment]) -> Callable[[Mapping[str, Any]], bool]:
    """Return the test of a segment rule, which takes the whole context.

    `inSegment`: the attribute has an id that is in one of the segments; `notInSegment`: one that is in none of them.
    Where a segment does not exist, nobody can tell who is in it, and the rule matches `nobody` either way.
    """
    keys = named_segments(rule)
    if not keys or any(key not in segments for key in keys):
        return nobody
    named = [segments[key] for key in keys]
    wanted = rule.operator == "inSegment"

    def test(attributes: Mapping[str, Any]) -> bool:
        user = id_text(attributes.get(rule.attribute))
        return user is not None and wanted is any(in_segment(linked, user, attributes) for linked in named)

    return test


def nobody(attributes: Mapping[str, Any]) -> bool:  # noqa: ARG001  # a segment rule's test
    """Match no context."""
    return False


def in_segment(linked: LinkedSegment, user: str, attributes: Mapping[str, Any]) -> bool:
    """In by id or by all its rules, and never if excluded."""
    if user in linked.exclude:
        return False
    if user in linked.include:
        return True
    return bool(linked.tests) and all(_matches(test, attributes.get(key)) for key, test in linked.tests)


def _matches(test: Test, value: Any) -> bool:
    try:
        return test(value)
    except Exception:  # noqa: BLE001  # an attribute's own __eq__ may raise anything
        return False
