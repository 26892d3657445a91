"""The percentage of ramps over time, as a picture."""

import re
from typing import Any

from wigwag_server.ui.going import Going, reaches_back
from wigwag_server.ui.ramp_chart import LEFT, MOST_LINES, WIDTH, Line, key, line_of, ramp_chart

HOUR = 3_600_000


def item(at: int, before: Any, after: Any, what: str = "updated") -> dict[str, Any]:
    return {"at": at, "what": what, "changes": [{"field": "rolloutPercentage", "before": before, "after": after}]}


def points(svg: str) -> list[tuple[float, float]]:
    (found,) = re.findall(r'<polyline class="ramp-0" points="([^"]*)"', svg)
    return [(float(x), float(y)) for x, y in (each.split(",") for each in found.split())]


def test_a_line_is_what_the_history_tells_and_what_was_before_it() -> None:
    history = [item(200, 5, 25), {"at": 150, "what": "killed", "changes": []}, item(100, 0, 5)]
    assert line_of("checkout", history, 25).points == [(0, 0), (100, 5), (200, 25)]
    assert line_of("checkout", [item(100, None, 5, "created")], 5).points == [(100, 5)]
    assert line_of("checkout", [], 40).points == [(0, 40)], "it was never changed"
    assert line_of("checkout", [item(100, "many", "more")], 7).points == [(0, 7)], "what is damaged is left out"


def test_steps_are_drawn_within_the_time_that_is_shown_and_no_further() -> None:
    drawn = points(ramp_chart([Line("checkout", [(0, 0), (500, 50), (1500, 100)])], 0, 1000))
    assert [x for x, _ in drawn] == [LEFT, (LEFT + WIDTH) / 2, (LEFT + WIDTH) / 2, WIDTH]
    low, middle = drawn[0][1], drawn[-1][1]
    assert low > middle, "up is more"
    assert [y for _, y in drawn] == [low, low, middle, middle]
    begun_later = points(ramp_chart([Line("checkout", [(250, 10)])], 0, 1000))
    assert begun_later[0][0] == LEFT + (WIDTH - LEFT) / 4, "before it was there, there is no line"


def test_more_lines_than_can_be_told_apart_are_only_told() -> None:
    svg = ramp_chart([Line(f"flag{n}", [(0, n)]) for n in range(MOST_LINES + 1)], 0, 1)
    assert svg.count("<polyline") == MOST_LINES
    assert f"flag{MOST_LINES} at {MOST_LINES} %" in svg
    assert key(0) != key(1)
    assert key(MOST_LINES) == ""


def test_names_are_escaped() -> None:
    assert "<script>" not in ramp_chart([Line('"><script>', [(0, 1)])], 0, 1)


def test_the_picture_reaches_back_to_the_oldest_within_reason() -> None:
    now = 1000 * HOUR
    assert reaches_back([{"startedAt": now - 60_000}], now) == now - HOUR
    assert now - 12 * HOUR < reaches_back([{"startedAt": now - 10 * HOUR}, {"startedAt": now}], now) < now - 10 * HOUR
    assert reaches_back([{"startedAt": 0}], now) == now - 720 * HOUR


def ramp(**fields: Any) -> Going:
    plain = {"status": "running", "stages": [1, 10, 100], "stage": 1, "percentage": 10, "reason": "", "guard": {}}
    return Going("checkout", {**plain, "stageAt": 1000, "intervalMs": 500, "nextInMs": 200, **fields})


def test_a_ramp_says_where_it_is_and_what_comes() -> None:
    assert (ramp().stage, ramp().after, ramp().next_at) == ("10 %, stage 2 of 3", "100 %", 1500)
    assert (ramp(stage=-1, percentage=0).stage, ramp(stage=2).after) == ("0 %, before the first of 3", "the end")
    assert ramp(nextInMs=0).next_at is None
    assert ramp(status="paused", nextInMs=None).next_at is None
