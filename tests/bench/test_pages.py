"""What the pages say in figures is what the results say; and every benchmark is listed."""

import re
from importlib import import_module
from pathlib import Path

import pytest

from bench.page_figures import FIGURES
from bench.pages import PAGES, PLACE, all_tables, filled
from bench.registry import BENCHMARKS, RESULTS
from bench.results_read import results

BENCH = Path(__file__).resolve().parents[2] / "bench"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_figures_of_a_page_are_those_of_the_results(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert PLACE.search(text)
    assert filled(text, results()) == text, "python -m bench.suite --show writes them"


def test_the_tables_are_those_of_the_results() -> None:
    assert (RESULTS / "tables.md").read_text(encoding="utf-8") == all_tables(results())


def test_every_figure_has_a_place_and_every_place_a_figure() -> None:
    places = [place[2] for page in PAGES for place in PLACE.finditer(page.read_text(encoding="utf-8"))]
    assert sorted(places) == sorted(FIGURES)


def test_every_plot_that_a_page_shows_is_there() -> None:
    shown = {Path(name).name for page in PAGES for name in re.findall(r"!\[[^\]]*\]\(([^)]+\.svg)\)", page.read_text())}
    assert shown == {path.name for path in RESULTS.glob("*.svg")}


def test_every_program_with_options_is_a_benchmark_that_is_listed() -> None:
    programs = {path.stem for path in BENCH.glob("*.py") if "ArgumentParser(" in path.read_text(encoding="utf-8")}
    assert programs - {"suite"} == {each.name for each in BENCHMARKS}
    assert all(callable(import_module(f"bench.{each.name}").main) for each in BENCHMARKS)
