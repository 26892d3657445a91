"""Points in time as people type them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from wigwag.cli.times import here, read_moment

BERLIN = timezone(timedelta(hours=1))
NOW = datetime(2026, 11, 25, 14, 30, 5, 500_000, BERLIN)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("17", 17),
        ("14:03", "2026-11-25T14:03:00+01:00"),
        ("9:05", "2026-11-25T09:05:00+01:00"),
        ("14:30:05", "2026-11-25T14:30:05+01:00"),
        ("14:31", "2026-11-24T14:31:00+01:00"),
        ("2h", "2026-11-25T12:30:05.500000+01:00"),
        ("2026-11-25 14:03", "2026-11-25T14:03:00+01:00"),
        ("2026-11-25T14:03", "2026-11-25T14:03:00+01:00"),
        ("2026-11-25T13:03:00Z", "2026-11-25T13:03:00Z"),
        ("24:61", "24:61"),
        ("yesterday", "yesterday"),
        ("٣", "٣"),
    ],
)
def test_a_moment_is_read_as_of_here(text: str, wanted: int | str) -> None:
    assert read_moment(text, NOW) == wanted


def test_here_has_an_offset() -> None:
    assert abs(here() - datetime.now(UTC)) < timedelta(minutes=1)
