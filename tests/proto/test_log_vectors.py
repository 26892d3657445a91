"""The test vectors of the log and of the stream's bytes."""

from typing import Any

import pytest

from tests.proto.test_vectors import cases
from wigwag_proto.codec import commit_from_plain, encode
from wigwag_proto.commit import Cursor, Epoch
from wigwag_proto.events import Emergencies, decode_event
from wigwag_proto.replica import Applied, Replica
from wigwag_proto.snapshot import snapshot_from_plain
from wigwag_proto.sse import SseEvent, SseParser

APPLIED = {Applied.NEW: "applied", Applied.KNOWN: "ignored", Applied.GAP: "gap"}


def load(replica: Replica, plain: Any) -> str:
    snapshot = snapshot_from_plain(plain)
    taken = replica.load(snapshot)
    replica.add_emergencies(snapshot.emergencies)
    return "taken" if taken else "refused"


def patch(replica: Replica, given: Any) -> str:
    generation, _, nonce = given["epoch"].partition(".")
    return APPLIED[replica.apply(Epoch(int(generation), nonce), commit_from_plain(given["commit"]))]


def emergency(replica: Replica, data: Any) -> str:
    event = decode_event(SseEvent("emergency", encode(data).decode(), ""))
    assert isinstance(event, Emergencies)
    replica.add_emergencies(event.emergencies)
    replica.end_emergencies(event.ended)
    return "heard"


def sync(replica: Replica, text: str) -> str:
    cursor = Cursor.parse(text)
    if replica.cursor is None or (cursor.rank > replica.cursor.rank and cursor.revision > 0):
        return "gap"
    return "proof" if replica.contains(cursor) else "nothing"


STEPS = {"load": load, "patch": patch, "emergency": emergency, "sync": sync}


@pytest.mark.parametrize("case", cases("replica.json"))
def test_a_copy_of_the_log(case: dict[str, Any]) -> None:
    replica = Replica("production")
    for step in case["steps"]:
        ((what, given),) = ((name, each) for name, each in step.items() if name != "expect")
        outcome = STEPS[what](replica, given)
        assert step["expect"] == {
            "outcome": outcome,
            "cursor": None if replica.cursor is None else str(replica.cursor),
            "flags": replica.records.get("flag", {}),
            "killed": sorted({key for each in replica.emergencies for key in each.keys}),
        }, step


@pytest.mark.parametrize("case", cases("stream.json"))
def test_the_bytes_of_a_stream(case: dict[str, Any]) -> None:
    parser = SseParser()
    raw = case["text"].encode()
    ends = [*case["cuts"], len(raw)]
    pieces = [raw[start:end] for start, end in zip([0, *ends], ends, strict=False)]
    events = [event for piece in pieces for event in parser.feed(piece)]
    assert [{"event": e.event, "data": e.data, "id": e.last_event_id} for e in events] == case["events"]
