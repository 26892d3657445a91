"""The JSON of keys, environments, transfers, approvals and the audit log, as types, for /openapi.json."""

from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from wigwag_proto.flag import Archived
from wigwag_proto.validate import KEY, LONGEST_LIFE_DAYS
from wigwag_server.admin.audit_search import MOST
from wigwag_server.admin.environment_bodies import LONGEST_DESCRIPTION, MOST_OWNER_FLAGS, NAME
from wigwag_server.admin.key_bodies import MAX_NAME, MOST_LISTED
from wigwag_server.admin.proposals import Status
from wigwag_server.admin.shapes import Body, Comment, DryRun, FlagBody, Name, SegmentBody
from wigwag_server.admin.times import LENGTH, POINT
from wigwag_server.admin.transfer_bodies import MOST_NAMED
from wigwag_server.auth.keys import KeyKind
from wigwag_server.auth.rights import Role

Key = Annotated[str, Meta(pattern=f"^{KEY.pattern}$")]
Names = Annotated[tuple[Name, ...], Meta(max_length=MOST_LISTED)]
Span = Annotated[str, Meta(pattern=r"^[0-9]{1,9} ?(s|m|h|d|w)$", description=f"{LENGTH.capitalize()}.")]
Point = Annotated[int | str | None, Meta(description=f"{POINT.capitalize()}.")]
EnvironmentName = Annotated[str, Meta(pattern=f"^{NAME.pattern}$")]
EnvironmentText = Annotated[str, Meta(max_length=LONGEST_DESCRIPTION)]
Changes = Annotated[
    tuple[dict[str, Any], ...],
    Meta(description="By `kind` and `key`: the `change`, and for each of its `fields` what is `before` and `after`."),
]


class KeyBody(Body, frozen=True):
    """A key that is asked for.

    `role`, `environments`, `flags` and `tags` are an admin token's; a hook has `flags`, a relay `environments`.
    """

    EXAMPLE: ClassVar[Any] = {"kind": "server", "environment": "production", "name": "shop"}

    kind: KeyKind
    name: Annotated[str, Meta(max_length=MAX_NAME, description="Says in kills and logs who it was.")] = ""
    environment: Annotated[str, Meta(description="Of an app or a hook: `production` by default.")] | UnsetType = UNSET
    role: Role | UnsetType = UNSET
    environments: Names = ()
    flags: Annotated[Names, Meta(description="Keys, or patterns such as `pay.*`.")] = ()
    tags: Names = ()
    expires_at: Point = None
    expires_in: Span | None = None
    comment: Comment = ""


class RotateBody(Body, frozen=True):
    """How long the old key goes on, and when the new one runs out."""

    EXAMPLE: ClassVar[Any] = {"overlap": "24h"}

    overlap: Span = "24h"
    expires_at: Point = None
    expires_in: Span | None = None
    comment: Comment = ""


class KeyAnswer(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A key, without its token."""

    id: str
    kind: KeyKind
    name: str
    environment: str | None
    role: Role | UnsetType = UNSET
    environments: tuple[str, ...] | UnsetType = UNSET
    flags: tuple[str, ...] | UnsetType = UNSET
    tags: tuple[str, ...] | UnsetType = UNSET
    created_at: int
    created_by: str
    expires_at: int | None
    expired: bool
    rotated_from: str | None
    last_used_at: int | None
    streams: Annotated[int, Meta(description="Open on this server.")]


class NewKey(KeyAnswer, frozen=True, rename="camel", kw_only=True):
    """A key that was made. This is the only time that its token is shown."""

    key: Annotated[str, Meta(description="The token.")]
    rotated: KeyAnswer | UnsetType = UNSET


class KeyList(msgspec.Struct, frozen=True):
    """Keys, the newest first."""

    keys: tuple[KeyAnswer, ...]


class EnvironmentBody(Body, frozen=True):
    """An environment that is asked for."""

    EXAMPLE: ClassVar[Any] = {"name": "staging", "cloneFrom": "production"}

    name: EnvironmentName
    clone_from: Annotated[str | None, Meta(description="It gets the flags and segments of this one.")] = None
    description: EnvironmentText = ""
    approvals: Annotated[bool, Meta(description="Whether changes wait for a second person.")] = False
    comment: Comment = ""


class EnvironmentPatch(Body, frozen=True):
    """What is to change about an environment."""

    EXAMPLE: ClassVar[Any] = {"description": "what the testers use"}

    description: EnvironmentText | UnsetType = UNSET
    approvals: bool | UnsetType = UNSET
    expected_life_days: Annotated[int, Meta(ge=1, le=LONGEST_LIFE_DAYS)] | UnsetType = UNSET
    owner_release_flags: Annotated[int, Meta(ge=1, le=MOST_OWNER_FLAGS)] | UnsetType | None = UNSET
    refuse_over_limit: bool | UnsetType = UNSET
    sample_contexts: (
        Annotated[bool, Meta(description="Whether samples of contexts are taken from apps that send some.")] | UnsetType
    ) = UNSET
    comment: Comment = ""


class EnvironmentAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """An environment, and how much is in it."""

    name: str
    description: str
    approvals: bool
    expected_life_days: int
    owner_release_flags: int | None
    refuse_over_limit: bool
    sample_contexts: bool
    created_at: int | None
    created_by: str
    cursor: str | None
    flags: int
    segments: int
    keys: int
    streams: int


class EnvironmentList(msgspec.Struct, frozen=True):
    """Environments, by name."""

    environments: tuple[EnvironmentAnswer, ...]


class Document(msgspec.Struct, frozen=True):
    """A whole environment."""

    flags: dict[str, dict[str, Any]]
    segments: dict[str, dict[str, Any]]
    damaged: tuple[str, ...] | UnsetType = UNSET


class ImportedFlag(FlagBody, frozen=True):
    """A flag as an export has it."""

    archived: Annotated[
        Archived | UnsetType | None, Meta(description="Null: it is not. Left out: it stays as it is.")
    ] = UNSET


class ImportBody(Body, frozen=True):
    """What is to be. Kills are not imported: `killSwitch` may only be false."""

    flags: dict[Key, ImportedFlag] | UnsetType = UNSET
    segments: dict[Key, SegmentBody] | UnsetType = UNSET
    mode: Annotated[
        Literal["merge", "replace"], Meta(description="`replace` deletes what is not named, but no killed flags.")
    ] = "merge"
    dry_run: DryRun = False
    comment: Comment = ""


_SOME = [{"required": [field]} for field in ("flags", "segments")]
Import = Annotated[ImportBody, Meta(extra_json_schema={"anyOf": _SOME})]


class PromoteBody(Body, frozen=True):
    """What is to be copied from where."""

    EXAMPLE: ClassVar[Any] = {"from": "staging", "flags": ["checkout", "pay.*"], "dryRun": True}

    source: Name = msgspec.field(name="from")
    flags: Annotated[tuple[Name, ...], Meta(min_length=1, max_length=MOST_NAMED, description="Keys, or patterns.")]
    with_segments: bool = False
    dry_run: DryRun = False
    comment: Comment = ""


class Transferred(msgspec.Struct, frozen=True, rename="camel"):
    """What has changed, or would. `kept` are killed flags that would have gone."""

    environment: str
    cursor: str
    dry_run: bool
    changes: Changes
    kept: tuple[str, ...]


class Side(msgspec.Struct, frozen=True):
    """One side of a comparison."""

    environment: str
    cursor: str


class Comparison(msgspec.Struct, frozen=True):
    """What leads from one environment to another."""

    before: Side
    after: Side
    changes: Changes


class ApprovalAnswer(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A change that waits, or waited, for a second person."""

    id: str
    environment: str
    action: str
    by: str
    comment: str
    created_at: int
    expires_at: int
    changes: Changes
    status: Status
    decided_by: str
    decided_at: int | None
    decision_comment: str
    cursor: str


class ApprovalList(msgspec.Struct, frozen=True):
    """Changes that wait, or waited, the newest first."""

    approvals: tuple[ApprovalAnswer, ...]


class AuditPage(msgspec.Struct, frozen=True):
    """Entries of the audit log, the newest first."""

    environment: str
    entries: Annotated[tuple[dict[str, Any], ...], Meta(description="Each with its `sequence` and `link`.")]
    next: Annotated[int | None, Meta(description="Send it as `before` for the next part; null at the end.")]


class AuditVerdict(msgspec.Struct, frozen=True, rename="camel"):
    """Whether the chain of the audit log holds."""

    environment: str
    intact: bool
    broken_at: int | None
    first: int | None
    last: int | None
    link: Annotated[str | None, Meta(description="Of the last entry: note it elsewhere.")]


class ApprovalQuery(msgspec.Struct, frozen=True):
    """Which changes."""

    status: Status | UnsetType = UNSET
    environment: str | UnsetType = UNSET


class CommentQuery(msgspec.Struct, frozen=True):
    """Why."""

    comment: Comment = ""


class ConfirmQuery(CommentQuery, frozen=True):
    """That it is meant, and why."""

    confirm: Annotated[str, Meta(description="The name again.")] = ""


class TrialQuery(msgspec.Struct, frozen=True, rename="camel"):
    """Whether it is a trial."""

    dry_run: Annotated[bool, Meta(description="`true` only says what would change; as `dryRun` in the body.")] = False


class LogQuery(msgspec.Struct, frozen=True):
    """Which log."""

    environment: Annotated[str, Meta(description="`_system` is the log of keys and environments.")] = "production"


class AuditQuery(LogQuery, frozen=True):
    """Which entries: those that meet everything."""

    who: Annotated[str, Meta(description="A name, or the id of a key.")] = ""
    action: Annotated[str, Meta(description="A name, or a pattern such as `flag.*`.")] = ""
    kind: Annotated[str, Meta(description="With `key`: `flag` by default.")] | UnsetType = UNSET
    key: Annotated[str, Meta(description="What touched this record.")] | UnsetType = UNSET
    since: Annotated[int | str, Meta(description="RFC 3339, or Unix ms.")] | UnsetType = msgspec.field(
        name="from", default=UNSET
    )
    until: Annotated[int | str, Meta(description="RFC 3339, or Unix ms.")] | UnsetType = msgspec.field(
        name="to", default=UNSET
    )
    limit: Annotated[int, Meta(ge=1, le=MOST)] = 100
    before: Annotated[int, Meta(ge=1, le=10**15)] | UnsetType = UNSET
    format: Literal["json", "ndjson"] | UnsetType = UNSET
