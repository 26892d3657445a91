"""Figures in the README and in pages of `docs`, and all tables, in `tables.md`.

They are written from the results. A page has places for them: what stands between `<!-- figures: NAME -->` and
`<!-- end of figures -->`.
"""

import re
from collections.abc import Callable
from typing import Any

from rich.table import Table

import bench.capacity_figures  # noqa: F401 - puts its figures in their places
from bench.harness import ROOT
from bench.page_figures import FIGURES, grid
from bench.registry import BENCHMARKS, RESULTS
from bench.results_read import Results

PAGES = (ROOT / "README.md", *(ROOT / "docs" / f"{name}.md" for name in ("performance", "quickstart", "capacity")))
PLACE = re.compile(r"(<!-- figures: ([\w-]+) -->\n)(.*?)(<!-- end of figures -->)", re.DOTALL)


def filled(text: str, results: Results, figures: dict[str, Callable[[Results], str]] = FIGURES) -> str:
    """Return a page with what the results say in its places."""
    return PLACE.sub(lambda place: f"{place[1]}{figures[place[2]](results)}\n{place[4]}", text)


def write_pages(results: Results) -> None:
    """Fill the pages, and write all tables."""
    for page in PAGES:
        page.write_text(filled(page.read_text(encoding="utf-8"), results), encoding="utf-8")
    (RESULTS / "tables.md").write_text(all_tables(results), encoding="utf-8")


def all_tables(results: Results) -> str:
    """Return every table of every result."""
    parts = [
        "# Tables",
        "From the results beside this file; `make bench` writes both. Figures of different runs do not compare.",
    ]
    for benchmark in BENCHMARKS:
        for run in benchmark.runs:
            if (result := results.get(run.result)) is not None:
                parts += [f"## {run.result}", about(result)]
                parts += [markdown(table) for table in benchmark.tables(result)]
    return "\n\n".join(parts) + "\n"


def about(result: Any) -> str:
    """Return a line that says what was measured, and on what."""
    machine, versions = result["machine"], result["versions"]
    installed = ", ".join(f"{name} {version}" for name, version in versions.items())
    return (
        f"Commit {result['commit']}, {result['at']}; {machine['cpu']} with {machine['cores']} cores, "
        f"{machine['system']}, {machine['python']}, load {machine['load1m']}; {installed}."
    )


def markdown(table: Table) -> str:
    """Return a table in Markdown, under its title."""
    header = [str(column.header) for column in table.columns]
    rows = zip(*(column.cells for column in table.columns), strict=True)
    caption = f"\n\n{table.caption}" if table.caption else ""
    return f"**{table.title}**\n\n{grid(header, rows)}{caption}"
