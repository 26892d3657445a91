"""What can be said in the URLs of proof and usage, as types for /openapi.json."""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from wigwag_server.admin.query_shapes import WriteQuery

Wait = Annotated[
    str,
    Meta(
        pattern=r"^[0-9]{1,6}(\.[0-9]{1,3})?(ms|s)?$",
        description="Answer only when every instance has confirmed, after this time at the latest: 2s, or 500ms.",
    ),
]
Over = Annotated[str, Meta(pattern=r"^[0-9]{1,4}[mhd]$", description="How far back to look: 30m, 24h, at most 60d.")]
State = Annotated[
    Literal["stream", "poll", "lost", "left", "unknown"], Meta(description="Only instances in this state.")
]
Limit = Annotated[int, Meta(ge=1, le=10_000, description="At most so many.")]


class KillQuery(WriteQuery, frozen=True, rename="camel"):
    """Of a kill and a revival."""

    wait: Wait | UnsetType = UNSET


class InstancesQuery(msgspec.Struct, frozen=True):
    """Which instances, and how many."""

    state: State | UnsetType = UNSET
    limit: Limit = 1000


class MetricsQuery(msgspec.Struct, frozen=True):
    """Of which time."""

    over: Over = "24h"


class NoQuery(msgspec.Struct, frozen=True):
    """Nothing but the environment."""
