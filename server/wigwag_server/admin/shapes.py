"""The JSON that the admin API takes and gives, as types: they are what /openapi.json is made of.

What a body must meet beyond its type (references, keys that are there once, values that an operator can use) is
checked by `wigwag_proto.validate`, which also says it better. A test holds the two together.
"""

from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import Meta

from wigwag_proto.flag import FlagKind
from wigwag_proto.rule_checks import ALL_OPERATORS, LONGEST_NAME
from wigwag_proto.validate import KEY, LONGEST_DESCRIPTION, LONGEST_ID, LONGEST_LIFE_DAYS, MOST_TAGS
from wigwag_server.admin.bodies import LONGEST_PATTERN, LONGEST_REASON, MOST_KILLED
from wigwag_server.admin.comments import LONGEST_COMMENT

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
Comment = Annotated[str, Meta(max_length=LONGEST_COMMENT, description="Why, for the audit log.")]
DryRun = Annotated[bool, Meta(description="Only say what would be done.")]
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
    expected_life_days: (
        Annotated[int, Meta(ge=1, le=LONGEST_LIFE_DAYS, description="Null takes the environment's.")] | None
    ) = None
    description: Description = ""
    owner: Annotated[str, Meta(max_length=LONGEST_NAME)] = ""
    tags: Annotated[tuple[Name, ...], Meta(max_length=MOST_TAGS, extra_json_schema={"uniqueItems": True})] = ()
    kill_switch: Annotated[bool, Meta(description="`true` kills it too; `false` does nothing.")] = False
    comment: Comment = ""
    key: Annotated[Key, Meta(description="Must be the one in the path.", examples=["checkout"])] | msgspec.UnsetType = (
        msgspec.UNSET
    )
    kill: Annotated[Any, Meta(description="Null, or the one in force.")] = None
    archived: Ignored = None
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
    comment: Comment = ""
    key: Annotated[Key, Meta(description="Must be the one in the path.", examples=["checkout"])] | msgspec.UnsetType = (
        msgspec.UNSET
    )
    created_at: Ignored = None
    updated_at: Ignored = None
    revision: Ignored = None


def _patch_of(name: str, body: type[Body], left_out: tuple[str, ...]) -> type[msgspec.Struct]:
    """Return the type of a JSON Merge Patch: every field may be left out, and null puts its default back."""
    kept = [each for each in msgspec.structs.fields(body) if each.encode_name not in left_out]
    defined = [(each.name, each.type if each.type is Any else each.type | None, None) for each in kept]
    patch = msgspec.defstruct(name, defined, rename="camel", kw_only=True, forbid_unknown_fields=True, frozen=True)
    patch.__doc__ = "What is to change (RFC 7396): what is left out stays as it is, and null puts the default back."
    return patch


FlagPatch = _patch_of("FlagPatch", FlagBody, ("killSwitch", "comment"))
SegmentPatch = _patch_of("SegmentPatch", SegmentBody, ("comment",))


class CommentBody(Body, frozen=True):
    """Why, for the audit log."""

    EXAMPLE: ClassVar[Any] = {"comment": "back to what worked"}

    comment: Comment = ""


class QuestionBody(Body, frozen=True):
    """For whom is to be decided, and when."""

    EXAMPLE: ClassVar[Any] = {"context": {"userId": "u1", "plan": "premium"}}

    context: Annotated[dict[str, Any], Meta(description="Attributes.")] = {}
    as_of: Annotated[int | str | None, Meta(description="A revision, or a time that has been (RFC 3339).")] = None
    stale_for: Annotated[float, Meta(ge=0, description="For how long the app has not been current, in seconds.")] = 0


class FlagQuestionBody(QuestionBody, frozen=True):
    """For whom is to be decided, and when; or as a draft of the flag would have it."""

    draft: Annotated[dict[str, Any] | None, Meta(description="A body as for writing the flag.")] = None


class KillBody(Body, frozen=True):
    """Why a flag is killed, and until when."""

    EXAMPLE: ClassVar[Any] = {"reason": "payments fail", "until": "2199-01-31T12:00:00Z"}

    reason: Reason = ""
    until: Until | None = None
    dry_run: DryRun = False
    comment: Comment = ""


class KillManyBody(Body, frozen=True):
    """What is to be killed, why, and until when. Keys, tags or a pattern must be given."""

    EXAMPLE: ClassVar[Any] = {"keys": ["checkout"], "tags": ["payments"], "reason": "payments fail"}

    keys: Annotated[tuple[str, ...], Meta(max_length=MOST_KILLED)] = ()
    tags: Annotated[tuple[str, ...], Meta(max_length=MOST_KILLED)] = ()
    pattern: Annotated[str, Meta(max_length=LONGEST_PATTERN, description="A shell pattern, such as `pay.*`.")] = ""
    reason: Reason = ""
    until: Until | None = None
    dry_run: DryRun = False
    comment: Comment = ""


_SELECTED = {"keys": "minItems", "tags": "minItems", "pattern": "minLength"}
_SOME = [{"required": [field], "properties": {field: {least: 1}}} for field, least in _SELECTED.items()]
KillMany = Annotated[KillManyBody, Meta(extra_json_schema={"anyOf": _SOME})]


class ReviveManyBody(Body, frozen=True):
    """Whose kills are to be lifted, and why."""

    EXAMPLE: ClassVar[Any] = {"keys": ["checkout", "search"], "comment": "the database is well again"}

    keys: Annotated[tuple[str, ...], Meta(min_length=1, max_length=MOST_KILLED)]
    dry_run: DryRun = False
    comment: Comment = ""
