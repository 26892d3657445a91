"""The model of a server's capacity: it goes through the points that it is made of, and says what follows from it."""

import pytest

from bench.capacity_model import PLANNED_SHARE, Model, Point, fitted

TRUE = Model(
    base_cpu=0.01,
    beat_cpu=2e-6,
    change_cpu=0.002,
    delivery_cpu=1e-5,
    report_cpu=3e-4,
    base_kib=50_000,
    stream_kib=1.6,
    beat_bytes=30,
    event_bytes=600,
)


def point(streams: int, changes_per_s: float = 0.0, reports_per_s: float = 0.0) -> Point:
    return Point(
        streams,
        changes_per_s,
        reports_per_s,
        TRUE.cpu_share(streams, changes_per_s, reports_per_s),
        TRUE.memory_kib(streams),
        TRUE.bytes_per_s(1, changes_per_s),
    )


def test_a_server_that_is_as_the_model_says_is_found_from_five_points() -> None:
    found = fitted([point(2000), point(10_000)], [point(2000, 10), point(10_000, 5)], point(2000, 0, 200))
    assert found.cpu_share(14_000, 2, 100) == pytest.approx(TRUE.cpu_share(14_000, 2, 100))
    assert found.memory_kib(14_000) == pytest.approx(TRUE.memory_kib(14_000))
    assert found.bytes_per_s(14_000, 2) == pytest.approx(TRUE.bytes_per_s(14_000, 2))
    assert found.report_cpu == pytest.approx(TRUE.report_cpu)


@pytest.mark.parametrize(("changes", "kills", "reporting"), [(0, 0, False), (1, 0, True), (0.1, 0.01, True)])
def test_as_many_streams_as_there_is_room_for_fill_the_planned_share(
    changes: float, kills: float, reporting: bool
) -> None:
    streams = TRUE.streams(changes, kills_per_s=kills, reporting=reporting)
    reports = streams * ((0.1 if reporting else 0) + kills)
    assert TRUE.cpu_share(streams, changes + kills, reports) == pytest.approx(PLANNED_SHARE, rel=1e-3)
    assert TRUE.servers(1_000_000, changes, kills_per_s=kills, reporting=reporting) * streams >= 1_000_000


def test_as_many_changes_as_there_is_room_for_fill_the_planned_share() -> None:
    assert TRUE.cpu_share(10_000, TRUE.changes_per_s(10_000)) == pytest.approx(PLANNED_SHARE)
    assert TRUE.changes_per_s(10_000_000) == 0
