"""The simulation finds the bugs that were planted on purpose: what it does not see, it does not guard."""

import pytest

from tests.simulation.planted import PLANTED
from tests.simulation.simulation import simulate

# How many seeds it may take.
WITHIN = {
    "gap-check-skipped": 60,
    "empty-store-believed": 200,
    "head-ignored": 40,
    "rolled-back-store-believed": 20,
    "acknowledged-before-accepted": 5,
    "acknowledged-before-flushed": 5,
    "resend-commits-again": 40,
    "proven-by-receipt": 20,
    "proven-by-an-unsettled-store": 60,
    "empty-history-refused": 60,
    "doubt-forgotten-in-recovery": 90,
    "lost-kills-forgotten": 40,
}


def found(planted: str, within: int) -> str | None:
    reports = (simulate(seed, PLANTED[planted]) for seed in range(within))
    return next((report.violation for report in reports if report.violation is not None), None)


def test_every_planted_bug_is_looked_for() -> None:
    assert WITHIN.keys() == PLANTED.keys()


@pytest.mark.parametrize("planted", WITHIN)
def test_a_planted_bug_is_found(planted: str) -> None:
    assert found(planted, WITHIN[planted]) is not None
