"""The parameters in the URLs of the admin API, as types: they are what /openapi.json is made of."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from wigwag_proto.flag import FlagKind
from wigwag_proto.validate import KEY
from wigwag_server.admin.comments import LONGEST_COMMENT
from wigwag_server.admin.flag_life import Stage
from wigwag_server.admin.flag_state import FlagState
from wigwag_server.admin.history import LARGEST_PAGE as LARGEST_HISTORY
from wigwag_server.admin.history import PAGE as HISTORY_PAGE
from wigwag_server.admin.parameters import LONGEST
from wigwag_server.admin.search import LARGEST_PAGE, PAGE

STATES = tuple(each.value for each in (*FlagState, *Stage))
State = Literal[STATES]  # type: ignore[valid-type] # the one list of each, as the checks have it
Text = Annotated[str, Meta(max_length=LONGEST)]
Limit = Annotated[int, Meta(ge=1, le=LARGEST_PAGE, description="How many at most.")]
After = Annotated[str, Meta(pattern=f"^({KEY.pattern})?$", description="The `next` of the answer before.")]
Words = Annotated[
    str, Meta(max_length=LONGEST, description="Words in key, description, owner or tags; all must be there.")
]
Comment = Annotated[str, Meta(max_length=LONGEST_COMMENT, description="Why, for the audit log.")]
DryRun = Annotated[bool, Meta(description="`true` only says what would change.")]


class PageQuery(msgspec.Struct, frozen=True):
    """What is looked for, and which part of it is shown."""

    q: Words = ""
    limit: Limit = PAGE
    after: After = ""


class FlagQuery(PageQuery, frozen=True):
    """What is looked for: of each list, any."""

    tag: Annotated[tuple[Text, ...], Meta(description="May be repeated.")] = ()
    owner: Annotated[tuple[Text, ...], Meta(description="May be repeated.")] = ()
    kind: Annotated[tuple[FlagKind, ...], Meta(description="May be repeated.")] = ()
    state: Annotated[
        tuple[State, ...],
        Meta(description="For whom it is on, or where it stands in its life. May be repeated."),
    ] = ()
    stale: Annotated[bool, Meta(description="`true`: short for the states potentially-stale and stale.")] = False


class WriteQuery(msgspec.Struct, frozen=True, rename="camel"):
    """Of every write. Why it is made stands in the body, as `comment`."""

    dry_run: DryRun = False


class DeleteQuery(WriteQuery, frozen=True, rename="camel"):
    """Of every deletion, which has no body."""

    comment: Comment = ""
    confirm: Annotated[str, Meta(description="The key again; a dry run does without.")] = ""


class HistoryQuery(msgspec.Struct, frozen=True):
    """Which part of a history is shown."""

    limit: Annotated[int, Meta(ge=1, le=LARGEST_HISTORY, description="How many at most.")] = HISTORY_PAGE
    before: Annotated[int, Meta(ge=1, description="The `next` of the answer before.")] | msgspec.UnsetType = (
        msgspec.UNSET
    )


class AlertQuery(msgspec.Struct, frozen=True):
    """What an alert is about."""

    flag: Annotated[
        tuple[Text, ...], Meta(description="Kill only these of the flags that the key names. May be repeated.")
    ] = ()
