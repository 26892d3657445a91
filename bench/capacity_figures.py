"""What docs/capacity.md says in figures; they are put in their places by `page_figures`."""

from typing import Any

from bench.capacity_model import Model
from bench.page_figures import grid, placed
from bench.results_read import Results

PLANS: dict[str, dict[str, Any]] = {
    "a report of each client every 10 s": {"changes_per_s": 0.0},
    "that, and a change a minute": {"changes_per_s": 1 / 60},
    "that, and a change a second": {"changes_per_s": 1.0},
    "that, and a kill a minute": {"changes_per_s": 0.0, "kills_per_s": 1 / 60},
}


@placed("capacity-costs")
def capacity_costs(results: Results) -> str:
    """What the model is made of."""
    model = results["capacity"]["model"]
    rows = [
        ("a server without streams", f"{model['base_cpu']:.1%} of a core", f"{model['base_kib'] / 1024:.0f} MiB", ""),
        (
            "a stream, by its heartbeats",
            f"{model['beat_cpu'] * 1e6:.1f} µs a second",
            f"{model['stream_kib']:.2f} KiB",
            f"{model['beat_bytes']:.0f} bytes a second",
        ),
        (
            "a change",
            f"{model['delivery_cpu'] * 1e6:.1f} µs a stream, and {model['change_cpu'] * 1e3:+.1f} ms once",
            "",
            f"{model['event_bytes']:.0f} bytes a stream",
        ),
        ("a report of a client", f"{model['report_cpu'] * 1e6:.0f} µs", "", ""),
    ]
    return grid(["", "processor", "memory", "sent"], rows)


@placed("capacity-points")
def capacity_points(results: Results) -> str:
    """What the model was not made of, and what it says of that."""
    rows = [
        (
            f"{each['streams']:,} streams, {each['changesPerS']:.1f} changes/s, {each['reportsPerS']:.0f} reports/s",
            *(f"{each[of]['cpuShare']:.1%}" for of in ("measured", "model")),
            *(f"{each[of]['memoryKib'] / 1024:.1f}" for of in ("measured", "model")),
            *(f"{each[of]['bytesPerS'] / 1e6:.2f}" for of in ("measured", "model")),
        )
        for each in results["capacity"]["points"]
        if not each["fits"]
    ]
    return grid(["load", "CPU", "model", "MiB", "model", "MB/s", "model"], rows)


@placed("capacity-plan")
def capacity_plan(results: Results) -> str:
    """What follows from the model."""
    model = Model(**results["capacity"]["model"])
    rows = []
    for name, load in PLANS.items():
        streams = model.streams(**load)
        memory_mib = model.memory_kib(streams) / 1024
        rows.append((name, streams, f"{memory_mib:.0f}", model.servers(1_000_000, **load)))
    return grid(["load", "streams on a core", "MiB", "cores for a million clients"], rows)


@placed("capacity-changes")
def capacity_changes(results: Results) -> str:
    """How many changes a core can push."""
    model = Model(**results["capacity"]["model"])
    sizes = (2_000, 10_000, 20_000)
    rows = [
        ("changes a second, at most", *(f"{model.changes_per_s(size):.1f}" for size in sizes)),
        (
            "MB a second for one change a second",
            *(f"{model.bytes_per_s(size, 1.0) / 1e6:.1f}" for size in sizes),
        ),
    ]
    return grid(["streams", *(f"{size:,}" for size in sizes)], rows)
