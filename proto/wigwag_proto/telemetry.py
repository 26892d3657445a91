"""What a client tells of itself: who it is, which states it has in force, and how its flags were decided.

Every text and number is bounded here, so that whoever takes a report in need not look at its size again.
"""

from typing import Annotated
from urllib.parse import parse_qsl, urlencode

import msgspec
from msgspec import Meta

from wigwag_proto.commit import CURSOR_PATTERN
from wigwag_proto.errors import Malformed
from wigwag_proto.runs import BOUNDS_S
from wigwag_proto.samples import SAMPLES_LIMIT, Sample

INSTANCE_HEADER = "Wigwag-Instance"
LONGEST_HEADER = 2048
ROWS_LIMIT = 1000
APPLIED_LIMIT = 16
TRIPPED_LIMIT = 100
# A flag or variant may have a name of this length; names that code asks for are cut to it.
LONGEST_NAME = 128

Name = Annotated[str, Meta(max_length=LONGEST_NAME)]
InstanceId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{8,64}$")]
Number = Annotated[int, Meta(ge=0, le=2**47)]


class Instance(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """One client, from its start to its close. A fork makes another one. `started_at` is Unix time in ms."""

    id: InstanceId
    label: Name = ""
    host: Name = ""
    pid: Number = 0
    started_at: Number = 0
    sdk: Name = ""

    @property
    def name(self) -> str:
        """What a person looks for it by."""
        place = f"{self.host}:{self.pid}"
        return f"{self.label}@{place}" if self.label else place


class AppliedState(msgspec.Struct, frozen=True, rename="camel"):
    """A state that is in force in the client, since `held_ms` before the report was sent."""

    cursor: Annotated[str, Meta(pattern=f"^{CURSOR_PATTERN.pattern}$")]
    held_ms: Annotated[float, Meta(ge=0, le=86_400_000)] = 0.0


class UsageRow(msgspec.Struct, frozen=True, rename="camel"):
    """How often a flag was decided this way. For an unknown flag `enabled` is the default that the code gave."""

    flag: Name
    enabled: bool
    reason: Annotated[str, Meta(max_length=32)]
    count: Annotated[int, Meta(ge=1, le=2**40)]
    variant: Name | None = None


class OutcomeRow(msgspec.Struct, frozen=True, rename="camel"):
    """How the code behind a flag fared, where that was on or off: calls, those that failed, and their time in all.

    `variant` is there for runs of which it is known; the rows of a side add up.
    `durations` counts those of a known duration by bucket of `wigwag_proto.runs.BOUNDS_S`, and one beyond.
    """

    flag: Name
    enabled: bool
    calls: Annotated[int, Meta(ge=1, le=2**40)]
    errors: Number = 0
    duration_ms: Number = 0
    durations: Annotated[list[Number], Meta(max_length=len(BOUNDS_S) + 1)] = []
    variant: Name | None = None


class TrippedRow(msgspec.Struct, frozen=True, rename="camel"):
    """A flag whose circuit is tripped in the client, since `for_ms` before the report was sent."""

    flag: Name
    for_ms: Annotated[float, Meta(ge=0, le=2**47)] = 0.0


class Telemetry(msgspec.Struct, frozen=True, rename="camel", kw_only=True, omit_defaults=True):
    """The body of `POST /v1/telemetry`.

    `batch` numbers the reports of an instance that have counts, from 1 on: one that was counted already is not
    counted again. `closing` says that nothing will be decided here any more. `samples` are of contexts, whose ids were
    hashed with the key `samples_key`; those of another key than the environment's are of no use. `tripped` is the
    whole list of tripped circuits, and absent where there is no news of them.
    """

    instance: Instance
    applied: Annotated[list[AppliedState], Meta(max_length=APPLIED_LIMIT)] = []
    batch: Number = 0
    usage: Annotated[list[UsageRow], Meta(max_length=ROWS_LIMIT)] = []
    outcomes: Annotated[list[OutcomeRow], Meta(max_length=ROWS_LIMIT)] = []
    samples: Annotated[list[Sample], Meta(max_length=SAMPLES_LIMIT)] = []
    samples_key: Annotated[str, Meta(max_length=128)] = ""
    tripped: Annotated[list[TrippedRow], Meta(max_length=TRIPPED_LIMIT)] | None = None
    closing: bool = False


def encode_telemetry(telemetry: Telemetry) -> bytes:
    """Return the body."""
    return msgspec.json.encode(telemetry)


def decode_telemetry(data: bytes) -> Telemetry:
    """Read a body; unknown fields are ignored. Raises Malformed."""
    try:
        return msgspec.json.decode(data, type=Telemetry)
    # What is unknown is skipped, however deep it is nested; the library has no error of its own for what is no UTF-8.
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise Malformed(str(error)) from error


def instance_header(instance: Instance) -> str:
    """Return what stands in `Wigwag-Instance`: a form, URL-encoded, so that no name can break the header."""
    return urlencode({name: value for name, value in msgspec.to_builtins(instance).items() if value})


def read_instance_header(text: str | None) -> Instance | None:
    """Return who sent a request; None where it does not say so, or not in the right form."""
    if not text or len(text) > LONGEST_HEADER:
        return None
    try:
        text.encode()  # bytes that are no UTF-8 come as halves of characters, which no store can hold
        return msgspec.convert(dict(parse_qsl(text, max_num_fields=16)), Instance, strict=False)
    except (msgspec.ValidationError, ValueError):
        return None
