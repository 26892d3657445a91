"""What the benchmarks share: facts about the machine, medians and percentiles, tables, and `--json`.

A benchmark builds a result of plain JSON with `report(...)`, and gives it to `show(...)`: with `--json` that prints
the JSON alone to stdout, else the tables. Figures from different runs compare only as ratios within one run: every
benchmark measures its own baseline next to what it measures.
"""

import json
import math
import os
import platform
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parent.parent


def machine_facts() -> dict[str, Any]:
    """Return what a reader needs to judge the figures: processor, cores, memory, system, Python, load."""
    return {
        "cpu": _field("/proc/cpuinfo", "model name") or platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "memoryGib": _memory_gib(),
        "system": platform.platform(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "load1m": round(os.getloadavg()[0], 2),
    }


def commit() -> str:
    """Return the commit that was measured, with `+` where files differ from it; `unknown` outside a repository."""
    try:
        head = _git("rev-parse", "--short=12", "HEAD")
        return head + ("+" if _git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def versions(*distributions: str) -> dict[str, str]:
    """Return the installed versions of these distributions; those that are not installed are left out."""
    found = {}
    for name in distributions:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def report(name: str, *, packages: Iterable[str] = (), **parts: Any) -> dict[str, Any]:
    """Return a result: what was measured (`parts`), on what, when, and of which commit."""
    return {
        "bench": name,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "machine": machine_facts(),
        "versions": versions(*packages),
        **parts,
    }


def summary(samples: Sequence[float]) -> dict[str, float]:
    """Return count, min, median, p90, p99, max and mean, in the unit of the samples. Raises ValueError for none."""
    if not samples:
        raise ValueError("there are no samples to sum up")
    ordered = sorted(samples)
    return {
        "count": len(ordered),
        "min": ordered[0],
        "p50": percentile(ordered, 50),
        "p90": percentile(ordered, 90),
        "p99": percentile(ordered, 99),
        "max": ordered[-1],
        "mean": math.fsum(ordered) / len(ordered),
    }


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Return the nearest-rank percentile of sorted samples: always a value that was measured."""
    rank = math.ceil(percent / 100 * len(ordered))
    return ordered[max(rank, 1) - 1]


def show(result: Mapping[str, Any], *, as_json: bool, tables: Iterable[Table]) -> None:
    """Print the result: the JSON alone, or the tables under a line that says what was measured and on what."""
    if as_json:
        json.dump(result, sys.stdout, indent=2)
        sys.stdout.write("\n")
        return
    console = _console()
    machine = result["machine"]
    console.print(
        f"[bold]{result['bench']}[/bold] · {result['commit']} · {result['at']} · {machine['python']} · "
        f"{machine['cpu']} × {machine['cores']} · load {machine['load1m']}"
    )
    for table in tables:
        console.print(table)


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], *, caption: str | None = None) -> Table:
    """Return a table whose first column is text and whose others are figures."""
    made = Table(title=title, caption=caption, title_justify="left", caption_justify="left")
    for index, column in enumerate(columns):
        made.add_column(column, justify="left" if index == 0 else "right", no_wrap=index == 0)
    for row in rows:
        made.add_row(*(figure(cell) for cell in row))
    return made


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print one table."""
    _console().print(table(title, columns, rows))


def figure(cell: Any) -> str:
    """Return a cell as text: three significant digits for small numbers, thousands separated for large ones."""
    if cell is None:
        return "–"
    if isinstance(cell, float):
        return f"{cell:,.0f}" if abs(cell) >= 100 else f"{cell:.3g}"
    return f"{cell:,}" if isinstance(cell, int) and not isinstance(cell, bool) else str(cell)


def pin_to_one_core() -> int | None:
    """Keep this process on the last core that it may use. Returns which; None where the system cannot."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    core = max(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {core})
    return core


def _console() -> Console:
    # A pipe or a file has no width of its own; 80 columns would cut the tables.
    return Console() if sys.stdout.isatty() else Console(width=160)


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()


def _field(path: str, name: str) -> str:
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")


def _memory_gib() -> float | None:
    total = _field("/proc/meminfo", "MemTotal").split()
    return round(int(total[0]) / 1024**2, 1) if total else None
