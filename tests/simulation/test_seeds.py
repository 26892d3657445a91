"""Nothing is lost, nothing is invented, and nobody believes to know what he does not: in every world there is."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.__main__ import main
from tests.simulation.simulation import simulate

SEEDS = 200
LONG_SEEDS = 3000
BATCH = 250


def failures(first: int, last: int) -> list[str]:
    reports = (simulate(seed) for seed in range(first, last))
    return [
        f"{report.violation}\n  again: python -m tests.simulation --seed {report.seed} --trace"
        for report in reports
        if report.violation is not None
    ]


@pytest.mark.parametrize("first", range(0, SEEDS, 50))
def test_all_is_well_whatever_goes_wrong(first: int) -> None:
    assert not failures(first, first + 50)


@pytest.mark.long
@pytest.mark.parametrize("first", range(SEEDS, SEEDS + LONG_SEEDS, BATCH))
def test_all_is_well_in_many_more_worlds(first: int) -> None:
    assert not failures(first, first + BATCH)


def test_the_same_seed_is_the_same_world() -> None:
    one, other = simulate(3, tracing=True), simulate(3, tracing=True)
    assert len(one.trace) > 100
    assert one.trace == other.trace
    assert one == other


def test_another_seed_is_another_world() -> None:
    assert simulate(7, tracing=True).digest != simulate(8, tracing=True).digest


def test_tracing_does_not_change_what_happens() -> None:
    one, other = simulate(9, tracing=True), simulate(9)
    assert (one.steps, one.virtual_s, one.acknowledged) == (other.steps, other.virtual_s, other.acknowledged)


def test_the_world_does_not_depend_on_how_python_hashes() -> None:
    script = "from tests.simulation.simulation import simulate; print(simulate(11, tracing=True).digest)"
    digests = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
            cwd=Path(__file__).parents[2],
        ).stdout
        for seed in ("1", "2")
    }
    assert digests == {simulate(11, tracing=True).digest + "\n"}


def test_a_failing_seed_is_told_with_the_command_that_shows_it_again(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["simulation", "--seeds", "5", "--planted", "acknowledged-before-accepted"])
    assert main() == 1
    told = capsys.readouterr().out
    assert "a state that the store never was in" in told
    again = told.split("python -m tests.simulation ")[1].split()
    monkeypatch.setattr(sys, "argv", ["simulation", *again])
    assert main() == 1
    assert told.splitlines()[0].removeprefix("seed 0: ") in capsys.readouterr().out
