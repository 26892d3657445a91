"""The SSE parser against the WHATWG rules, however the bytes are split."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wigwag_proto.errors import MalformedEvent
from wigwag_proto.sse import SseEvent, SseParser, encode_event

# Each stream with the events that the WHATWG rules (and its own examples) make of it.
STREAMS = {
    "one event": (b"data: a\n\n", [("message", "a", "")]),
    "several data lines are joined": (b"data: YHOO\ndata: +2\ndata: 10\n\n", [("message", "YHOO\n+2\n10", "")]),
    "a comment, ids, and an id that is reset": (
        b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n",
        [("message", "first event", "1"), ("message", "second event", ""), ("message", " third event", "")],
    ),
    "data without a value": (b"data\n\ndata\ndata\n\ndata:", [("message", "", ""), ("message", "\n", "")]),
    "one space after the colon is dropped": (b"data:test\n\ndata: test\n\n", [("message", "test", "")] * 2),
    "a block without data is no event but its id counts": (
        b"id: 7\nevent: x\n\ndata: y\n\n",
        [("message", "y", "7")],
    ),
    "CR, LF and CRLF end lines": (
        b"event: a\rdata: 1\r\revent: b\ndata: 2\n\nevent: c\r\ndata: 3\r\n\r\n",
        [("a", "1", ""), ("b", "2", ""), ("c", "3", "")],
    ),
    "an id with NUL is ignored": (b"id: a\0b\ndata: 1\n\n", [("message", "1", "")]),
    "a byte order mark at the beginning is dropped": (b"\xef\xbb\xbfdata: 1\n\n", [("message", "1", "")]),
    "only the first byte order mark is dropped": (
        b"\xef\xbb\xbf\xef\xbb\xbfdata: 1\n\ndata: 2\n\n",
        [("message", "2", "")],
    ),
    "unknown fields are ignored": (b"data: 1\nfoo: bar\n\n", [("message", "1", "")]),
    "an event that does not end is not dispatched": (b"data: 1\n\ndata: 2\n", [("message", "1", "")]),
    "UTF-8 is read whole": ("data: grün ✓ \U0001f6a9\n\n".encode(), [("message", "grün ✓ \U0001f6a9", "")]),
    "bytes that are no UTF-8 do not stop the stream": (b"data: \xff\n\n", [("message", "�", "")]),
    "an event of its own name": (b"event: patch\ndata: {}\nid: e:1:h\n\n", [("patch", "{}", "e:1:h")]),
}


def parse(*chunks: bytes) -> list[tuple[str, str, str]]:
    parser = SseParser()
    return [(e.event, e.data, e.last_event_id) for chunk in chunks for e in parser.feed(chunk)]


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_is_read_by_the_rules_at_every_single_split_and_byte_by_byte(name: str) -> None:
    stream, expected = STREAMS[name]
    assert parse(stream) == expected
    for at in range(len(stream) + 1):
        assert parse(stream[:at], stream[at:]) == expected, at
        assert parse(stream[:at], b"", stream[at:]) == expected, at
    assert parse(*(stream[at : at + 1] for at in range(len(stream)))) == expected


@st.composite
def split_streams(draw: st.DrawFn) -> tuple[bytes, list[bytes]]:
    pieces = st.sampled_from(
        [b"data", b":", b" ", b"\n", b"\r", b"\r\n", b"id", b"event", b"x", b"\xef\xbb\xbf", b"\0"]
    )
    stream = b"".join(draw(st.lists(pieces | st.binary(max_size=3), max_size=40)))
    cuts = sorted(draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    edges = [0, *cuts, len(stream)]
    return stream, [stream[a:b] for a, b in pairwise(edges)]


@given(split_streams())
def test_how_a_stream_is_split_makes_no_difference(case: tuple[bytes, list[bytes]]) -> None:
    stream, chunks = case
    assert parse(*chunks) == parse(stream)


@given(
    st.lists(st.tuples(st.sampled_from(["put", "patch", "x"]), st.text().map(lambda t: t.encode("utf-8", "replace")))),
    st.data(),
)
def test_what_is_encoded_is_read_back(events: list[tuple[str, bytes]], data: st.DataObject) -> None:
    lines = [(name, text.replace(b"\n", b" ").replace(b"\r", b" ")) for name, text in events]
    stream = b"".join(encode_event(name, text, f"e:{n}:h") for n, (name, text) in enumerate(lines))
    cut = data.draw(st.integers(0, len(stream)))
    read = parse(stream[:cut], stream[cut:])
    assert read == [(name, text.decode(), f"e:{n}:h") for n, (name, text) in enumerate(lines)]


def test_a_line_may_be_longer_than_any_buffer_of_the_http_libraries() -> None:
    long = b"x" * 5_000_000
    stream = b"data: " + long + b"\n\n"
    chunks = [stream[at : at + 65536] for at in range(0, len(stream), 65536)]
    parser = SseParser()
    events = [event for chunk in chunks for event in parser.feed(chunk)]
    assert events == [SseEvent("message", long.decode(), "")]


@pytest.mark.parametrize("stream", [b"data: " + b"x" * 2000, b"data: xxxxxxxxx\n" * 200, b": xxxxxxxxxxxx\n" * 200])
def test_an_event_without_end_is_refused_before_it_fills_the_memory(stream: bytes) -> None:
    chunks = [stream[at : at + 100] for at in range(0, len(stream), 100)]
    parser = SseParser(max_event_bytes=1000)
    with pytest.raises(MalformedEvent, match="1000"):
        list(map(parser.feed, chunks))


def test_the_limit_is_for_one_event_not_for_the_stream() -> None:
    parser = SseParser(max_event_bytes=100)
    events = [event for _ in range(1000) for event in parser.feed(b"data: 0123456789\n\n")]
    assert len(events) == 1000


def test_an_event_may_be_as_large_as_the_limit_and_no_larger() -> None:
    parser = SseParser(max_event_bytes=10)
    assert parser.feed(b"data: 1234") == []
    assert parser.feed(b"\n\n") == [SseEvent("message", "1234", "")]
    assert parser.feed(b"data: 1234") == []
    with pytest.raises(MalformedEvent):
        parser.feed(b"5")
