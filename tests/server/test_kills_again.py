"""What was killed in a history that the store went on without."""

from typing import Any

import pytest

from wigwag_server.kills_again import KillAgain

KILL = {"by": "ann", "reason": "fire", "at": 1000, "until": None}
FLAG = {"key": "checkout", "enabled": True, "kill": None}


def killed(records: dict[str, Any], kill: Any = KILL) -> Any:
    """Return the kill that is put back on `checkout` at 5000; None where it is left alone."""
    changes = KillAgain({"checkout": kill})(records, 7, 5000)
    assert [change.key for change in changes] in ([], ["checkout"])
    return changes[0].value["kill"] if changes else None


def test_a_kill_that_was_lost_is_put_back_as_it_was() -> None:
    (change,) = KillAgain({"checkout": KILL})({"flag": {"checkout": FLAG}}, 7, 5000)
    assert change.value == {**FLAG, "kill": KILL, "updatedAt": 5000, "revision": 7}


@pytest.mark.parametrize(("revived_at", "stays_lifted"), [(999, False), (1000, True), (2000, True)])
def test_a_kill_that_somebody_has_lifted_since_stays_lifted(revived_at: int, stays_lifted: bool) -> None:
    records = {"flag": {"checkout": FLAG}, "revival": {"checkout": {"at": revived_at}}}
    assert (killed(records) is None) is stays_lifted


@pytest.mark.parametrize(("until", "stays_lifted"), [(4999, True), (5000, True), (5001, False)])
def test_a_kill_whose_time_is_over_stays_lifted(until: int, stays_lifted: bool) -> None:
    kill = {**KILL, "until": until}
    assert killed({"flag": {"checkout": FLAG}}, kill) == (None if stays_lifted else kill)


def test_a_kill_of_somebody_else_stays_and_a_flag_that_is_gone_stays_gone() -> None:
    assert killed({"flag": {"checkout": {**FLAG, "kill": {**KILL, "by": "bob"}}}}) is None
    assert killed({"flag": {}}) is None
    assert killed({}) is None


def test_a_flag_that_is_damaged_in_the_store_is_killed_all_the_same() -> None:
    assert killed({"flag": {"checkout": "{not json"}}) == KILL
