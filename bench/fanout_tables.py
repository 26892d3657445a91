"""The result of `bench.fanout` as tables."""

from typing import Any

from rich.table import Table

from bench.harness import table


def tables(result: Any) -> list[Table]:
    """Return the times of all servers at each number of streams, and how wigwag stands to the others."""
    sizes = result["sizes"]
    names = list(dict.fromkeys(name for size in sizes for name in size["servers"]))
    columns = ("", *(f"{size['streams']:,}" for size in sizes))
    left_out = "\n".join(f"{name} was left out: {why}" for name, why in result["leftOut"].items())
    received = [(name, *(_spread(size["servers"].get(name), "fromServerMs") for size in sizes)) for name in names]
    asked = [(name, *(_spread(size["servers"].get(name), "fromRequestMs") for size in sizes)) for name in names]
    cpu = [(name, *(_cpu(size["servers"].get(name)) for size in sizes)) for name in names]
    ratios = [(f"to {name}", *(_ratio(size["ratios"].get(name)) for size in sizes)) for name in names[1:]]
    steps = [
        (f"longest step, {what}", *(_spread(size["longestStep"], name) for size in sizes))
        for what, name in (("by the clock", "longestMs"), ("of processor time", "longestCpuMs"))
    ]
    return [
        table("Server has the event → last client: ms, median (p90)", columns, received, caption=left_out or None),
        table("Request sent → last client: ms, median (p90); of wigwag, a kill by its API", columns, asked),
        table("Processor time of the server for an event, ms: its own + the kernel's", columns, cpu),
        table("wigwag's time as a multiple: of medians (median of the turns)", columns, ratios),
        table("Steps of wigwag's event loop during a fan-out: ms, median (p90)", columns, steps),
    ]


def _spread(measured: Any, name: str) -> str | None:
    if measured is None:
        return None
    found = measured[name]
    return f"{found['p50']:.3g} ({found['p90']:.3g})"


def _cpu(measured: Any) -> str | None:
    return None if measured is None else f"{measured['ownCpuMs']:.0f} + {measured['kernelCpuMs']:.0f}"


def _ratio(found: Any) -> str | None:
    return None if found is None else f"{found['ofMedians']:.2f} ({found['p50']:.2f})"
