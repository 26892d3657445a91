"""Python source for a compiled flag.

The source depends on the *shape* of the flag alone (which steps, which operators). Keys, values and outcomes come in
as arguments of the factory around it. So one shape is compiled once for all flags that have it, and nothing that a
person wrote ever stands in code. For "plan equals 'premium', 10 %" it is

    def make(key0, value1, outcome2, outcome3, prefix4, key5, limit6, outcome7, outcome8):
        def check(a):
            if not ((a.get(key0) == value1)): return outcome2
            try: h = murmur(prefix4 + a[key5].encode())
            except Exception:
                h = bucket_hash(prefix4, a.get(key5), 0)
                if h is None: return outcome3
            if h >= limit6: return outcome7
            return outcome8
        return check

Plain closures, one per step, were tried: 30 to 60 ns more for each step. The order of the steps is that of
`wigwag_proto.evaluate.decide`, to which tests hold it.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Protocol

import mmh3

from wigwag_proto.bucketing import (
    BUCKETS,
    ROLLOUT_SEED,
    SPLIT_SEED,
    bucket_hash,
    hash_limit,
    hash_prefix,
    id_text,
    rollout_limit,
    split_limits,
)
from wigwag_proto.circuit import Breaker
from wigwag_proto.context import USER_ID
from wigwag_proto.decision import Reason, Variant
from wigwag_proto.evaluate import LinkedSegment, nobody, pickable, segment_test
from wigwag_proto.flag import Flag, Override, Rule
from wigwag_proto.operators import SEGMENT_OPERATORS, all_plain, is_plain, never, rule_test
from wigwag_proto.outcome import Outcome
from wigwag_proto.usage import FlagUsage

INLINED_RULES = 16  # of one list; a longer one is walked in a loop, so that a huge flag does not compile for long
ORDER = {"greaterThan": ">", "greaterThanOrEqual": ">=", "lessThan": "<", "lessThanOrEqual": "<="}


class Required(Protocol):
    """What is asked of a required flag, which is compiled before."""

    constant: Outcome | None
    function: Callable[..., Any]
    check_at: Callable[[dict[str, Any], float], Outcome] | None


@lru_cache(maxsize=2048)
def _factory(source: str) -> Callable[..., Any]:
    """Compile one shape. Its names are ours alone, see the docstring of this module."""
    names: dict[str, Any] = {}
    exec(source, {"murmur": mmh3.mmh3_32_uintdigest, "bucket_hash": bucket_hash, "id_text": id_text}, names)  # noqa: S102
    make: Callable[..., Any] = names["make"]
    return make


class SourceWriter:
    """Writes the function of one flag, line by line, in the order of `evaluate.decide`."""

    def __init__(
        self,
        flag: Flag,
        segments: Mapping[str, LinkedSegment],
        required: Mapping[str, Required],
        usage: FlagUsage,
        breaker: Breaker | None = None,
    ) -> None:
        self.flag = flag
        self.segments = segments
        self.required = required
        self.usage = usage
        self.breaker = breaker
        self.lines: list[str] = []
        self.arguments: dict[str, Any] = {}
        self.names: dict[tuple[str, Any], str] = {}
        self.timed = False

    # The parts that a shape is made of

    def name(self, role: str, value: Any, *, identity: Any = None) -> str:
        """Return the name under which the function knows a value; equal `identity` of one role share a name."""
        seen = (role, id(value) if identity is None else identity)
        if seen not in self.names:
            self.names[seen] = f"{role}{len(self.arguments)}"
            self.arguments[self.names[seen]] = value
        return self.names[seen]

    def attribute(self, key: str) -> str:
        return self.name("key", key, identity=key)

    def outcome(self, reason: Reason, variant: Variant | None = None, *, enabled: bool = False) -> str:
        name = None if variant is None else variant.name
        outcome = Outcome(reason, variant, self.usage.tally(reason, name, enabled=enabled), enabled=enabled)
        return self.name("outcome", outcome, identity=(reason, enabled, name, id(variant and variant.value)))

    def line(self, text: str, depth: int = 0) -> None:
        self.lines.append("    " * (depth + 2) + text)

    def source(self) -> str:
        """Return the factory's source. `s`, how stale the replica is, is there for timed flags alone."""
        return "\n".join(
            (
                f"def make({', '.join(self.arguments)}):",
                f"    def check(a{', s' if self.timed else ''}):",
                *self.lines,
                "    return check\n",
            )
        )

    def function(self) -> Callable[..., Any]:
        function: Callable[..., Any] = _factory(self.source())(*self.arguments.values())
        return function

    def constant(self) -> Outcome | None:
        """Return the one outcome of a function that is a single `return`."""
        only = self.lines[0].strip().removeprefix("return ") if len(self.lines) == 1 else ""
        outcome = self.arguments.get(only)
        return outcome if isinstance(outcome, Outcome) else None

    # The steps, in the order of decision

    def write_flag(self) -> None:
        flag = self.flag
        if flag.kill is not None:
            return self.line(f"return {self.outcome(Reason.KILLED)}")
        if not flag.enabled:
            return self.line(f"return {self.outcome(Reason.DISABLED)}")
        if flag.fail_safe_after is not None:
            self.timed = True
            limit = self.name("limit", flag.fail_safe_after)
            self.line(f"if s > {limit}: return {self.outcome(Reason.FAIL_SAFE)}")
        if self.breaker is not None:
            self.line(f"if not {self.name('lets', self.breaker.lets)}(a): return {self.outcome(Reason.CIRCUIT)}")
        if not self.write_requires():
            return None
        self.write_lists()
        return self.write_targeting()

    def write_requires(self) -> bool:
        """Write what is required; False where one is never on, so that nothing after it matters."""
        for requirement in self.flag.requires:
            required = self.required.get(requirement.flag)
            constant = None if required is None else required.constant
            if required is None or (constant is not None and not _meets(constant, requirement.variant)):
                self.line(f"return {self.outcome(Reason.PREREQUISITE)}")
                return False
            if constant is not None:
                continue
            off = self.outcome(Reason.PREREQUISITE)
            if required.check_at is None:
                self.line(f"r = {self.name('required', required.function)}(a)")
            else:
                self.timed = True
                self.line(f"r = {self.name('required', required.check_at)}(a, s)")
            wanted = requirement.variant
            condition = "not r.enabled" if wanted is None else f"r.name != {self.name('value', wanted)}"
            self.line(f"if {condition}: return {off}")
        return True

    def write_lists(self) -> None:
        black, white = frozenset(self.flag.blacklist), frozenset(self.flag.whitelist)
        if not black and not white:
            return
        self.line(f"u = a.get({self.attribute(USER_ID)})")
        self.line("if type(u) is not str: u = id_text(u)")
        if black:
            self.line(f"if u in {self.name('users', black)}: return {self.outcome(Reason.BLACKLISTED)}")
        if white:
            self.line(f"if u in {self.name('users', white)}:")
            self.write_on(self.flag, Reason.WHITELISTED, 1)

    def write_targeting(self) -> None:
        for override in self.flag.overrides:
            condition = self.conditions(override.rules)
            if condition == "False":
                continue
            if condition == "True":
                return self.write_rollout(override, Reason.OVERRIDE, 0)
            self.line(f"if {condition}:")
            self.write_rollout(override, Reason.OVERRIDE, 1)
        condition = self.conditions(self.flag.rules)
        if condition == "False":
            return self.line(f"return {self.outcome(Reason.RULE_MISMATCH)}")
        if condition != "True":
            self.line(f"if not ({condition}): return {self.outcome(Reason.RULE_MISMATCH)}")
        return self.write_rollout(self.flag, Reason.RULE_MATCH if self.flag.rules else Reason.STATIC, 0)

    def write_rollout(self, arm: Flag | Override, reason: Reason, depth: int) -> None:
        limit = rollout_limit(arm.rollout_percentage)
        if limit <= 0:
            return self.line(f"return {self.outcome(Reason.ROLLOUT)}", depth)
        if limit < BUCKETS:
            self.write_hash(ROLLOUT_SEED, self.outcome(Reason.NO_BUCKET_KEY), depth)
            self.line(f"if h >= {self.name('limit', hash_limit(limit))}: return {self.outcome(Reason.ROLLOUT)}", depth)
            reason = Reason.ROLLOUT
        return self.write_on(arm, reason, depth)

    def write_on(self, arm: Flag | Override, reason: Reason, depth: int) -> None:
        """Write the pick of a variant: nothing to pick, one that always wins, or one of several by weight."""
        limits = split_limits([variant.weight for variant in arm.variants])
        choices = pickable(limits)
        outcomes = [
            self.outcome(reason, Variant(arm.variants[i].name, arm.variants[i].value), enabled=True) for i in choices
        ]
        if len(choices) > 1:
            self.write_hash(SPLIT_SEED, self.outcome(reason, enabled=True), depth)
            for index, outcome in list(zip(choices, outcomes, strict=True))[:-1]:
                self.line(f"if h < {self.name('limit', hash_limit(limits[index]))}: return {outcome}", depth)
        self.line(f"return {outcomes[-1] if outcomes else self.outcome(reason, enabled=True)}", depth)

    def write_hash(self, seed: int, without: str, depth: int) -> None:
        """Write `h = the hash`; a `try` costs nothing until something that is not plain text comes along."""
        prefix = self.name("prefix", hash_prefix(self.flag.key), identity="")
        key = self.attribute(self.flag.bucket_by)
        seeded = f", {seed}" if seed else ""  # 0 is the default, and 6 ns cheaper unsaid
        self.line(f"try: h = murmur({prefix} + a[{key}].encode(){seeded})", depth)
        self.line("except Exception:", depth)
        self.line(f"h = bucket_hash({prefix}, a.get({key}), {seed})", depth + 1)
        self.line(f"if h is None: return {without}", depth + 1)

    # Rules

    def conditions(self, rules: tuple[Rule, ...]) -> str:
        """Return an expression that is true where all rules match; `True` or `False` where nothing can change it."""
        written = [self.condition(rule) for rule in rules[:INLINED_RULES]]
        if len(rules) > INLINED_RULES:
            rest = tuple(self.test(rule) for rule in rules[INLINED_RULES:])
            written.append(f"all([test(a) for test in {self.name('tests', rest)}])")
        if "False" in written:
            return "False"
        return " and ".join(f"({text})" for text in written) or "True"

    def condition(self, rule: Rule) -> str:
        """Return the expression of one rule: the frequent ones in place, the others as a call of their test."""
        value, key = rule.value, self.attribute(rule.attribute)
        if rule.operator == "equals" and isinstance(value, bool):
            return f"a.get({key}) is {value}"
        if rule.operator == "equals" and is_plain(value):
            return f"a.get({key}) == {self.name('value', value)}"
        if rule.operator == "in" and isinstance(value, list) and value and all_plain(value):
            return f"a.get({key}) in {self.name('values', frozenset(value))}"
        if rule.operator in ORDER and isinstance(value, (int, float)) and not isinstance(value, bool):
            compared = f"v {ORDER[rule.operator]} {self.name('value', value)}"
            return f"(v := a.get({key})) is not None and v is not True and v is not False and {compared}"
        test = self.test(rule)
        return "False" if test is nobody else f"{self.name('test', test)}(a)"

    def test(self, rule: Rule) -> Callable[[dict[str, Any]], bool]:
        """Return a rule as a function of the attributes; `nobody` where nothing can match it."""
        if rule.operator in SEGMENT_OPERATORS:
            return segment_test(rule, self.segments)
        test, key = rule_test(rule.operator, rule.value), rule.attribute
        return nobody if test is never else lambda a: test(a.get(key))


def _meets(constant: Outcome, variant: str | None) -> bool:
    return constant.enabled and variant in (None, constant.name)
