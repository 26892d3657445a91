"""From a report to what is counted, and from there to shares."""

import pytest

from wigwag_proto.errors import Malformed
from wigwag_proto.flag import Flag, Override, Variant
from wigwag_proto.telemetry import Instance, OutcomeRow, Telemetry, UsageRow, decode_telemetry, read_instance_header
from wigwag_server.usage.metrics import metrics, percent
from wigwag_server.usage.series import batch_of
from wigwag_server.usage.usage_store import Buckets, Size

WHO = Instance(id="instance1")
BLUE = (Variant(name="blue", weight=1),)
FLAGS = {"checkout": Flag(key="checkout", variants=BLUE), "search": Flag(key="search")}


def counted(*rows: UsageRow) -> tuple[dict[tuple[str, str], int], dict[str, int]]:
    batch = batch_of(Telemetry(instance=WHO, batch=1, usage=list(rows)), FLAGS)
    return {(count.flag, count.series): count.amount for count in batch.counts}, dict(batch.unknown)


def test_decisions_are_counted_by_outcome() -> None:
    counts, unknown = counted(
        UsageRow("checkout", True, "STATIC", 3, "blue"),
        UsageRow("checkout", True, "STATIC", 2, "blue"),
        UsageRow("checkout", False, "KILLED", 1),
    )
    assert counts == {
        ("checkout", '["usage",true,"STATIC","blue"]'): 5,
        ("checkout", '["usage",false,"KILLED",null]'): 1,
    }
    assert unknown == {}


def test_what_clients_make_up_is_not_told_apart() -> None:
    counts, unknown = counted(
        UsageRow("checkout", True, "MADE_UP", 1, "pink"),
        UsageRow("checkout", True, "NEWER", 1, "green"),
        UsageRow("search", True, "STATIC", 1, "blue"),
        UsageRow("nope", False, "STATIC", 4),
        UsageRow("checkout", False, "UNKNOWN_FLAG", 9),
    )
    assert counts == {
        ("checkout", '["usage",true,"<others>","<others>"]'): 2,
        ("search", '["usage",true,"STATIC","<others>"]'): 1,
    }
    assert unknown == {"nope": 4}


def test_variants_of_overrides_are_known() -> None:
    flags = {"f": Flag(key="f", overrides=(Override(name="o", variants=BLUE),))}
    batch = batch_of(Telemetry(instance=WHO, batch=1, usage=[UsageRow("f", True, "OVERRIDE", 1, "blue")]), flags)
    assert batch.counts[0].series == '["usage",true,"OVERRIDE","blue"]'


def test_shares_of_nothing_are_null() -> None:
    assert percent(0, 0) is None
    found = metrics(Buckets(1000, {}), Size.MINUTE)
    assert (found["total"], found["enabledPercent"], found["disabledPercent"]) == (0, None, None)
    assert found["outcomes"]["on"] == {"calls": 0, "errors": 0, "errorPercent": None, "meanMs": None}
    assert found["buckets"] == found["byVariant"] == []


def test_shares_sums_and_buckets() -> None:
    outcome = OutcomeRow("checkout", True, calls=4, errors=1, duration_ms=100)
    fared = batch_of(Telemetry(instance=WHO, batch=1, outcomes=[outcome]), FLAGS)
    series = {count.series: {60: count.amount} for count in fared.counts}
    series |= {
        '["usage",true,"STATIC","blue"]': {60: 2, 120: 1},
        '["usage",false,"KILLED",null]': {120: 1},
    }
    found = metrics(Buckets(1000, series), Size.MINUTE)
    assert (found["total"], found["enabled"], found["enabledPercent"]) == (4, 3, 75.0)
    assert found["byVariant"] == [{"variant": "blue", "count": 3, "percent": 75.0}]
    assert {each["reason"]: each["count"] for each in found["byReason"]} == {"STATIC": 3, "KILLED": 1}
    assert found["buckets"][1] == {
        "at": 120_000,
        "enabled": 1,
        "disabled": 1,
        "enabledPercent": 50.0,
        "byVariant": {"blue": 1},
    }
    assert found["outcomes"]["on"] == {"calls": 4, "errors": 1, "errorPercent": 25.0, "meanMs": 25.0}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"instance":{"id":"short"}}',
        b'{"instance":{"id":"instance1"},"applied":[{"cursor":"nonsense"}]}',
        b'{"instance":{"id":"instance1"},"applied":[{"cursor":"1.a:2:b","heldMs":-1}]}',
        b'{"instance":{"id":"instance1"},"usage":[{"flag":"f","enabled":true,"reason":"STATIC","count":0}]}',
        b'{"instance":{"id":"instance1"},"usage":[{"flag":"'
        + b"f" * 200
        + b'","enabled":true,"reason":"S","count":1}]}',
        b'{"instance":{"id":"instance1","label":"' + b"x" * 200 + b'"}}',
        b'{"instance":{"id":"instance1","label":"\xff"}}',
        b'{"instance":{"id":"instance1"},"applied":[' + b",".join([b'{"cursor":"1.a:2:b"}'] * 17) + b"]}",
    ],
)
def test_a_report_that_breaks_the_bounds_is_refused_whole(body: bytes) -> None:
    with pytest.raises(Malformed):
        decode_telemetry(body)


@pytest.mark.parametrize(
    "text",
    [
        *(None, "", "id=x", "id=instance1&pid=many", "id=instance1&" * 300, "%ff%fe", "id=a b c d e f"),
        "id=instance1&label=\udcff",  # as bytes that are no UTF-8 arrive
    ],
)
def test_whoever_does_not_say_who_it_is_in_the_right_form_is_nobody(text: str | None) -> None:
    assert read_instance_header(text) is None
