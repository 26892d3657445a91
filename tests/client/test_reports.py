"""What a client reports, and when."""

from random import Random

from wigwag.reports import BATCH_DOUBTFUL_S, LEAST_SPREAD_S, Report, Reports
from wigwag_proto.decision import Reason
from wigwag_proto.telemetry import APPLIED_LIMIT, ROWS_LIMIT, Instance, decode_telemetry, encode_telemetry
from wigwag_proto.usage import UsageCount

EVERY_S = 10.0


def reports() -> Reports:
    return Reports(Instance(id="instance1"), 0.0, Random(1), every_s=EVERY_S)


def counts(number: int) -> list[UsageCount]:
    return [UsageCount(f"flag{n}", True, Reason.STATIC, None, 1) for n in range(number)]


def due(each: Reports, now: float) -> Report:
    report = each.next(now)
    assert report is not None
    return report


def fail(each: Reports, report: Report, now: float, *, in_doubt: bool = True, refused: bool = False) -> None:
    each.failed(report, now, refused=refused, in_doubt=in_doubt, retry_after_s=0.0)


def test_a_kill_is_confirmed_at_once_and_an_edit_with_the_next_counts() -> None:
    each = reports()
    each.applied("1.a:1:h", 1.0, urgent=False)
    assert 5.0 <= each.due_at <= 10.0
    assert each.next(1.0) is None
    each.applied("1.a:2:h", 2.0, urgent=True)
    assert 2.0 <= each.due_at <= 2.0 + LEAST_SPREAD_S
    report = due(each, 2.04)
    assert [(state.cursor, round(state.held_ms)) for state in report.body.applied] == [
        ("1.a:2:h", 40),
        ("1.a:1:h", 1040),
    ]
    assert (report.body.usage, report.body.batch) == ([], 0)
    each.sent(report, 2.01)
    assert each.next(2.01) is None
    assert each.due_at >= 10.0


def test_confirmations_are_spread_as_the_server_wants_it() -> None:
    at = set()
    for seed in range(50):
        each = Reports(Instance(id="instance1"), 0.0, Random(seed), every_s=EVERY_S)
        each.applied("1.a:2:h", 1.0, urgent=True, spread_s=4.0)
        assert 1.0 <= each.due_at <= 5.0
        at.add(round(each.due_at))
    assert at == {1, 2, 3, 4, 5}


def test_each_of_several_kills_keeps_its_own_time() -> None:
    each = reports()
    each.applied("1.a:2:h", 1.0, urgent=True)
    each.applied("1.a:3:h", 1.5, urgent=True)
    assert [state.held_ms for state in due(each, 2.0).body.applied] == [1000.0, 500.0]


def test_a_kill_during_a_report_is_confirmed_right_after_it() -> None:
    each = reports()
    each.applied("1.a:2:h", 1.0, urgent=True)
    report = due(each, 1.05)
    each.applied("1.a:3:h", 1.1, urgent=True)
    each.sent(report, 1.2)
    assert each.due_at == 1.2
    assert [state.cursor for state in due(each, 1.2).body.applied] == ["1.a:3:h"]


def test_confirmations_are_bounded_and_the_newest_stay() -> None:
    each = reports()
    for revision in range(100):
        each.applied(f"1.a:{revision}:h", 1.0, urgent=True)
    each.applied("1.a:100:h", 1.0, urgent=False)
    applied = due(each, 1.1).body.applied
    assert len(applied) == APPLIED_LIMIT
    assert applied[-1].cursor == "1.a:100:h"


def test_a_batch_keeps_its_number_until_it_has_arrived() -> None:
    each = reports()
    each.add(counts(3), [], 10.0)
    report = due(each, 10.0)
    assert (report.body.batch, len(report.body.usage)) == (1, 3)
    fail(each, report, 10.0)
    again = due(each, each.due_at)
    assert (again.body.batch, again.body.usage) == (1, report.body.usage)
    each.sent(again, 11.0)
    assert each.empty
    each.add(counts(1), [], 20.0)
    assert due(each, 30.0).body.batch == 2


def test_failures_wait_longer_and_longer_but_a_new_kill_is_tried_at_once() -> None:
    each = reports()
    each.add(counts(1), [], 10.0)
    now, waits = 10.0, []
    for _ in range(40):
        fail(each, due(each, now), now)
        waits.append(each.due_at - now)
        now = each.due_at
    assert max(waits) <= 30.0
    assert max(waits) > 5.0
    fail(each, due(each, now), now)
    each.applied("1.a:2:h", now, urgent=True)
    assert each.due_at <= now + LEAST_SPREAD_S


def test_a_refused_key_is_tried_again_in_minutes_also_for_a_kill() -> None:
    each = reports()
    each.add(counts(1), [], 10.0)
    fail(each, due(each, 10.0), 10.0, refused=True)
    each.applied("1.a:2:h", 11.0, urgent=True)
    assert each.due_at >= 10.0 + 300


def test_what_the_server_says_of_the_time_is_a_lower_bound() -> None:
    each = reports()
    each.add(counts(1), [], 10.0)
    each.failed(due(each, 10.0), 10.0, refused=False, in_doubt=False, retry_after_s=42.0)
    assert each.due_at >= 52.0


def test_a_batch_that_may_have_been_counted_is_not_sent_for_ever() -> None:
    each = reports()
    each.add(counts(1), [], 10.0)
    fail(each, due(each, 10.0), 10.0, in_doubt=False)
    assert due(each, 10.0 + BATCH_DOUBTFUL_S + 1).body.batch == 1
    fail(each, due(each, 11.0), 11.0, in_doubt=True)
    assert each.next(10.0 + BATCH_DOUBTFUL_S + 1) is None
    assert each.empty


def test_more_rows_than_a_report_takes_are_several_batches() -> None:
    each = reports()
    each.add(counts(ROWS_LIMIT + 5), [], 10.0)
    first = due(each, 10.0)
    assert (first.body.batch, len(first.body.usage)) == (1, ROWS_LIMIT)
    each.sent(first, 10.0)
    second = due(each, 10.0)
    assert (second.body.batch, len(second.body.usage)) == (2, 5)
    each.sent(second, 10.0)
    assert each.empty
    assert each.due_at == 20.0


def test_the_last_report_says_that_it_is_the_last() -> None:
    each = reports()
    each.add(counts(ROWS_LIMIT + 5), [], 1.0)
    first = each.next(1.0, closing=True)
    assert first is not None
    assert not first.body.closing
    each.sent(first, 1.0)
    last = each.next(1.0, closing=True)
    assert last is not None
    assert last.body.closing
    assert last.body.batch == 2


def test_whatever_code_asks_for_can_be_sent() -> None:
    each = reports()
    names = ["\ud800", "x" * 500, "", '"\n\0']
    each.add([UsageCount(name, False, Reason.UNKNOWN_FLAG, None, 2**50) for name in names], [], 1.0)
    body = due(each, 20.0).body
    assert len(decode_telemetry(encode_telemetry(body)).usage) == len(names)
