"""What a server needs for its streams, as a model of a few figures. Pure; `bench.capacity` measures and checks it.

share of a core = base + streams * beat + changes/s * (change + streams * delivery) + reports/s * report
memory          = base + streams * a stream
bytes/s         = streams * (beats + changes/s * event)
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

REPORT_EVERY_S = 10.0
# A server is planned to be no busier than this: the rest is for the moment in which all clients come back.
PLANNED_SHARE = 0.7


@dataclass(frozen=True, slots=True)
class Point:
    """A load, and what was measured under it."""

    streams: int
    changes_per_s: float
    reports_per_s: float
    cpu_share: float
    memory_kib: float
    bytes_per_s: float  # of one stream


@dataclass(frozen=True, slots=True)
class Model:
    """Processor time in seconds, memory in KiB, and payload in bytes."""

    base_cpu: float
    beat_cpu: float  # a second and stream
    change_cpu: float
    delivery_cpu: float  # a change and stream
    report_cpu: float
    base_kib: float
    stream_kib: float
    beat_bytes: float  # a second and stream
    event_bytes: float

    def cpu_share(self, streams: float, changes_per_s: float, reports_per_s: float = 0.0) -> float:
        """Return the share of one core."""
        changes = changes_per_s * (self.change_cpu + streams * self.delivery_cpu)
        return self.base_cpu + streams * self.beat_cpu + changes + reports_per_s * self.report_cpu

    def memory_kib(self, streams: float) -> float:
        """Return the server's own memory."""
        return self.base_kib + streams * self.stream_kib

    def bytes_per_s(self, streams: float, changes_per_s: float) -> float:
        """Return what leaves the server on all streams together, without the headers of the network."""
        return streams * (self.beat_bytes + changes_per_s * self.event_bytes)

    def streams(self, changes_per_s: float, *, kills_per_s: float = 0.0, reporting: bool = True) -> int:
        """Return how many streams one core has room for, at the planned share.

        Each kill is confirmed by a report of every client; where they report at all, each does so every 10 s.
        """
        every_s = changes_per_s + kills_per_s
        reports = (1 / REPORT_EVERY_S if reporting else 0.0) + kills_per_s
        room = PLANNED_SHARE - self.base_cpu - every_s * self.change_cpu
        return max(0, int(room / (self.beat_cpu + every_s * self.delivery_cpu + reports * self.report_cpu)))

    def changes_per_s(self, streams: int) -> float:
        """Return how many changes a second one core can push to so many streams, at the planned share."""
        room = PLANNED_SHARE - self.base_cpu - streams * self.beat_cpu
        return max(0.0, room / (self.change_cpu + streams * self.delivery_cpu))

    def servers(self, clients: int, changes_per_s: float, **options: Any) -> int:
        """Return how many servers or relays of one core so many clients need."""
        return math.ceil(clients / max(1, self.streams(changes_per_s, **options)))


def fitted(idle: Sequence[Point], changing: Sequence[Point], reporting: Point) -> Model:
    """Return the model that goes through these points: two without changes, two with, and one with reports.

    The one with reports has as many streams, and as few changes, as the first of `idle`.
    """
    few, many = idle
    beat_cpu = (many.cpu_share - few.cpu_share) / (many.streams - few.streams)
    base_cpu = few.cpu_share - few.streams * beat_cpu
    costs = [(each.cpu_share - base_cpu - each.streams * beat_cpu) / each.changes_per_s for each in changing]
    delivery_cpu = (costs[1] - costs[0]) / (changing[1].streams - changing[0].streams)
    stream_kib = (many.memory_kib - few.memory_kib) / (many.streams - few.streams)
    return Model(
        base_cpu=base_cpu,
        beat_cpu=beat_cpu,
        change_cpu=costs[0] - changing[0].streams * delivery_cpu,
        delivery_cpu=delivery_cpu,
        report_cpu=(reporting.cpu_share - few.cpu_share) / reporting.reports_per_s,
        base_kib=few.memory_kib - few.streams * stream_kib,
        stream_kib=stream_kib,
        beat_bytes=few.bytes_per_s,
        event_bytes=(changing[0].bytes_per_s - few.bytes_per_s) / changing[0].changes_per_s,
    )
