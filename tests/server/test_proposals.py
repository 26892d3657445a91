"""The bounds of what waits, as pure functions."""

from http import HTTPStatus
from typing import Any

import msgspec
import pytest

from wigwag_proto.commit import Change
from wigwag_proto.records import Records
from wigwag_server.admin.proposals import (
    LASTS_MS,
    RECORD,
    SHOWN_MS,
    Apply,
    Approval,
    Decide,
    Propose,
    Status,
    only_kills,
    propose,
)
from wigwag_server.problems import Problem

KILL = {"by": "ann", "reason": "", "at": 1, "until": None}


def approval(name: str, at: int = 0, status: Status = Status.PENDING, **fields: Any) -> Approval:
    given = {
        "environment": "production",
        "action": "flag.put",
        "by": "ann",
        "key_id": "k",
        "address": "",
        "comment": "",
        "request": "",
        "size": 100,
        "changes": (),
        **fields,
    }
    return Approval(id=name, created_at=at, expires_at=at + LASTS_MS, status=status, **given)


def stored(*approvals: Approval) -> dict[str, dict[str, Any]]:
    return {RECORD: {each.id: msgspec.to_builtins(each) for each in approvals}}


@pytest.mark.parametrize(("most", "most_bytes"), [(2, 1000), (10, 250)])
def test_what_waits_is_bounded(most: int, most_bytes: int) -> None:
    full = stored(approval("a"), approval("b"))
    with pytest.raises(Problem) as refused:
        Propose(approval("c"), most, most_bytes)(full, 1, 0)
    assert refused.value.status is HTTPStatus.CONFLICT
    over = stored(approval("a"), approval("b", status=Status.REJECTED))
    assert Propose(approval("c"), most, most_bytes)(over, 1, 0)
    assert Propose(approval("c"), most, most_bytes)(full, 1, LASTS_MS)


def test_what_is_over_is_forgotten_in_time_and_beyond_a_number() -> None:
    over = stored(*(approval(f"r{number}", at=number, status=Status.REJECTED) for number in range(5)), approval("p"))
    changes = Propose(approval("c"), 3, 1000)(over, 1, 10)
    assert {change.key for change in changes if change.value is None} == {"r0", "r1"}
    changes = Propose(approval("c"), 3, 1000)(over, 1, SHOWN_MS + 3)
    assert {change.key for change in changes if change.value is None} == {"r0", "r1", "r2", "r3", "p"}


def test_a_proposal_runs_out() -> None:
    records = stored(approval("a"))
    assert Decide("a", Status.APPROVED, "bob")(records, 1, LASTS_MS - 1)
    with pytest.raises(Problem) as refused:
        Decide("a", Status.APPROVED, "bob")(records, 1, LASTS_MS)
    assert refused.value.extra == {"approvalStatus": Status.EXPIRED}


def test_applying_again_after_an_answer_was_lost_changes_nothing() -> None:
    before = {"key": "a", "enabled": True, "kill": None, "revision": 3, "updatedAt": 5}
    after = {**before, "enabled": False, "revision": 4, "updatedAt": 6}
    proposed = approval("p", changes=propose([Change("flag", "a", after)], {"flag": {"a": before}}))
    apply = Apply(proposed, Records())
    (change,) = apply({"flag": {"a": {**before, "kill": KILL, "revision": 8}}}, 9, 70)
    assert change.value == {**after, "kill": KILL, "revision": 9, "updatedAt": 70, "createdAt": 70}
    assert apply({"flag": {"a": change.value}}, 10, 80) == []
    with pytest.raises(Problem):
        apply({"flag": {"a": {**before, "rolloutPercentage": 1}}}, 9, 70)
    with pytest.raises(Problem):
        apply({"flag": {}}, 9, 70)


def test_only_what_changes_nothing_but_the_kill_is_a_kill() -> None:
    flag = {"key": "a", "enabled": True, "kill": None, "revision": 3, "updatedAt": 5}
    killed = {**flag, "kill": KILL, "revision": 4, "updatedAt": 6}
    records = {"flag": {"a": flag, "b": killed}}
    assert only_kills([Change("flag", "a", killed)], records)
    assert not only_kills([Change("flag", "a", {**killed, "enabled": False})], records)
    assert not only_kills([Change("flag", "a", killed), Change("segment", "s", {})], records)
    assert not only_kills([Change("flag", "b", flag)], records)
    assert not only_kills([Change("flag", "new", killed)], records)
    assert not only_kills([Change("flag", "a", None)], records)
    assert not only_kills([], records)
