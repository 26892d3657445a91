"""What a relay tells its upstream of its instances, and of how flags were decided in them. All of it is bounded."""

from typing import Annotated

import msgspec
from msgspec import Meta

from wigwag_proto.runs import BOUNDS_S
from wigwag_proto.telemetry import ROWS_LIMIT, TRIPPED_LIMIT, Instance, InstanceId, Name, Number
from wigwag_server.instances.roster import Changes, Confirmation, ServerNote, Tripped, Via
from wigwag_server.usage.usage_store import Batch

MOST = 5000
# One batch of an app cannot be parted, since it is counted by its number: this is more than the largest takes.
LARGEST_BODY = 8 * 1024 * 1024
# As long ago as an app may say, in µs. What cannot be told would be in the way of all that is told with it.
LONGEST_AGO_US = 2**47 * 1000
# A row of decisions makes one count; one of outcomes the calls, the errors, their time, and each of the durations.
MOST_COUNTS = ROWS_LIMIT * (1 + 3 + len(BOUNDS_S) + 1)
# Rows of an app may all be about the same, and are one count then.
Amount = Annotated[int, Meta(ge=0, le=ROWS_LIMIT * 2**47)]
Ago = Annotated[int, Meta(ge=0, le=LONGEST_AGO_US)]
Ids = Annotated[tuple[InstanceId, ...], Meta(max_length=MOST)]


class SeatBody(msgspec.Struct, frozen=True):
    """An instance, and how it is connected to the relay."""

    instance: Instance
    via: Via


class ConfirmationBody(msgspec.Struct, frozen=True, rename="camel"):
    """An instance had a state in force so many microseconds ago."""

    instance: InstanceId
    cursor: Annotated[str, Meta(max_length=128)]
    ago_us: Ago


class TrippedBody(msgspec.Struct, frozen=True, rename="camel"):
    """Since how many microseconds flags are off in an instance whose circuits for them have tripped."""

    instance: InstanceId
    ago_us: Annotated[dict[Name, Ago], Meta(max_length=TRIPPED_LIMIT)]


class FreezeBody(msgspec.Struct, frozen=True, rename="camel"):
    """The relay heard of a kill so many microseconds ago, with these instances in their seats."""

    epoch: Annotated[str, Meta(max_length=64)]
    revision: Number
    heard_ago_us: Ago
    own: Ids = ()


class CountBody(msgspec.Struct, frozen=True):
    """So many more of one sort of decision on a flag."""

    flag: Name
    series: Annotated[str, Meta(max_length=1024)]
    amount: Amount


class BatchBody(msgspec.Struct, frozen=True):
    """A batch of an instance; counted once."""

    instance: InstanceId
    number: Number
    counts: Annotated[tuple[CountBody, ...], Meta(max_length=MOST_COUNTS)] = ()
    unknown: Annotated[dict[Name, Amount], Meta(max_length=ROWS_LIMIT)] = {}


class RelayedBody(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """One thing or several, of one environment, in this order.

    `server` names the relay, or one below it: another id at each start.
    """

    environment: Annotated[str, Meta(max_length=128)]
    server: Annotated[str, Meta(pattern="^[A-Za-z0-9.]{0,256}$")] = ""
    name: Name = ""
    streams: Number = 0
    anonymous: Number = 0
    update: bool = False
    seated: Annotated[tuple[SeatBody, ...], Meta(max_length=MOST)] = ()
    lost: Ids = ()
    left: Ids = ()
    freeze: FreezeBody | None = None
    confirm: Annotated[tuple[ConfirmationBody, ...], Meta(max_length=MOST)] = ()
    tripped: Annotated[tuple[TrippedBody, ...], Meta(max_length=MOST)] = ()
    usage: Annotated[tuple[BatchBody, ...], Meta(max_length=MOST)] = ()
    farewell: bool = False

    def note(self, prefix: str) -> ServerNote:
        """Return what the relay says of itself, under an id that no other server can have."""
        return ServerNote(f"{prefix}.{self.server}", self.name, self.streams, self.anonymous)

    def changes(self) -> Changes:
        """Return who came and went."""
        return Changes([(each.instance, each.via) for each in self.seated], self.lost, self.left)

    def confirmations(self) -> list[Confirmation]:
        """Return who has what in force."""
        return [Confirmation(each.instance, each.cursor, each.ago_us) for each in self.confirm]

    def trips(self) -> list[Tripped]:
        """Return which circuits are tripped."""
        return [Tripped(each.instance, each.ago_us) for each in self.tripped]

    def batches(self) -> list[Batch]:
        """Return what was counted."""
        return [msgspec.convert(msgspec.to_builtins(each), Batch) for each in self.usage]


class RelayedAnswer(msgspec.Struct, frozen=True):
    """`known` says whether the roster knew the relay before this update."""

    known: bool
