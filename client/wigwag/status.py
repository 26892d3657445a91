"""What a client goes by right now, and how old it is."""

from dataclasses import dataclass
from enum import StrEnum


class Source(StrEnum):
    """Where the flags come from, best first."""

    STREAM = "stream"
    POLL = "poll"
    LOCAL = "local"  # a dict or a file, without a server
    LAST_KNOWN = "last-known"  # what was last received, in this process or (from disk) in an earlier one
    DEFAULTS = "defaults"  # nothing is known: the defaults in the code decide


@dataclass(frozen=True, slots=True)
class Status:
    """A client's state at one moment.

    `cursor` names the state in force. `age_s` is how many seconds ago that state was last proven to be all there
    is; None when it never was. `last_error` is what last went wrong with the server, None once it is well again;
    `disk_error` the same for the last known snapshot on disk. `tripped` are the flags that are off in this process
    because their circuit has tripped.
    """

    source: Source
    cursor: str | None
    revision: int | None
    age_s: float | None
    last_error: str | None
    unreadable: dict[str, str]
    disk_error: str | None = None
    tripped: tuple[str, ...] = ()

    @property
    def connected(self) -> bool:
        """Whether changes are being pushed to this client."""
        return self.source is Source.STREAM
