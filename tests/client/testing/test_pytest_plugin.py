"""The pytest plugin, in tests of its own and in a project of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

from wigwag.testing import FakeFlags

STATES: list[tuple[bool, bool]] = []


@pytest.fixture
def app(flags: FakeFlags) -> str:
    """An application that is built with the flags of the test."""
    return "new" if flags.is_enabled("new_checkout") else "old"


def test_the_fixture_is_empty_without_a_mark(flags: FakeFlags) -> None:
    assert flags.all() == {}


@pytest.mark.flags({"a.b": True}, new_checkout=True, button="blue")
def test_a_mark_sets_flags(flags: FakeFlags, app: str) -> None:
    assert app == "new"
    assert flags.is_enabled("a.b")
    assert flags.value("button", default="grey") == "blue"


@pytest.mark.flags(new_checkout=True, other=True)
class TestMarkedAsAClass:
    def test_it_has_the_marks_of_the_class(self, app: str) -> None:
        assert app == "new"

    @pytest.mark.flags(new_checkout=False)
    def test_its_own_mark_counts_more(self, app: str, flags: FakeFlags) -> None:
        assert app == "old"
        assert flags.is_enabled("other")


@pytest.mark.both_states("a", "b")
@pytest.mark.flags(a=False, c=True)
async def test_each_combination_is_run(flags: FakeFlags, request: pytest.FixtureRequest) -> None:
    assert flags.is_enabled("c")
    assert f"a={'on' if flags.is_enabled('a') else 'off'}" in request.node.name
    STATES.append((flags.is_enabled("a"), flags.is_enabled("b")))


def test_all_combinations_were_run() -> None:
    assert STATES == [(True, True), (True, False), (False, True), (False, False)]


@pytest.mark.both_states("new_checkout")
def test_a_fixture_that_uses_the_flags_is_run_under_both(app: str, wigwag_states: dict[str, bool]) -> None:
    assert app == ("new" if wigwag_states["new_checkout"] else "old")


PROJECT = """
import sys
import pytest

def test_unused():
    assert not [name for name in sys.modules if name.startswith(("wigwag.", "aiohttp"))]

@pytest.mark.flags(f=True)
def test_used(flags):
    assert flags.is_enabled("f")

@pytest.mark.flags(f=True)
def test_a_mark_without_the_fixture():
    pass
"""


def run_pytest(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_project.py").write_text(text)
    words = [sys.executable, "-m", "pytest", "-q", "--strict-markers", "-p", "no:cacheprovider", "test_project.py"]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


def test_in_a_project_of_its_own_it_costs_nothing_until_it_is_used(tmp_path: Path) -> None:
    ran = run_pytest(tmp_path, PROJECT)
    assert "1 failed, 2 passed" in ran.stdout or "2 passed, 1 error" in ran.stdout, ran.stdout
    assert "the mark flags sets the fixture flags, which this test does not use" in ran.stdout


@pytest.mark.parametrize(
    ("mark", "said"),
    [('"a"', "does not use the fixture flags"), ('"a", "b", "c", "d", "e", "f", "g"', "are 128 runs")],
)
def test_a_mark_that_cannot_be_meant_is_refused(mark: str, said: str, tmp_path: Path) -> None:
    ran = run_pytest(tmp_path, f"import pytest\n\n@pytest.mark.both_states({mark})\ndef test_it():\n    pass\n")
    assert ran.returncode != 0
    assert said in ran.stdout + ran.stderr
