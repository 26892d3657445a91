"""What is fuzzed: one function for each format that comes from outside. A function returns, or it has found a defect.

None of them asks for more than the readers promise: what is malformed is refused by the error that says so, and what
was taken in can be used.
"""

import hashlib
from collections.abc import Callable
from typing import Any

from wigwag.flags import Flags
from wigwag_proto.codec import decode, encode
from wigwag_proto.context import Context
from wigwag_proto.errors import Malformed, MalformedEvent, MalformedFile
from wigwag_proto.events import decode_event
from wigwag_proto.replica import Replica
from wigwag_proto.ruleset import Ruleset
from wigwag_proto.snapshot import Snapshot
from wigwag_proto.snapshot_file import MAGIC, decode_file, encode_file
from wigwag_proto.sse import SseEvent, SseParser
from wigwag_proto.validate import check_flag_body, check_segment_body

LARGEST_EVENT = 4096


def stream(data: bytes) -> None:
    """Read a stream, cut at a place that its first byte names, and what its events say."""
    cut, body = (data[0] if data else 0), data[1:]
    at = cut * len(body) // 255
    try:
        whole = _events(body)
        assert _events(body[:at], b"", body[at:]) == whole, "how a stream is cut has made a difference"
    except MalformedEvent:
        return
    for event in whole:
        try:
            decode_event(event)
        except MalformedEvent:
            continue


def _events(*chunks: bytes) -> list[SseEvent]:
    parser = SseParser(LARGEST_EVENT)
    return [event for chunk in chunks for event in parser.feed(chunk)]


def model(data: bytes) -> None:
    """Take in flags and segments as they come, decide them, and check them as if somebody had sent them."""
    try:
        plain = decode(data)
    except Malformed:
        return
    if isinstance(plain, dict):
        check(plain)
        context = plain.get("context")
        used(_tables(plain), context if isinstance(context, dict) else {})


def check(plain: dict[str, Any]) -> None:
    """Check bodies. One without a fault has to be readable by every app."""
    checks = {"flag": check_flag_body, "segment": check_segment_body}
    for kind, table in _tables(plain).items():
        for key, value in table.items():
            checked = checks[kind](value, key=key)
            if not checked.violations and isinstance(value, dict):
                ruleset = Ruleset()
                ruleset.load({kind: {"k": checked.config}}, 1)
                assert not ruleset.unreadable, "what was accepted cannot be read"


def used(tables: dict[str, dict[str, Any]], attributes: dict[str, Any]) -> None:
    """Decide every flag, by the definition and compiled: they are to agree, whatever is in there."""
    ruleset = Ruleset()
    ruleset.load(tables, 1)
    ruleset.proven_at = 0.0
    flags = Flags(ruleset, lambda: 1.0)
    context = Context.from_plain(attributes)
    for key in ("f", "g", *tables.get("flag", {})):
        assert flags.explain(key, context).enabled is flags.is_enabled(key, context), key
        flags.value(key, context, default="default")


def _tables(plain: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found = {"flag": plain.get("flags"), "segment": plain.get("segments")}
    return {kind: table for kind, table in found.items() if isinstance(table, dict)}


def snapshot_file(data: bytes) -> None:
    """Read a file as it is, and once more as one whose checksum is right."""
    for file in (data, MAGIC + hashlib.sha256(data).hexdigest().encode() + b"\n" + data):
        try:
            snapshot = decode_file(file)
        except MalformedFile:
            continue
        kept(snapshot)


def kept(snapshot: Snapshot) -> None:
    """Go by a snapshot, and write it down again."""
    replica = Replica(snapshot.environment)
    replica.add_emergencies(snapshot.emergencies)
    assert replica.load(snapshot), "the first snapshot of all is always taken"
    assert decode_file(encode_file(replica.snapshot())).cursor == snapshot.cursor
    used({kind: dict(replica.records.get(kind, {})) for kind in ("flag", "segment")}, {"userId": "ann"})
    encode(replica.snapshot().environment)


TARGETS: dict[str, Callable[[bytes], None]] = {"stream": stream, "model": model, "snapshot-file": snapshot_file}
