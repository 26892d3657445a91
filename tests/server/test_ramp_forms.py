"""Forms about ramps, guards and schedules, as the bodies that the API takes."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wigwag_proto.errors import Malformed
from wigwag_server.admin.rollout_bodies import read_rollout_body, read_schedule_body, read_standing_body
from wigwag_server.problems import Problem
from wigwag_server.ui import ramp_forms
from wigwag_server.ui.ramp_words import deed, limits, on_breach, rate, span, stages, verdict
from wigwag_server.ui.results import shown_results


def test_percent_becomes_a_share_and_what_is_empty_is_not_looked_at() -> None:
    body = ramp_forms.ramp_body(
        {"stages": "1%, 5 , 12.5;100", "interval": "30 min", "error_rate": "0,5 %", "samples": "200", "breach": "kill"}
    )
    assert body == {
        "stages": [1, 5, 12.5, 100],
        "interval": "30 m",
        "guard": {"maxErrorRate": 0.005, "minSamples": 200, "onBreach": "kill"},
    }
    alone = {"stages": "1 100", "interval": "1h", "samples": "200", "false_alarm": "1", "breach": "rollback"}
    assert "guard" not in ramp_forms.ramp_body(alone)
    back = ramp_forms.ramp_body({**alone, "slowdown": "50", "breach": "previous"})["guard"]
    assert (back["onBreach"], back["rollbackTo"], back["maxP95Increase"]) == ("rollback", "previous", 0.5)


@pytest.mark.parametrize("text", ["many", "nan", "inf", "1e999", "", "1 2"])
def test_what_is_no_number_is_refused_by_the_api_as_it_was_written(text: str) -> None:
    form = {"stages": "1, 100", "interval": "1h", "error_rate": "5", "samples": text}
    if not text:
        return
    with pytest.raises(Problem) as refused:
        read_rollout_body(ramp_forms.ramp_body(form), "ann", [])
    assert [each["pointer"] for each in refused.value.violations] == ["/guard/minSamples"]


def test_a_schedule_says_what_it_changes() -> None:
    form = {"at": "2090-01-31T22:00", "zone": "Europe/Berlin", "missed": "do"}

    def patch(**fields: str) -> Any:
        body = ramp_forms.schedule_body({**form, **fields}, "checkout")
        return read_schedule_body(body, "ann", "", []).patch, body["what"]

    assert patch(what="kill") == ({}, "kill")
    assert patch(what="on") == ({"enabled": True}, "change")
    assert patch(what="percentage", percentage="12,5") == ({"rolloutPercentage": 12.5}, "change")
    assert patch(what="change", patch='{"owner": "ann"}') == ({"owner": "ann"}, "change")
    with pytest.raises(Malformed):
        ramp_forms.schedule_body({**form, "what": "change", "patch": "{"}, "checkout")


SHARES = st.one_of(st.none(), st.integers(0, 100_000).map(lambda n: n / 100_000))


@given(rate=SHARES, more=SHARES, slower=SHARES, seconds=st.integers(60, 43_200), dry=st.booleans())
def test_a_guard_that_is_shown_in_a_form_and_sent_again_is_the_same(
    rate: float | None, more: float | None, slower: float | None, seconds: int, dry: bool
) -> None:
    limits = {"maxErrorRate": rate, "maxErrorIncrease": more, "maxP95Increase": slower}
    known = {name: value for name, value in limits.items() if value is not None} or {"maxErrorRate": 0.5}
    plain = {**known, "minSamples": 100, "falseAlarm": 0.0001, "windowMs": seconds * 1000, "coolDownMs": 0}
    sent = ramp_forms.guard_body(ramp_forms.guard_fields({**plain, "dryRun": dry}))
    guard = read_standing_body(sent, "ann", [])
    there = (guard.guard.max_error_rate, guard.guard.max_error_increase, guard.guard.max_p95_increase)
    assert there == tuple(known.get(name) for name in limits)
    assert (guard.window_ms, guard.cool_down_ms, guard.dry_run) == (seconds * 1000, 0, dry)
    assert guard.guard.false_alarm == 0.0001


def test_a_form_begins_with_what_was_there_and_takes_the_flag_from_nobody() -> None:
    assert ramp_forms.ramp_fields(None, 0)["stages"] == "1, 5, 10, 25, 50, 100"
    assert ramp_forms.ramp_fields(None, 10)["stages"] == "10, 25, 50, 100"
    assert ramp_forms.ramp_fields(None, 100)["stages"] == "1, 5, 10, 25, 50, 100"
    known = {
        "stages": [2.5, 100.0],
        "intervalMs": 90_000,
        "guard": {"maxErrorRate": 0.02, "minSamples": 50, "onBreach": "rollback", "rollbackTo": "previous"},
    }
    fields = ramp_forms.ramp_fields(known, 0)
    assert (fields["stages"], fields["interval"], fields["error_rate"], fields["breach"]) == (
        "2.5, 100",
        "90s",
        "2",
        "previous",
    )


def test_words_of_a_ramp() -> None:
    ramp = {"stages": [1, 10, 100], "stage": 1, "status": "running", "guard": None, "reason": "", "waitsFor": None}
    assert [each.place for each in stages(ramp)] == ["behind", "now", "ahead"]
    assert {each.place for each in stages({**ramp, "status": "done"})} == {"behind"}
    assert verdict(ramp) == "Nothing is measured: it goes by time alone."
    watched = {**ramp, "guard": {"maxErrorRate": 0.0125, "maxErrorIncrease": 0.0, "maxP95Increase": 0.5}}
    assert verdict({**watched, "waitsFor": "3 of 100 runs with the flag on"}).startswith("Too little to judge yet: 3")
    assert verdict(watched) == "Nothing speaks against it so far."
    assert verdict({**watched, "status": "paused", "reason": "paused by ann"}) == "Paused by ann."
    assert limits({"maxErrorIncrease": 0.01}) == ["at most 1 percentage point more fail than with the flag off"]
    assert limits(watched["guard"]) == [  # type: ignore[arg-type]
        "at most 1.25 % of the runs fail",
        "no more fail than with the flag off",
        "the 95th percentile is at most 50 % longer than with the flag off",
    ]
    assert on_breach({"onBreach": "rollback", "rollbackTo": "zero"}) == "it goes back to 0 %"
    assert [span(each) for each in (0, 90_000, 3_600_000, 86_400_000)] == ["0 s", "90 s", "1 h", "1 d"]
    assert [rate(each) for each in (None, 0, 0.0001, 0.05)] == ["–", "0 %", "0.01 %", "5 %"]
    assert deed({"what": "change", "patch": {"rolloutPercentage": 5}}) == "Set to 5 %"


def test_a_schedule_of_the_past_is_refused_and_nothing_is_made_of_it() -> None:
    body = ramp_forms.schedule_body({"what": "kill", "at": "2001-01-01T00:00", "zone": ""}, "checkout")
    assert body["timeZone"] == "UTC"
    with pytest.raises(Problem, match="Nothing was scheduled"):
        read_schedule_body(body, "ann", "", [])


def test_results_are_drawn_on_one_scale_and_nothing_counted_is_no_rate() -> None:
    nothing = {"runs": 0, "errors": 0, "errorRate": None, "p95Ms": None, "errorRateBetween": None}
    some = {"runs": 200, "errors": 20, "errorRate": 0.1, "p95Ms": 12.5, "errorRateBetween": [0.05, 0.2]}
    variants = [{"variant": "a", "exposures": 3, **some, "verdict": "It is worse."}, {"variant": "b", "exposures": 1}]
    shown = shown_results(
        {"outcomes": {"on": some, "off": nothing}, "variants": variants, "confidence": 0.95, "verdict": "Too little."}
    )
    assert shown is not None
    on, off = shown.sides
    assert (off.rate, off.bar, on.p95_ms) == (None, "", 12.5)
    assert 'x="25.00"' in on.bar, "the interval begins at a quarter of a scale that ends at its end"
    assert 'width="75.00"' in on.bar
    assert [(each.share, each.verdict) for each in shown.variants] == [(75, "It is worse."), (25, "")]
    assert shown_results(None) is None
