"""The JSON of OFREP as types: they are what /openapi.json is made of.

Source: OFREP 0.3.0.
"""

from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import UNSET, Meta, UnsetType


class EvaluationRequest(msgspec.Struct, frozen=True, rename="camel"):
    """For whom is to be decided."""

    EXAMPLE: ClassVar[Any] = {"context": {"targetingKey": "u1", "plan": "premium"}}

    context: Annotated[
        dict[str, Any] | None, Meta(description="The attributes, `targetingKey` being the user's id.")
    ] = None


class Evaluation(msgspec.Struct, frozen=True):
    """What was decided. Without `value` the default in the code counts."""

    key: str
    reason: str
    variant: str
    metadata: Annotated[dict[str, Any], Meta(description="`wigwagReason` and the `revision` of the flag.")]
    value: Any = None


class Evaluations(msgspec.Struct, frozen=True, rename="camel"):
    """All flags that the key may see, and where to hear of changes."""

    flags: tuple[Evaluation, ...]
    event_streams: tuple[dict[str, Any], ...]


class EvaluationFailure(msgspec.Struct, frozen=True, rename="camel"):
    """What went wrong, in OFREP's words."""

    error_code: str
    error_details: str
    key: str | UnsetType = UNSET


class EventsQuery(msgspec.Struct, frozen=True):
    """What opens an event stream, in place of a key: browsers cannot send one there."""

    token: Annotated[str, Meta(description="As it stands in `eventStreams`. It is good for a short time only.")]


class FreshnessQuery(msgspec.Struct, frozen=True, rename="camel"):
    """How fresh the answer must be at least."""

    flag_config_etag: Annotated[str, Meta(description="The cursor that an event has told of.")] = ""


class SimpleDecision(msgspec.Struct, frozen=True):
    """On or off."""

    enabled: bool
