"""What a probe means: each thing that can be wrong is told as that, and nothing else is."""

from dataclasses import replace
from typing import Any

import pytest

from wigwag_proto.findings import Grade, as_lines, as_plain, failed, ok, warning, wrong
from wigwag_proto.stream_verdict import Answered, Probe, Stream, expiry, findings_of

NOW = 1_800_000_000.0
STREAM = Stream(
    status=200,
    content_type="text/event-stream",
    head_s=0.01,
    first_s=0.01,
    beats_s=(0.01, 5.0),
    heartbeat_s=5.0,
    watched_s=5.0,
)
WELL = Probe(
    health=Answered(status=200, took_s=0.01, skew_s=0.0, body={"status": "ok"}),
    ready=Answered(status=200, body={"ready": True}),
    version="1.0",
    snapshot=Answered(status=200, took_s=0.01, body={"environment": "production", "cursor": "1.a:0:b", "flags": {}}),
    stream=STREAM,
)


def of_stream(**changes: Any) -> Probe:
    return replace(WELL, stream=replace(STREAM, **changes))


def of_health(**changes: Any) -> Probe:
    return replace(WELL, health=replace(WELL.health, **changes))


def bad(probe: Probe) -> dict[str, Grade]:
    found = findings_of(probe, "http://flags", "1.0", NOW)
    assert all(each.mend for each in found if each.grade is not Grade.OK)
    assert not any(each.mend for each in found if each.grade is Grade.OK)
    return {each.check: each.grade for each in found if each.grade is not Grade.OK}


def test_a_server_that_is_well_has_nothing_to_mend() -> None:
    assert bad(WELL) == {}
    slow = replace(WELL, health=replace(WELL.health, took_s=3.0), stream=replace(STREAM, beats_s=(3.0, 8.0)))
    assert bad(slow) == {}, "a long way is not a proxy that holds back"


@pytest.mark.parametrize(
    ("probe", "expected"),
    [
        (of_health(error="Connection refused"), {"server": Grade.WRONG}),
        (of_health(status=301, location="https://flags/"), {"server": Grade.WRONG}),
        (of_health(status=200, body={}), {"server": Grade.WRONG}),
        (of_health(status=502, body={}), {"server": Grade.WRONG}),
        (of_health(skew_s=60.0), {"clock": Grade.WARNING}),
        (of_health(skew_s=-60.0), {"clock": Grade.WARNING}),
        (of_health(skew_s=None), {"clock": Grade.WARNING}),
        (of_health(expires="Jan 16 08:00:00 2027 GMT"), {"certificate": Grade.WARNING}),
        (replace(WELL, version="2.0"), {"versions": Grade.WARNING}),
        (replace(WELL, ready=Answered(status=503, body={"draining": True})), {"ready": Grade.WARNING}),
        (replace(WELL, ready=Answered(status=200, body={"system": {"degraded": True}})), {"ready": Grade.WARNING}),
        (replace(WELL, ready=Answered(status=404)), {"ready": Grade.WARNING}),
        (replace(WELL, snapshot=Answered(status=401, body={"detail": "no"})), {"key": Grade.WRONG}),
        (replace(WELL, snapshot=Answered(status=200, body={"a": 1})), {"key": Grade.WRONG}),
        (replace(WELL, snapshot=Answered(error="no answer within 5 s")), {"key": Grade.WRONG}),
        (of_stream(status=403, content_type="text/html", first_s=None, beats_s=()), {"stream": Grade.WRONG}),
        (of_stream(first_s=None, beats_s=()), {"buffering": Grade.WRONG}),
        (of_stream(head_s=None, status=None, first_s=None, beats_s=()), {"buffering": Grade.WRONG}),
        (of_stream(first_s=3.0, beats_s=(3.0, 5.0)), {"buffering": Grade.WRONG}),
        (of_stream(first_s=None, beats_s=(), error="it was cut off"), {"stream": Grade.WRONG}),
        (of_stream(beats_s=()), {"stream": Grade.WRONG}),
        (of_stream(beats_s=(0.01,)), {"heartbeats": Grade.WRONG}),
        (of_stream(beats_s=(0.01, 8.0)), {"heartbeats": Grade.WARNING}),
        (of_stream(encoding="gzip"), {"compression": Grade.WARNING}),
    ],
)
def test_what_is_wrong_is_told_as_that_alone(probe: Probe, expected: dict[str, Grade]) -> None:
    assert bad(probe) == expected


def test_a_server_that_is_not_ready_says_why() -> None:
    body = {
        "environments": {"production": {"degraded": True, "lastError": "Redis: refused"}, "staging": {}},
        "system": {"degraded": True},
        "failedTasks": 1,
    }
    found = findings_of(replace(WELL, ready=Answered(status=503, body=body)), "http://flags", "1.0", NOW)
    (said,) = [each.what for each in found if each.check == "ready"]
    assert "production: Redis: refused" in said
    assert "_system: not proven to be current" in said
    assert "1 of its background tasks" in said
    assert "staging" not in said


@pytest.mark.parametrize(
    ("expires", "grade"),
    [
        ("Jan  1 00:00:00 2027 GMT", Grade.WRONG),
        ("Jan 20 00:00:00 2027 GMT", Grade.WARNING),
        ("Jan  1 00:00:00 2028 GMT", Grade.OK),
    ],
)
def test_a_certificate_is_judged_before_it_expires(expires: str, grade: Grade) -> None:
    assert expiry(expires, NOW).grade is grade


def test_only_what_is_wrong_fails_a_check() -> None:
    well, doubtful, broken = ok("a", "fine"), warning("b", "hm", "do this"), wrong("c", "no", "do that")
    assert not failed([well, doubtful])
    assert failed([well, doubtful, broken])
    assert as_plain([well])["ok"] is True
    assert as_lines([well])[-1] == "All well: 1 checks."
    lines = as_lines([well, doubtful, broken])
    assert lines[-1] == "3 checks: 1 wrong, 1 doubtful."
    assert "→ do that" in "\n".join(lines)


def test_what_other_machines_wrote_does_not_steer_the_terminal() -> None:
    assert "\x1b" not in "\n".join(as_lines([wrong("a", "\x1b[2J", "\x1b[2J")]))
