"""`wigwag rollout`, `guard` and `schedule`."""

import json

from tests.client.cli.conftest import Wigwag


def test_a_ramp_is_started_watched_stopped_and_gone_on_with(wigwag: Wigwag, key: str) -> None:
    wigwag("set", key, "--on", "--rollout", "0")
    ran = wigwag(
        "rollout", "start", key, "--stages", "5,50", "--interval", "1h", "--max-error-increase", "0.01", "--json"
    )
    started = json.loads(ran.out)
    assert (started["stages"], started["guard"]["maxErrorIncrease"]) == ([5, 50], 0.01)
    ran = wigwag("rollout", "pause", key)
    assert f"{key} in production: paused" in ran.out
    assert "paused by" in ran.out
    ran = wigwag("rollout", "status", key, "--watch")
    assert (ran.code, "paused by" in ran.err) == (1, True)
    assert "running" in wigwag("rollout", "resume", key).out
    assert "aborted" in wigwag("rollout", "abort", key, "--comment", "enough").out
    ran = wigwag("rollout", "resume", key)
    assert (ran.code, "This rollout is over" in ran.err) == (1, True)


def test_into_a_pipe_goes_a_line_for_each_stage(wigwag: Wigwag, key: str) -> None:
    wigwag("set", key, "--on", "--rollout", "0")
    ran = wigwag("rollout", "start", key, "--stages", "5,100", "--interval", "3s", "--watch")
    assert ran.code == 0
    lines = [line for line in ran.out.splitlines() if "stage 0" not in line]
    assert lines == [
        f"{key} in production: running at 5 %, stage 1 of 2",
        f"{key} in production: running at 100 %, stage 2 of 2",
        f"{key} in production: done at 100 %, stage 2 of 2",
    ]


def test_what_makes_no_sense_is_said(wigwag: Wigwag, key: str) -> None:
    assert wigwag("rollout", "start", key, "--stages", "a,b").code == 2
    assert wigwag("rollout", "status", key).code == 5
    wigwag("set", key, "--on", "--rollout", "0")
    ran = wigwag("rollout", "start", key, "--stages", "5,1")
    assert (ran.code, "must be more than the stage before" in ran.err) == (1, True)
    assert wigwag("rollout", "status", key).code == 1


def test_a_guard_is_set_shown_and_taken_away(wigwag: Wigwag, key: str) -> None:
    wigwag("set", key, "--on")
    words = f"{key} in production says so at: errors above 5.00%, 1.00% more errors than with the flag off\n"
    ran = wigwag("guard", "set", key, "--max-error-rate", "0.05", "--max-error-increase", "0.01", "--only-say")
    assert (ran.code, ran.out) == (0, words)
    assert wigwag("guard", "show", key).out == words
    assert wigwag("guard", "remove", key).code == 0
    assert wigwag("guard", "show", key).code == 1


def test_what_is_scheduled_is_listed_and_cancelled(wigwag: Wigwag, key: str) -> None:
    wigwag("set", key, "--on")
    ran = wigwag("schedule", "add", "kill", key, "--at", "2090-01-31T09:00", "--zone", "Europe/Berlin", "--json")
    number = json.loads(ran.out)["id"]
    ran = wigwag("schedule", "add", "change", key, "--at", "2091-01-31T09:00", "--patch", '{"rolloutPercentage": 5}')
    assert ran.code == 0
    assert number in wigwag("schedule", "list").out
    assert wigwag("schedule", "cancel", number).out == f"cancelled {number}\n"
    assert wigwag("schedule", "cancel", number).code == 1
    assert wigwag("schedule", "add", "kill", key, "--at", "soon").code == 1
    assert wigwag("schedule", "add", "change", key, "--at", "2091-01-31T09:00", "--patch", "{").code == 2
