"""The JSON that the admin API takes and gives, as types: they are what /openapi.json is made of.

What a body must meet beyond its type (references, keys that are there once, values that an operator can use) is
checked by `wigwag_proto.validate`, which also says it better. A test holds the two together.
"""

from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import Meta

from wigwag_proto.flag import Flag, FlagKind, Segment
from wigwag_proto.rule_checks import ALL_OPERATORS, LONGEST_NAME
from wigwag_proto.snapshot import Emergency
from wigwag_proto.validate import KEY, LONGEST_DESCRIPTION, LONGEST_ID, MOST_TAGS
from wigwag_server.admin.bodies import LONGEST_REASON, MOST_KILLED
from wigwag_server.auth.keys import KeyKind

Name = Annotated[str, Meta(min_length=1, max_length=LONGEST_NAME)]
Key = Annotated[str, Meta(pattern=f"^{KEY.pattern}$")]
Id = Annotated[str, Meta(min_length=1, max_length=LONGEST_ID)]
Ids = Annotated[tuple[Id, ...], Meta(extra_json_schema={"uniqueItems": True})]
Description = Annotated[str, Meta(max_length=LONGEST_DESCRIPTION)]
Percentage = Annotated[float, Meta(ge=0, le=100, description="Three decimals at most.")]
Operator = Literal[ALL_OPERATORS]  # type: ignore[valid-type] # the one list of them, as the checks have it
Ignored = Annotated[Any, Meta(description="Filled in by the server; here it is ignored.")]
Until = Annotated[
    int | str, Meta(description="When the kill ends by itself: RFC 3339 with an offset, or Unix ms; in the future.")
]
Reason = Annotated[str, Meta(max_length=LONGEST_REASON, description="Shown to whoever looks.")]


class Body(msgspec.Struct, frozen=True, rename="camel", kw_only=True, forbid_unknown_fields=True):
    """What is sent: fields that it does not name are refused."""


class RuleBody(Body, frozen=True):
    """A condition on one attribute of the context."""

    attribute: Name
    operator: Operator
    value: Annotated[Any, Meta(description="What it may be depends on the operator.")] = None


class VariantBody(Body, frozen=True):
    """One arm of a split."""

    name: Name
    weight: Annotated[float, Meta(ge=0, description="Relative to the sum of all weights.")]
    value: Any = None


class OverrideBody(Body, frozen=True):
    """Replaces rules, percentage and variants for whom all its rules match."""

    name: Name
    rules: Annotated[tuple[RuleBody, ...], Meta(min_length=1)]
    rollout_percentage: Percentage = 100
    variants: tuple[VariantBody, ...] = ()


class RequirementBody(Body, frozen=True):
    """A flag that must be on first, and on that variant where one is named."""

    flag: Key
    variant: Name | None = None


class FlagBody(Body, frozen=True):
    """The whole configuration of a flag: what is left out gets its default. A kill that is in force stays."""

    EXAMPLE: ClassVar[Any] = {
        "enabled": True,
        "rolloutPercentage": 10,
        "whitelist": ["user_123"],
        "blacklist": [],
        "killSwitch": False,
        "rules": [{"attribute": "plan", "operator": "equals", "value": "premium"}],
    }

    enabled: bool = False
    whitelist: Annotated[Ids, Meta(description="User ids that are always on.")] = ()
    blacklist: Annotated[Ids, Meta(description="User ids that are always off.")] = ()
    rules: Annotated[tuple[RuleBody, ...], Meta(description="All must match.")] = ()
    rollout_percentage: Percentage = 100
    variants: tuple[VariantBody, ...] = ()
    overrides: Annotated[tuple[OverrideBody, ...], Meta(description="The first whose rules all match counts.")] = ()
    bucket_by: Annotated[Name, Meta(description="The attribute that is hashed for rollout and split.")] = "userId"
    requires: tuple[RequirementBody, ...] = ()
    fail_safe_after: Annotated[float, Meta(gt=0, description="Seconds.")] | None = None
    client_visible: Annotated[bool, Meta(description="Whether browser keys may see its result.")] = False
    kind: FlagKind = FlagKind.RELEASE
    description: Description = ""
    owner: Annotated[str, Meta(max_length=LONGEST_NAME)] = ""
    tags: Annotated[tuple[Name, ...], Meta(max_length=MOST_TAGS, extra_json_schema={"uniqueItems": True})] = ()
    kill_switch: Annotated[bool, Meta(description="`true` kills it too; `false` does nothing.")] = False
    key: Annotated[Key, Meta(description="Must be the one in the path.")] | msgspec.UnsetType = msgspec.UNSET
    kill: Annotated[Any, Meta(description="Null, or the one in force.")] = None
    created_at: Ignored = None
    updated_at: Ignored = None
    revision: Ignored = None


class SegmentBody(Body, frozen=True):
    """The whole configuration of a segment: a user is in it by id, or by all its rules, and never if excluded."""

    EXAMPLE: ClassVar[Any] = {"include": ["ann"], "description": "Everybody who works here"}

    include: Ids = ()
    exclude: Ids = ()
    rules: tuple[RuleBody, ...] = ()
    description: Description = ""
    key: Annotated[Key, Meta(description="Must be the one in the path.")] | msgspec.UnsetType = msgspec.UNSET
    created_at: Ignored = None
    updated_at: Ignored = None
    revision: Ignored = None


class KillBody(Body, frozen=True):
    """Why a flag is killed, and until when."""

    EXAMPLE: ClassVar[Any] = {"reason": "payments fail", "until": "2199-01-31T12:00:00Z"}

    reason: Reason = ""
    until: Until | None = None


class KillManyBody(Body, frozen=True):
    """What is to be killed, why, and until when. Keys or tags must be given."""

    EXAMPLE: ClassVar[Any] = {"keys": ["checkout"], "tags": ["payments"], "reason": "payments fail"}

    keys: Annotated[tuple[str, ...], Meta(max_length=MOST_KILLED)] = ()
    tags: Annotated[tuple[str, ...], Meta(max_length=MOST_KILLED)] = ()
    reason: Reason = ""
    until: Until | None = None


_SOME = [{"required": [field], "properties": {field: {"minItems": 1}}} for field in ("keys", "tags")]
KillMany = Annotated[KillManyBody, Meta(extra_json_schema={"anyOf": _SOME})]


class KeyBody(Body, frozen=True):
    """What the new key is for."""

    EXAMPLE: ClassVar[Any] = {"kind": "server", "environment": "production", "name": "shop"}

    kind: KeyKind
    environment: str = "production"
    name: Annotated[str, Meta(max_length=128, description="Printable; says in kills and logs who it was.")] = ""


class FlagList(msgspec.Struct, frozen=True):
    """Flags by key, and the kills in force that the store has not taken yet."""

    environment: str
    cursor: str
    flags: tuple[Flag, ...]
    emergencies: tuple[Emergency, ...]


class SegmentList(msgspec.Struct, frozen=True):
    """Segments, by key."""

    environment: str
    cursor: str
    segments: tuple[Segment, ...]


class Killed(msgspec.Struct, frozen=True):
    """The flags that were killed, in one revision."""

    environment: str
    cursor: str
    flags: tuple[Flag, ...]


class Declared(msgspec.Struct, frozen=True):
    """An emergency: a kill that is in force although the store could not take it yet."""

    emergency: dict[str, Any]
    streams: Annotated[int, Meta(description="To how many streams it was written at once.")]
    durable: Annotated[bool, Meta(description="Whether it is on this server's disk.")]
    detail: Annotated[str, Meta(description="Exactly what that means.")]


class NewKey(msgspec.Struct, frozen=True, rename="camel"):
    """A key that was made. This is the only time that its token is shown."""

    id: str
    key: Annotated[str, Meta(description="The token.")]
    kind: KeyKind
    environment: str | None
    name: str
    created_at: int
