"""Times in time zones, and what is too late."""

from datetime import UTC, datetime

import pytest

from wigwag_server.rollouts.schedule import Missed, Schedule, What, read_time


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("text", "zone", "meant"),
    [
        ("2030-01-31T12:00", "Europe/Berlin", "2030-01-31T11:00:00"),
        ("2030-07-31T12:00:30", "Europe/Berlin", "2030-07-31T10:00:30"),
        ("2030-01-31T12:00", "UTC", "2030-01-31T12:00:00"),
        ("2030-01-31T12:00:00+09:00", "Europe/Berlin", "2030-01-31T03:00:00"),
        ("2030-10-27T02:30", "Europe/Berlin", "2030-10-27T00:30:00"),  # twice: the first
    ],
)
def test_a_time_means_what_a_clock_on_the_wall_shows(text: str, zone: str, meant: str) -> None:
    assert read_time(text, zone) == ms(meant)


def test_a_time_that_the_clocks_jump_over_does_not_exist() -> None:
    assert read_time("2030-03-31T02:30", "Europe/Berlin") == (
        "does not exist in Europe/Berlin: the clocks jump over it"
    )


@pytest.mark.parametrize("zone", ["Nowhere/Land", "", None, 7, "../etc/passwd", "/etc/localtime", "x" * 5000, "a\0b"])
def test_what_is_no_zone_is_refused(zone: object) -> None:
    assert "is no time zone" in str(read_time("2030-01-31T12:00", zone))


@pytest.mark.parametrize("text", ["tomorrow", "2030-01-31", "12:00", None, True, {}, "0001-01-01T00:00", "\ud800"])
def test_what_is_no_time_is_refused(text: object) -> None:
    assert isinstance(read_time(text, "Europe/Berlin"), str)


def test_what_is_missed_depends_on_what_it_says() -> None:
    skips = Schedule(id="1", flag="checkout", what=What.KILL, at=1000, grace_ms=500)
    assert not skips.is_missed(1500)
    assert skips.is_missed(1501)
    assert not Schedule(id="1", flag="checkout", what=What.KILL, at=1000, missed=Missed.DO).is_missed(10**12)
