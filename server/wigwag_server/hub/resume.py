"""How a stream begins: with what was missed, with everything, or with nothing. Pure."""

from dataclasses import dataclass

from wigwag_proto.commit import Cursor
from wigwag_proto.errors import MalformedCursor
from wigwag_proto.events import Outcome
from wigwag_proto.replica import Ancestry, Replica
from wigwag_server.hub.ring import Ring


@dataclass(frozen=True, slots=True)
class Resume:
    """`cursor` is the state that the client is taken to have; None when it gets everything.

    `claim` is a state that the client says to have and this server does not know: to be looked into.
    """

    outcome: Outcome
    cause: str
    cursor: Cursor | None = None
    claim: Cursor | None = None


def resume(replica: Replica, ring: Ring, last_event_id: str | None) -> Resume:
    """Decide by the cursor that the client sent, which may be missing, garbage, or of a history unknown here."""
    if not last_event_id:
        return Resume(Outcome.SNAPSHOT, "new")
    try:
        cursor = Cursor.parse(last_event_id)
    except MalformedCursor:
        return Resume(Outcome.SNAPSHOT, "malformed")
    match replica.ancestry(cursor):
        case Ancestry.SAME:
            return Resume(Outcome.CURRENT, "current", replica.cursor)
        case Ancestry.AHEAD:
            # This server lags, or its store lost something. What is older would be refused by the client anyway.
            return Resume(Outcome.CURRENT, "ahead", replica.cursor, claim=cursor)
        case Ancestry.OTHER if replica.cursor and cursor.epoch.generation == replica.cursor.epoch.generation:
            # Another branch, or a history made in the same millisecond: what is sent may not look later to the client.
            return Resume(Outcome.SNAPSHOT, "other-branch", claim=cursor)
        case Ancestry.OTHER:
            return Resume(Outcome.SNAPSHOT, "other-epoch")
        case Ancestry.PAST | Ancestry.UNKNOWN if ring.since(cursor) is not None:
            return Resume(Outcome.RESUMED, "missed", cursor)
    return Resume(Outcome.SNAPSHOT, "too-old")
