"""Tests name flags in ways of their own."""

import pytest
from wigwag.testing import FakeFlags, parametrize_flag


@pytest.mark.flags(marked=True)  #: marked
def test_marked(flags: FakeFlags) -> None:
    assert flags.is_enabled("marked")  #: marked


@pytest.mark.flags(marked_a=True, marked_b=False)  #: marked_a marked_b
def test_two() -> None:
    pass


@pytest.mark.flags(**{"marked-dash": True})  #: marked-dash
def test_dash() -> None:
    pass


@parametrize_flag("both_ways")  #: both_ways
def test_both(flags: FakeFlags) -> None:
    flags.variant("both_variant")  #: both_variant


def test_overridden(flags: FakeFlags) -> None:
    with flags.overridden(overridden=True):  #: overridden
        pass
    with flags.overridden({"overridden-dash": False}):  #: overridden-dash
        pass
    fake = FakeFlags(checkout=True)
    fake.value("fake_value", default=1)  #: fake_value


@pytest.mark.parametrize("value", ["variant", "is_enabled"])
def test_unrelated(value: str) -> None:
    assert value
