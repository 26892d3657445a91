"""The result of `bench.propagation` as tables."""

from collections.abc import Iterator
from typing import Any

from rich.table import Table

from bench.harness import table

TIMES = {
    "acknowledgedMs": "sent → acknowledged",
    "firstMs": "sent → first client",
    "medianMs": "sent → median client",
    "lastMs": "sent → last client",
    "ackToLastMs": "acknowledged → last client",
}
PROOF = {
    "confirmedMs": "commit → all confirmed, on the server's clock",
    "provenMs": "sent → operator sees all confirmed",
}
READS = {"redis": "one Redis read, loopback, decoded", "sqlite": "one SQLite SELECT, decoded"}
POINTS = ("p50", "p90", "p99", "max")


def ratios(push: Any, polling: Any, reads: Any) -> dict[str, float]:
    """Return how many times more the others take, by medians of this run."""
    return {
        "pollToPushLast": polling["lastMs"]["p50"] / push["lastMs"]["p50"],
        "pollToPushMedianClient": polling["medianMs"]["p50"] / push["medianMs"]["p50"],
        "storeReadToLocal": reads["store"]["ns"]["p50"] / reads["local"]["ns"]["p50"],
        "storeReadToLocalCpu": reads["store"]["cpuNs"]["p50"] / reads["local"]["cpuNs"]["p50"],
    }


def tables(result: Any) -> list[Table]:
    """Return the tables, the comparison last."""
    parameters = result["parameters"]
    return [_propagation(result, parameters), _evaluation(result), _comparison(result, parameters)]


def _propagation(result: Any, parameters: Any) -> Table:
    clients, interval_s = parameters["clients"], parameters["pollIntervalS"]
    push, polling = result["push"], result["polling"]
    rows = [
        *_times(f"push, {push['flips']} kills", push, {**TIMES, **(PROOF if "confirmedMs" in push else {})}),
        *_times(f"polling every {interval_s:g} s, {polling['flips']} flips", polling, TIMES),
    ]
    return table(
        f"Flip → {clients} clients, on {result['store']['kind']} {result['store']['version']} (ms)",
        ("approach", "from → to", *POINTS),
        rows,
        caption="All clients of one approach share one process, hence one core; each decodes and applies for itself.",
    )


def _times(approach: str, measured: Any, times: dict[str, str]) -> Iterator[tuple[Any, ...]]:
    for index, (name, words) in enumerate(times.items()):
        yield ("" if index else approach, words, *(measured[name][point] for point in POINTS))


def _evaluation(result: Any) -> Table:
    reads = result["reads"]
    rows = [
        ("is_enabled on the local snapshot", *_evaluated(reads["local"])),
        (READS[result["store"]["kind"]], *_evaluated(reads["store"])),
    ]
    return table(
        "One evaluation (ns; rounds in turn)",
        ("approach", "wall p50", "wall min", "wall max", "CPU of the app p50"),
        rows,
        caption="The read is not charged with rules and rollout, which is_enabled decides.",
    )


def _evaluated(measured: Any) -> tuple[float, ...]:
    return (*(measured["ns"][point] for point in ("p50", "min", "max")), measured["cpuNs"]["p50"])


def _comparison(result: Any, parameters: Any) -> Table:
    push, polling, reads, against = result["push"], result["polling"], result["reads"], result["ratios"]
    rows = [
        ("push", push["lastMs"]["p50"], "1 ×", 0, reads["local"]["ns"]["p50"], "1 ×"),
        (
            f"polling every {parameters['pollIntervalS']:g} s",
            polling["lastMs"]["p50"],
            _times_more(against["pollToPushLast"]),
            polling["atRest"]["requestsPerS"],
            None,
            None,
        ),
        (
            "one read per request",
            "immediate",
            None,
            0,
            reads["store"]["ns"]["p50"],
            _times_more(against["storeReadToLocal"]),
        ),
    ]
    return table(
        "Side by side (medians of this run)",
        ("approach", "flip → last client, ms", "to push", "requests/s at rest", "ns per evaluation", "to local"),
        rows,
    )


def _times_more(ratio: float) -> str:
    return f"{ratio:,.0f} ×" if ratio >= 10 else f"{ratio:.2g} ×"
