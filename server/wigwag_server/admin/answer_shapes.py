"""The JSON that the admin API gives, as types: they are what /openapi.json is made of."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from wigwag_proto.decision import Decision
from wigwag_proto.flag import Flag, Segment
from wigwag_proto.ruleset import What
from wigwag_proto.snapshot import Emergency

Next = Annotated[str | None, Meta(description="Send it as `after` for the next part; null at the end.")]


class FlagList(msgspec.Struct, frozen=True):
    """Flags by key, and the kills in force that the store has not taken yet."""

    environment: str
    cursor: str
    flags: tuple[Flag, ...]
    total: Annotated[int, Meta(description="How many were found in all.")]
    next: Next
    emergencies: tuple[Emergency, ...]


class SegmentList(msgspec.Struct, frozen=True):
    """Segments, by key."""

    environment: str
    cursor: str
    segments: tuple[Segment, ...]
    total: int
    next: Next


class Killed(msgspec.Struct, frozen=True):
    """The flags that were killed, in one revision."""

    environment: str
    cursor: str
    flags: tuple[Flag, ...]


class Revived(msgspec.Struct, frozen=True):
    """The flags whose kills were lifted, in one revision."""

    environment: str
    cursor: str
    flags: tuple[Flag, ...]


class Declared(msgspec.Struct, frozen=True):
    """An emergency: a kill that is in force although the store could not take it yet."""

    emergency: dict[str, Any]
    streams: Annotated[int, Meta(description="To how many streams it was written at once.")]
    durable: Annotated[bool, Meta(description="Whether it is on this server's disk.")]
    detail: Annotated[str, Meta(description="Exactly what that means.")]


class Trial(msgspec.Struct, frozen=True, rename="camel"):
    """What a write would have changed."""

    dry_run: bool
    environment: str
    cursor: str
    changes: tuple[dict[str, Any], ...]


class HistoryItem(msgspec.Struct, frozen=True, rename="camel"):
    """What was done to a record in one revision: by whom, from where, and why."""

    revision: int
    at: int
    what: What
    action: str
    by: str
    key_id: str
    address: str
    comment: str
    approved_by: str
    request: str
    changes: Annotated[
        tuple[dict[str, Any], ...],
        Meta(description="By `field`: `before` and `after`, or what was `added` and `removed`."),
    ]


class History(msgspec.Struct, frozen=True):
    """What was done to a record, newest first."""

    environment: str
    key: str
    exists: bool
    history: tuple[HistoryItem, ...]
    next: Annotated[int | None, Meta(description="Send it as `before` for the next part; null at the end.")]


class Explained(Decision, frozen=True, rename="camel", kw_only=True):
    """A decision, with every step that led to it."""

    environment: str
    cursor: str


class ExplainedAll(msgspec.Struct, frozen=True):
    """The decisions on many flags, by key."""

    environment: str
    cursor: str
    decisions: tuple[Decision, ...]
    total: int
    next: Next


class AlertAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """What an alert has killed, and what it has not."""

    environment: str
    cursor: str
    killed: tuple[str, ...]
    already_killed: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    reason: str = ""
    detail: str = ""
