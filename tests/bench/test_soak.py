"""`python -m bench.soak`, for real and short; and its verdict, which has to find what is planted."""

import asyncio
import json
import os
import signal
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from bench.soak import tables
from bench.soak_faults import FAULTS
from bench.soak_verdict import Verdict, judge
from bench.soak_writers import Acknowledged, Books, Kill
from tests.support.sessions import session_of, started_module
from tests.support.waiting import until

SEED = 30  # Redis is paused, then the link of a server to it goes quiet
ZEROS = ("lost", "outOfOrder", "invented", "killsNotInForce")


async def soaked(folder: Path, *words: str, timeout_s: float) -> Any:
    """Soak to the end, see that nothing is left of it, and return the result."""
    async with started_module("bench.soak", *words, "--json", temporary=folder) as process:
        output, errors = await asyncio.wait_for(process.communicate(), timeout_s)
        assert session_of(process.pid) == []
    assert files_of(folder) == []
    assert (process.returncode, errors) == (0, b""), output.decode() + errors.decode()
    return json.loads(output)


def files_of(folder: Path) -> list[Path]:
    """Return what the soak left in the folder for temporary files."""
    return list(folder.glob("wigwag-bench-*"))


def check(result: Any, clients: int) -> None:
    """See that much was done, everything delivered, and nothing lost."""
    changes = result["changes"]
    assert [changes[name] for name in ZEROS] == [0] * len(ZEROS), changes
    assert changes["acknowledged"] > 13
    assert changes["delivered"] == changes["acknowledged"] * clients
    assert result["faults"]
    assert result["faults"].keys() <= FAULTS.keys()
    assert len(tables(result)) == 2


@pytest.mark.long
async def test_a_short_soak_loses_nothing_and_leaves_nothing_behind(tmp_path: Path) -> None:
    result = await soaked(tmp_path, "--minutes", "0.05", "--clients", "8", "--seed", str(SEED), timeout_s=80)
    check(result, 8)
    assert result["parameters"] == {"minutes": 0.05, "clients": 8, "seed": SEED}


async def test_ctrl_c_ends_and_removes_everything(tmp_path: Path) -> None:
    async with started_module("bench.soak", "--clients", "4", temporary=tmp_path) as process:
        await until(lambda: len(session_of(process.pid)) == 3, "the soak, Redis and a server")
        os.killpg(process.pid, signal.SIGINT)
        output, errors = await asyncio.wait_for(process.communicate(), 30)
        assert session_of(process.pid) == []
    assert (process.returncode, output, errors) == (130, b"", b"bench.soak: interrupted\n")
    assert files_of(tmp_path) == []


@pytest.mark.parametrize("words", [("--minutes", "0"), ("--clients", "0")])
async def test_wrong_options_are_named_before_anything_starts(words: tuple[str, ...], tmp_path: Path) -> None:
    async with started_module("bench.soak", *words, temporary=tmp_path) as process:
        _, errors = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 2
    assert words[0] in errors.decode()


# The verdict: one client that took a snapshot and two commits, and what was said and stored.

CURSORS = ["1.e:1:h1", "1.e:2:h2", "1.e:3:h3"]


def history() -> dict[str, Any]:
    """Return the history of a client that had everything: an edit, a second one, a kill."""
    return {
        "states": list(CURSORS),
        "contents": {
            f"whole {CURSORS[0]}": ["", [["a", "1", 1, False]]],
            f"commit {CURSORS[1]}": ["h1", [["a", "2", 2, False]]],
            f"commit {CURSORS[2]}": ["h2", [["a", "2", 3, True]]],
        },
        "disagreements": [],
        "steps": [[[0, True, 10], [1, False, 20], [2, False, 30]]],
        "lifted": [[]],
    }


def judged(
    went_through: dict[str, Any], *, store: tuple[int, bool] = (3, True), last: tuple[int, bool] = (3, True)
) -> Verdict:
    """Judge what the client went through, and how store and client ended: revision of the flag, and whether killed."""
    edits = [Acknowledged("a", "edit", cursor, str(number + 1)) for number, cursor in enumerate(CURSORS[:2])]
    books = Books(
        acknowledged=[*edits, Acknowledged("a", "kill", CURSORS[2])],
        kills=[Kill("a", CURSORS[2], acked_ns=25)],
        asked_for={"a": {"1", "2"}},
    )
    stored = {"a": {"revision": store[0], "kill": {"by": "x"} if store[1] else None}}
    return judge(books, [went_through], stored, [json.dumps([["a", "2", *last]])])


def test_a_client_that_had_everything_is_no_failure() -> None:
    verdict = judged(history())
    assert verdict.good
    assert (verdict.acknowledged, verdict.delivered) == (3, 3)


def test_a_snapshot_delivers_what_it_has() -> None:
    passed = history()
    passed["steps"] = [[[0, True, 10], [2, True, 30]]]
    assert judged(passed).good


def test_a_commit_that_a_client_never_had_is_lost_and_the_next_out_of_order() -> None:
    skipped = history()
    skipped["steps"] = [[[0, True, 10], [2, False, 30]]]
    verdict = judged(skipped)
    assert len(verdict.out_of_order) == 1
    late = history()
    late["steps"] = [[[0, True, 10], [1, False, 20]]]
    assert len(judged(late).lost) == 1


def test_an_older_flag_at_the_end_is_lost() -> None:
    assert judged(history(), store=(1, True), last=(1, True)).lost
    assert judged(history(), last=(2, True)).lost


def test_a_state_that_is_turned_back_or_on_another_head_is_out_of_order() -> None:
    back = history()
    back["steps"][0].append([0, True, 40])
    assert len(judged(back).out_of_order) == 1
    forgotten = history()
    forgotten["contents"][f"commit {CURSORS[2]}"][0] = "other"
    assert len(judged(forgotten).out_of_order) == 1


def test_another_head_another_content_an_unasked_edit_and_an_empty_state_are_invented() -> None:
    for plant in (_another_head, _another_content, _unasked, _empty):
        planted = deepcopy(history())
        plant(planted)
        assert judged(planted).invented, plant


def test_a_kill_that_is_lifted_unasked_or_gone_at_the_end_is_not_in_force() -> None:
    lifted = history()
    lifted["states"].append("1.e:4:h4")
    lifted["lifted"] = [[["a", 3, 40]]]
    assert len(judged(lifted).kills_not_in_force) == 1
    behind = history()
    behind["lifted"] = [[["a", 0, 40]]]  # a client that is still to take the kill
    assert judged(behind).good
    assert judged(history(), store=(3, False), last=(3, False)).kills_not_in_force


def _another_head(planted: dict[str, Any]) -> None:
    planted["states"].append("1.e:2:other")


def _another_content(planted: dict[str, Any]) -> None:
    planted["disagreements"].append(CURSORS[1])


def _unasked(planted: dict[str, Any]) -> None:
    planted["contents"][f"commit {CURSORS[1]}"][1][0][1] = "99"


def _empty(planted: dict[str, Any]) -> None:
    planted["contents"][f"whole {CURSORS[0]}"][1] = []
