"""Plots of the results, as SVG beside them."""

from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.registry import RESULTS
from bench.results_read import Results

mpl.rcParams["svg.hashsalt"] = "wigwag"  # the same results are the same file
SHOWN_AT = 10_000
ROWS = {"off": "killed or off", "static": "on for all", "rollout": "10 %", "rule": "one rule", "hard": "hard"}


def write_plots(results: Results) -> None:
    """Draw what there are results for."""
    if {"fanout", "propagation-100"} <= results.keys():
        _saved("kill-to-last-client", _kill_to_last_client(results))
    if "fanout" in results:
        _saved("fanout", _fanout(results["fanout"]))
        _saved("distribution", _distribution(results["fanout"]))
    if "evaluation" in results:
        _saved("evaluation", _evaluation(results["evaluation"]))


def _kill_to_last_client(results: Results) -> Figure:
    """Push over N, from the request on, beside polling and a read of the store for each request."""
    figure, axes = _axes("Kill requested → in force in the last client", "clients", "ms")
    sizes = results["fanout"]["sizes"]
    push = [(size["streams"], size["servers"]["wigwag"]["fromRequestMs"]["p50"]) for size in sizes]
    axes.plot(*zip(*push, strict=True), marker="o", label="wigwag, pushed")
    runs = [results[name] for name in ("propagation-100", "propagation-1000") if name in results]
    polled = [(run["parameters"]["clients"], run["polling"]["lastMs"]["p50"]) for run in runs]
    axes.plot(*zip(*polled, strict=True), marker="s", label="polling every 5 s")
    read_ms = runs[-1]["reads"]["storeLatencyNs"]["p50"] / 1e6
    label = f"a read of {runs[-1]['store']['kind']} in each request: paid by every request"
    axes.axhline(read_ms, linestyle="--", color="tab:red", label=label)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.legend()
    return figure


def _fanout(result: Any) -> Figure:
    """All servers over N."""
    figure, axes = _axes("Server has the event → last client has it (median)", "open streams", "ms")
    sizes = result["sizes"]
    for name in dict.fromkeys(name for size in sizes for name in size["servers"]):
        points = [
            (size["streams"], size["servers"][name]["fromServerMs"]["p50"]) for size in sizes if name in size["servers"]
        ]
        axes.plot(*zip(*points, strict=True), marker="o", label=name, **_style(name))
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.legend()
    return figure


def _distribution(result: Any) -> Figure:
    """At one N: which share of the clients has the event after how long."""
    size = next((each for each in result["sizes"] if each["streams"] == SHOWN_AT), result["sizes"][-1])
    title = f"Which share of {size['streams']:,} clients has the event"
    figure, axes = _axes(title, "ms after the server has it (median of the events)", "per cent of the clients")
    for name, each in size["servers"].items():
        axes.plot(each["percentMs"], range(101), label=name, **_style(name))
    axes.set_xscale("log")
    axes.legend()
    return figure


def _evaluation(result: Any) -> Figure:
    """Time per decision beside the peers."""
    figure, axes = _axes("One decision, context bound", "", "ns")
    ns = {(f["who"], f["row"]): f["ns"] for f in result["decisions"] if f["kind"] == "bound"}
    names = list(dict.fromkeys(who for who, _ in ns))
    width = 0.8 / len(names)
    for index, name in enumerate(names):
        places = [at + (index - len(names) / 2 + 0.5) * width for at in range(len(ROWS))]
        axes.bar(places, [ns[name, row] for row in ROWS], width, label=name)
    axes.set_xticks(range(len(ROWS)), list(ROWS.values()))
    axes.set_yscale("log")
    figure.legend(loc="outside right upper")
    return figure


def _axes(title: str, across: str, up: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title)
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    axes.grid(visible=True, which="major", alpha=0.4)
    return figure, axes


def _style(name: str) -> dict[str, Any]:
    """Return how a line looks: ours in front, the floors dashed."""
    if name == "wigwag":
        return {"linewidth": 2.5, "zorder": 3, "color": "tab:blue"}
    grey = {"bare C": "black", "raw uvloop": "grey"}.get(name)
    return {} if grey is None else {"linestyle": "--", "color": grey}


def _saved(name: str, figure: Figure) -> None:
    figure.savefig(RESULTS / f"{name}.svg", metadata={"Date": None})
