"""What a stream says, as types, and its form on the wire. docs/protocol.md has it for other languages."""

from collections.abc import Callable
from enum import StrEnum

import msgspec

from wigwag_proto.codec import commit_from_plain, commit_to_plain, decode, encode
from wigwag_proto.commit import Commit, Cursor, Epoch
from wigwag_proto.errors import Malformed, MalformedEvent
from wigwag_proto.snapshot import Emergency, Snapshot, snapshot_from_plain
from wigwag_proto.sse import SseEvent, encode_event


class Outcome(StrEnum):
    """How a connection begins: with what was missed, with everything, or with nothing because nothing was missed."""

    RESUMED = "resumed"
    SNAPSHOT = "snapshot"
    CURRENT = "current"


class Hello(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """The first event of every connection. `cause` says in a word why the outcome is what it is."""

    outcome: Outcome
    cause: str
    heartbeat_ms: int
    confirm_spread_ms: int = 0
    server: str = ""


class Put(msgspec.Struct, frozen=True):
    """The whole state."""

    snapshot: Snapshot


class Patch(msgspec.Struct, frozen=True):
    """One commit of the history that the event's id names."""

    epoch: Epoch
    commit: Commit


class Sync(msgspec.Struct, frozen=True, rename="camel"):
    """The heartbeat.

    `proven_ms` is when the server last proved that it holds the head of the log: on its monotonic clock, counted
    from the opening of this stream (negative: before it), and None as long as it never has.
    """

    cursor: str
    proven_ms: int | None
    degraded: bool


class Emergencies(msgspec.Struct, frozen=True):
    """All emergencies that this server has declared and that are in force, and the ids of those it called off."""

    emergencies: tuple[Emergency, ...]
    ended: tuple[str, ...] = ()


class Goodbye(msgspec.Struct, frozen=True, rename="camel"):
    """The server drains: reconnect after `retry_ms`."""

    retry_ms: int


StreamEvent = Hello | Put | Patch | Sync | Emergencies | Goodbye


def encode_hello(hello: Hello) -> bytes:
    """Return the event's bytes."""
    return encode_event("hello", encode(msgspec.to_builtins(hello)))


def encode_put(snapshot_json: bytes, cursor: Cursor) -> bytes:
    """Return the event's bytes; the snapshot comes encoded, since one encoding serves every connection."""
    return encode_event("put", snapshot_json, str(cursor))


def encode_patch(epoch: Epoch, commit: Commit) -> bytes:
    """Return the event's bytes, the same for every connection."""
    cursor = Cursor(epoch, commit.revision, commit.head)
    return encode_event("patch", encode(commit_to_plain(commit)), str(cursor))


def encode_sync(cursor: Cursor, proven_ms: int | None, *, degraded: bool) -> bytes:
    """Return the event's bytes."""
    return encode_event("sync", encode({"cursor": str(cursor), "provenMs": proven_ms, "degraded": degraded}))


def encode_emergencies(emergencies: tuple[Emergency, ...], ended: tuple[str, ...] = ()) -> bytes:
    """Return the event's bytes."""
    return encode_event("emergency", encode({"emergencies": msgspec.to_builtins(emergencies), "ended": ended}))


def encode_goodbye(retry_ms: int) -> bytes:
    """Return the event's bytes."""
    return encode_event("goodbye", encode({"retryMs": retry_ms}))


def _put(event: SseEvent) -> Put:
    return Put(snapshot_from_plain(decode(event.data)))


def _patch(event: SseEvent) -> Patch:
    cursor = Cursor.parse(event.last_event_id)
    commit = commit_from_plain(decode(event.data))
    if (cursor.revision, cursor.head) != (commit.revision, commit.head):
        raise MalformedEvent(f"the id {cursor} names another commit than revision {commit.revision}")
    return Patch(cursor.epoch, commit)


READERS: dict[str, Callable[[SseEvent], StreamEvent]] = {
    "hello": lambda event: msgspec.convert(decode(event.data), Hello),
    "put": _put,
    "patch": _patch,
    "sync": lambda event: msgspec.convert(decode(event.data), Sync),
    "emergency": lambda event: msgspec.convert(decode(event.data), Emergencies),
    "goodbye": lambda event: msgspec.convert(decode(event.data), Goodbye),
}


def decode_event(event: SseEvent) -> StreamEvent | None:
    """Read an event; None for a name that this release does not know. Raises MalformedEvent."""
    reader = READERS.get(event.event)
    if reader is None:
        return None
    try:
        return reader(event)
    except (Malformed, msgspec.ValidationError) as error:
        raise MalformedEvent(f"{event.event}: {error}") from error
