"""The pytest plugin of wigwag: the fixture `flags`, and the marks `flags` and `both_states`.

pytest loads it in every project that has wigwag installed. So it stands beside the package `wigwag`, whose import
brings aiohttp along, and imports that only when a test asks for its flags.
"""

from itertools import product
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from wigwag.testing import FakeFlags

MOST_TOGETHER = 6  # flags in all their combinations: 64 runs of one test

MARKS = (
    "flags(new_checkout=True, …): what the fixture `flags` begins with; a dict holds keys that are no names",
    "both_states('new_checkout', …): run the test with the flag on and with it off, and with several, all combinations",
)


def pytest_configure(config: pytest.Config) -> None:
    """Tell pytest of the marks."""
    for mark in MARKS:
        config.addinivalue_line("markers", mark)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that is marked with `both_states` once for each combination."""
    keys = [key for mark in metafunc.definition.iter_markers("both_states") for key in mark.args]
    if not keys:
        return
    if len(keys) > MOST_TOGETHER:
        raise pytest.UsageError(
            f"both_states of {len(keys)} flags are {2 ** len(keys)} runs; name {MOST_TOGETHER} at most"
        )
    if "flags" not in metafunc.fixturenames:
        raise pytest.UsageError(f"{metafunc.definition.nodeid} has both_states, but does not use the fixture flags")
    states = [dict(zip(keys, combination, strict=True)) for combination in product((True, False), repeat=len(keys))]
    ids = [",".join(f"{key}={'on' if on else 'off'}" for key, on in state.items()) for state in states]
    metafunc.parametrize("wigwag_states", states, ids=ids, indirect=True)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Refuse a mark that would do nothing: its test looks as if it tested something."""
    if item.get_closest_marker("flags") and "flags" not in getattr(item, "fixturenames", ()):
        pytest.fail("the mark flags sets the fixture flags, which this test does not use", pytrace=False)


@pytest.fixture
def wigwag_states(request: pytest.FixtureRequest) -> dict[str, bool]:
    """Return the states of this run, of a test that is marked with `both_states`."""
    found: dict[str, bool] = getattr(request, "param", {})
    return found


@pytest.fixture
def flags(request: pytest.FixtureRequest, wigwag_states: dict[str, bool]) -> "FakeFlags":
    """Return a `FakeFlags` of this test's own: with what its marks say, those nearest to it last."""
    from wigwag.testing import FakeFlags  # noqa: PLC0415  # see the docstring of the module

    wanted: dict[str, Any] = {}
    for mark in reversed(list(request.node.iter_markers("flags"))):
        for each in (*mark.args, mark.kwargs):
            wanted.update(each)
    return FakeFlags({**wanted, **wigwag_states})
