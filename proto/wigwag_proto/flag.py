"""The flag as it is stored and sent: frozen, JSON in camelCase, Python in snake_case.

These structs read what is already in the log, so they are lenient: an unknown field is ignored and an operator
that this release does not know makes its rule a mismatch, not the flag unreadable. What a person writes passes
`wigwag_proto.validate` first, which is strict.
"""

from enum import StrEnum
from typing import Any

import msgspec


class FlagKind(StrEnum):
    """What the lifecycle checks expect of a flag."""

    RELEASE = "release"
    EXPERIMENT = "experiment"
    OPS = "ops"
    PERMISSION = "permission"


class Kill(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """The emergency off, kept apart from the configuration: whoever lifts it finds that untouched.

    `at` and `until` are Unix times in milliseconds; with `until` the server lifts the kill then.
    """

    by: str
    reason: str = ""
    at: int
    until: int | None = None


class Archived(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A flag that is done with: off the lists, and decided as before. `at` is Unix time in ms."""

    by: str
    reason: str = ""
    at: int


class Rule(msgspec.Struct, frozen=True, rename="camel"):
    """A condition on one attribute of the context. A missing attribute never matches (only `exists` sees it)."""

    attribute: str
    operator: str
    value: Any = None


class Variant(msgspec.Struct, frozen=True, rename="camel"):
    """One arm of a split. `weight` is relative to the sum of the flag's weights; `value` is any JSON."""

    name: str
    weight: float
    value: Any = None


class Override(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """Replaces the flag's rules, percentage and variants for the contexts that all its rules match."""

    name: str
    rules: tuple[Rule, ...] = ()
    rollout_percentage: float = 100
    variants: tuple[Variant, ...] = ()


class Requirement(msgspec.Struct, frozen=True, rename="camel"):
    """A flag that must be on first, and on that variant where one is named."""

    flag: str
    variant: str | None = None


class Flag(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """One flag of one environment. The meaning of each field, and the order of decision, is in docs/model.md.

    `rollout_percentage` is 0–100 with three decimals, `fail_safe_after` is in seconds, `created_at` and `updated_at`
    are Unix times in milliseconds, and `revision` is the one that last changed this flag.
    """

    key: str
    enabled: bool = False
    kill: Kill | None = None
    whitelist: tuple[str, ...] = ()
    blacklist: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()
    rollout_percentage: float = 100
    variants: tuple[Variant, ...] = ()
    overrides: tuple[Override, ...] = ()
    bucket_by: str = "userId"
    requires: tuple[Requirement, ...] = ()
    fail_safe_after: float | None = None
    client_visible: bool = False
    kind: str = FlagKind.RELEASE  # a str, so that a kind of a later release does not make a flag unreadable
    expected_life_days: int | None = None
    description: str = ""
    owner: str = ""
    tags: tuple[str, ...] = ()
    archived: Archived | None = None
    created_at: int = 0
    updated_at: int = 0
    revision: int = 0


class Segment(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A named set of users: in by id or by all its rules, and never if excluded."""

    key: str
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()
    description: str = ""
    created_at: int = 0
    updated_at: int = 0
    revision: int = 0
