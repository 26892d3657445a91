"""What the pages say in figures. Each is a function of the results, named by its place in a page."""

from collections.abc import Callable, Iterable, Sequence
from textwrap import fill
from typing import Any

from bench.harness import figure
from bench.results_read import Results

FIGURES: dict[str, Callable[[Results], str]] = {}
LINE = 120
PEER_ROWS = {"off": "killed or off", "static": "on for all", "rollout": "10 %", "rule": "one rule", "hard": "hard"}
NAMES = {
    "eppo-server-sdk": "eppo",
    "statsig-python-core": "statsig",
    "launchdarkly-server-sdk": "launchdarkly",
    "UnleashClient": "unleash",
    "openfeature-sdk": "openfeature",
}


def placed(name: str) -> Callable[[Callable[[Results], str]], Callable[[Results], str]]:
    """Have a function write what stands at a place."""

    def place(write: Callable[[Results], str]) -> Callable[[Results], str]:
        FIGURES[name] = write
        return write

    return place


def grid(header: Sequence[str], rows: Iterable[Iterable[Any]]) -> str:
    """Return a table in Markdown."""
    lines = [header, ["---"] * len(header), *([figure(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def at_size(results: Results, streams: int) -> Any:
    """Return what `bench.fanout` found with so many streams."""
    return next(size for size in results["fanout"]["sizes"] if size["streams"] == streams)


@placed("sentence")
def sentence(results: Results) -> str:
    """What the README says."""
    at = at_size(results, 10_000)
    kill_ms = at["servers"]["wigwag"]["fromRequestMs"]["p50"]
    poll_s = results["propagation-1000"]["polling"]["lastMs"]["p50"] / 1000
    kib = results["memory_per_stream"]["servers"]["wigwag"]["perStream"]
    text = (
        f"With 10,000 open streams, the last client has a kill {kill_ms:.0f} ms after it was asked for. The fan-out "
        f"takes {at['ratios']['bare C']['ofMedians']:.2f} times as long as a bare C loop that writes the same bytes "
        f"on the same machine. Polling every 5 s took {poll_s:.1f} s to reach the last of 1,000 clients. "
        f"An idle stream costs the server {kib:.1f} KiB."
    )
    return fill(text, LINE)


@placed("fanout")
def fanout(results: Results) -> str:
    """When the last client has an event that the server has received."""
    sizes, event_bytes = results["fanout"]["sizes"], results["fanout"]["eventBytes"]
    names = list(dict.fromkeys(name for size in sizes for name in size["servers"]))
    rows = [(name, *(_times(size["servers"].get(name), "fromServerMs") for size in sizes)) for name in names]
    asked = ("wigwag, from the request on", *(_times(size["servers"]["wigwag"], "fromRequestMs") for size in sizes))
    header = [f"{event_bytes} bytes: ms, median (p90)", *(f"{size['streams']:,}" for size in sizes)]
    return grid(header, [*rows, asked])


@placed("fanout-ratios")
def fanout_ratios(results: Results) -> str:
    """How wigwag stands to the floors."""
    sizes = results["fanout"]["sizes"]
    rows = [
        (f"wigwag to {name}", most, *(f"{size['ratios'][name]['ofMedians']:.2f}" for size in sizes))
        for name, most in (("bare C", "1.5"), ("raw uvloop", "1.2"))
    ]
    return grid(["ratio of medians", "goal: at most", *(f"{size['streams']:,}" for size in sizes)], rows)


@placed("fanout-cpu")
def fanout_cpu(results: Results) -> str:
    """Where the time of a fan-out goes."""
    servers = at_size(results, 10_000)["servers"]
    rows = [(name, f"{each['ownCpuMs']:.0f}", f"{each['kernelCpuMs']:.0f}") for name, each in servers.items()]
    return grid(["processor time of a server for one event to 10,000, ms", "its own", "the kernel's"], rows)


@placed("tried")
def tried(results: Results) -> str:
    """What other ways of writing bring."""
    size = results["fanout-tried"]["sizes"][0]
    floor = size["servers"]["raw uvloop"]["fromServerMs"]["p50"]
    rows = [
        (name, _times(each, "fromServerMs"), f"{each['fromServerMs']['p50'] / floor:.2f}")
        for name, each in size["servers"].items()
    ]
    return grid([f"to {size['streams']:,} streams", "ms, median (p90)", "to raw uvloop"], rows)


@placed("before")
def before(results: Results) -> str:
    """What there was before it was made faster."""
    then, memory = results["before-fanout"], results["before-memory"]
    rows = [
        (
            f"event received → last of {size['streams']:,}, to raw uvloop",
            f"{size['ratios']['raw uvloop']['ofMedians']:.2f}",
            f"{at_size(results, size['streams'])['ratios']['raw uvloop']['ofMedians']:.2f}",
        )
        for size in then["sizes"]
    ]
    kib = [each["servers"]["wigwag"]["perStream"] for each in (memory, results["memory_per_stream"])]
    return grid(["", "before", "now"], [*rows, ("KiB an idle stream", *(f"{each:.2f}" for each in kib))])


@placed("steps")
def steps(results: Results) -> str:
    """How long a fan-out keeps others waiting."""
    sizes = results["fanout"]["sizes"]
    rows = [
        (what, *(_times(size["longestStep"], name) for size in sizes))
        for what, name in (("by the clock", "longestMs"), ("of processor time", "longestCpuMs"))
    ]
    return grid(["longest step, ms, median (p90)", *(f"{size['streams']:,}" for size in sizes)], rows)


@placed("memory")
def memory(results: Results) -> str:
    """What an idle stream costs."""
    found = results["memory_per_stream"]
    rows = [(name, f"{each['perStream']:.2f}") for name, each in found["servers"].items()]
    return grid(["server", f"KiB a stream, at {found['parameters']['streams']:,}"], rows)


@placed("growth")
def growth(results: Results) -> str:
    """Whether memory grows."""
    found = results["memory_per_stream"]
    mib = {name: kib / 1024 for name, kib in found["growth"].items()}
    return (
        f"{found['parameters']['streams']:,} streams and {found['parameters']['changes']:,} changes: "
        f"{mib['before']:.1f} MiB before, {mib['half']:.1f} MiB half-way, {mib['after']:.1f} MiB after."
    )


@placed("idle")
def idle(results: Results) -> str:
    """What heartbeats cost."""
    found = results["idle"]
    rows = [
        (name, *(f"{each[key]:.1%}" for key in ("share", "least", "most"))) for name, each in found["servers"].items()
    ]
    return grid([f"share of one core, {found['parameters']['streams']:,} streams", "mean", "least", "most"], rows)


@placed("storm")
def storm(results: Results) -> str:
    """What a storm of reconnects costs."""
    found = results["reconnect_storm"]
    rows = [
        (
            name,
            *(found[name][key]["p50"] for key in ("medianMs", "lastMs", "cpuS")),
            int(found[name]["encoded"]["max"]),
        )
        for name in ("resumed", "anew")
    ]
    header = [f"{found['parameters']['streams']:,} clients at once", "median client, ms", "last client, ms"]
    return grid([*header, "CPU s of the server", "snapshots encoded"], rows)


@placed("client-patch")
def client_patch(results: Results) -> str:
    """What a patch costs a client."""
    found = results["client_patch"]
    rows = [(name, each["p50"], found["beyondBareUs"].get(name)) for name, each in found["takers"].items()]
    return grid(["µs, median", "from the socket until in force", "beyond the bare protocol"], rows)


@placed("decision-goals")
def decision_goals(results: Results) -> str:
    """What a decision costs beside what Python itself costs."""
    goals = [goal for goal in results["evaluation"]["goals"] if "peer" not in goal["goal"]]
    rows = [(goal["goal"], f"{goal['is']:.2f}", goal["atMost"]) for goal in goals]
    return grid(["goal", "is", "at most"], rows)


@placed("decision-peers")
def decision_peers(results: Results) -> str:
    """How much longer other SDKs take."""
    ns = _decisions(results)
    peers = list(dict.fromkeys(who for who, row, _ in ns if row and who != "wigwag"))
    tables = []
    for kind in ("bound", "fresh"):
        rows = [
            (NAMES.get(peer, peer), *(f"{ns[peer, row, kind] / ns['wigwag', row, kind]:.1f}" for row in PEER_ROWS))
            for peer in peers
        ]
        tables.append(grid([f"SDK, {kind}", *PEER_ROWS.values()], rows))
    return "\n\n".join(tables)


@placed("decision-stores")
def decision_stores(results: Results) -> str:
    """What a store costs that is asked each time."""
    static = _decisions(results)["wigwag", "static", "bound"]
    stores = results["evaluation"]["stores"].items()
    rows = [(name, f"{ns / static:.0f}" if ns else None) for name, ns in stores]
    return grid(["asked each time", "in decisions on a flag that is on for everyone, bound"], rows)


@placed("snapshots")
def snapshots(results: Results) -> str:
    """What whole snapshots cost, and one change."""
    small, large = results["evaluation"]["snapshots"]
    keys = {"time to load": "loadMs", "memory": "kib", "time for one change": "patchUs"}
    rows = [(what, f"{large[key] / small[key]:.1f}") for what, key in keys.items()]
    return grid(["", f"{large['flags']:,} flags, in times of {small['flags']:,}"], rows)


@placed("install")
def install(results: Results) -> str:
    """What is installed, and what an import costs."""
    rows = [
        (
            f"`{name}`",
            len(each["packages"]),
            f"{each['mib']:.1f}",
            *(f"{each['imports'][what]['p50']:.0f}" for what in ("wigwag", "aiohttp")),
        )
        for name, each in results["install"]["installs"].items()
    ]
    return grid(["installed", "packages", "MiB", "`import wigwag`, ms", "`import aiohttp` alone, ms"], rows)


@placed("client-packages")
def client_packages(results: Results) -> str:
    """All that a client brings along."""
    packages = results["install"]["installs"]["wigwag"]["packages"]
    return fill(f"For an app these are {', '.join(sorted(packages, key=str.lower))}.", LINE)


@placed("first-minutes")
def first_minutes(results: Results) -> str:
    """How long it took, and what was typed and printed."""
    found = results["first_minutes"]
    times = ", ".join(f"{name} {took:.1f} s" for name, took in found["steps"].items())
    total = sum(found["steps"].values())
    said = fill(f"It took {total:.0f} s in all, without the typing: {times}.", LINE)
    return f"{said}\n\n```text\n{found['transcript'].rstrip()}\n```"


def _decisions(results: Results) -> dict[tuple[str, str, str], float]:
    return {(f["who"], f["row"], f["kind"]): f["ns"] for f in results["evaluation"]["decisions"]}


def _times(measured: Any, name: str) -> str | None:
    return None if measured is None else f"{measured[name]['p50']:.3g} ({measured[name]['p90']:.3g})"
