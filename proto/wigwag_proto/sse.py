"""Server-Sent Events: an incremental parser and an encoder.

Source: WHATWG HTML, "Server-sent events", 9.2.5 and 9.2.6. Ours, because the line readers of the HTTP libraries
refuse lines beyond a fixed length, and a snapshot is one line.
"""

import re

import msgspec

from wigwag_proto.errors import MalformedEvent

MAX_EVENT_BYTES = 256 * 1024 * 1024
LINE_END = re.compile(rb"\r\n|\n|\r")
BOM = b"\xef\xbb\xbf"


class SseEvent(msgspec.Struct, frozen=True):
    """One dispatched event. `last_event_id` is the latest id seen on the stream, this event's or an earlier one's."""

    event: str
    data: str
    last_event_id: str


class SseParser:
    """Turns the bytes of a stream, however they are split, into events."""

    def __init__(self, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._max_event_bytes = max_event_bytes
        self._pending = bytearray()  # the beginning of a line whose end has not come yet
        self._event_bytes = 0  # what the event under way holds already
        self._at_start = True  # a byte order mark is looked for at the very beginning only
        self._skip_lf = False  # the last line ended in CR: an LF that follows belongs to it
        self._event = ""
        self._data: list[str] = []
        self._id = ""  # the latest, also when its block had no data

    def feed(self, chunk: bytes) -> list[SseEvent]:
        """Take the next bytes and return the events that they complete.

        Raises MalformedEvent when one event grows beyond the limit: the stream is then of no further use.
        """
        events: list[SseEvent] = []
        for line in self._lines(chunk):
            self._event_bytes += len(line)
            if line:
                self._field(line)
            else:
                self._dispatch(events)
        if self._event_bytes + len(self._pending) > self._max_event_bytes:
            raise MalformedEvent(f"an event of more than {self._max_event_bytes} bytes")
        return events

    def _lines(self, chunk: bytes) -> list[bytes]:
        if self._at_start:
            chunk = self._without_bom(chunk)
        if self._skip_lf and chunk:
            self._skip_lf = False
            if chunk[0] == 0x0A:
                chunk = chunk[1:]
        pieces = LINE_END.split(chunk)
        rest = pieces.pop()
        if not pieces:
            self._pending += rest
            return []
        self._skip_lf = chunk.endswith(b"\r")
        pieces[0] = bytes(self._pending) + pieces[0]
        self._pending = bytearray(rest)
        return pieces

    def _without_bom(self, chunk: bytes) -> bytes:
        begun = bytes(self._pending) + chunk
        if BOM.startswith(begun):
            self._pending = bytearray(begun)
            return b""
        self._at_start = False
        self._pending = bytearray()
        return begun.removeprefix(BOM)

    def _field(self, line: bytes) -> None:
        name, _, value = line.decode(errors="replace").partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._event = value
        elif name == "id" and "\0" not in value:
            self._id = value

    def _dispatch(self, events: list[SseEvent]) -> None:
        if self._data:
            events.append(SseEvent(self._event or "message", "\n".join(self._data), self._id))
        self._event = ""
        self._data = []
        self._event_bytes = 0


def encode_event(event: str, data: bytes, cursor: str | None = None) -> bytes:
    """Return one event. `data` is JSON on one line, so nothing in it can end the event early."""
    assert b"\n" not in data, "an event's data is one line"
    assert b"\r" not in data, "an event's data is one line"
    head = f"event: {event}\n" if cursor is None else f"id: {cursor}\nevent: {event}\n"
    return b"%sdata: %s\n\n" % (head.encode(), data)
