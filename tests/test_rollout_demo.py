"""`make demo-rollout`, from its first line to its last, where there is no terminal."""

import re
from pathlib import Path

import pytest

from tests.test_demo import left_in, program


@pytest.mark.long
async def test_the_demo_of_a_ramp_finds_the_bug_and_says_whom_it_hurt(tmp_path: Path) -> None:
    status, output = await program("examples.rollout_demo", folder=tmp_path)
    assert status == 0, output
    assert "\x1b" not in output
    stages = re.findall(r"requests  checkout in production: running at ([\d.]+) %, stage (\d) of 4", output)
    assert stages[:3] == [("0", "0"), ("1", "1"), ("10", "2")], output
    runs = r"[\d,]+ of [\d,]+ runs \([\d.]+%\)"
    assert re.search(rf"rolledBack at 0 %, stage 0 of 4: {runs} failed with the flag on, {runs} with it off", output), (
        output
    )
    hurt, baseline, factor = (
        int(re.search(rf"([\d,]+) {words}", output)[1].replace(",", ""))  # type: ignore[index]  # fails where it is not there
        for words in ("requests were hurt by the bug", "would have been with everybody", "times as many")
    )
    assert 0 < hurt < baseline == 18_000
    assert factor == round(baseline / hurt)
    assert left_in(tmp_path) == []
