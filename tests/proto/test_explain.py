"""An explanation is the decision that apps make."""

from typing import Any

from hypothesis import given

from tests.proto.strategies import contexts, flag_tables, segment_tables
from wigwag_proto.decision import Reason
from wigwag_proto.evaluate import decide
from wigwag_proto.explain import explain
from wigwag_proto.flag import Kill
from wigwag_proto.records import Records
from wigwag_proto.ruleset import Ruleset

KILLS = {"g": Kill(by="ops", at=1), "nowhere": Kill(by="ops", at=1)}


@given(flag_tables, segment_tables, contexts)
def test_an_explanation_is_what_the_ruleset_of_an_app_decides(
    flags: dict[str, Any], segments: dict[str, Any], context: dict[str, Any]
) -> None:
    ruleset, records = Ruleset(), Records()
    ruleset.load({"flag": flags, "segment": segments}, 1)
    ruleset.kill_out_of_band(KILLS)
    for key, plain in flags.items():
        records.set_flag(key, plain)
    for key, plain in segments.items():
        records.set_segment(key, plain)
    for key in ruleset.live:
        told = explain(key, records, context, kills=KILLS, stale_for=10)
        assert repr(told) == repr(decide(ruleset.live[key], context, 10))


def test_a_flag_that_is_not_there_is_unknown() -> None:
    assert explain("nope", Records(), {}).reason is Reason.UNKNOWN_FLAG
