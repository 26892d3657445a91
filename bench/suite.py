"""What `make bench` runs: the benchmarks that fit into ten minutes, one after the other.

    python -m bench.suite [NAME …]       measure these (what fits), write the results, tables, plots and pages
    python -m bench.suite --show         measure nothing: write tables, plots and pages from the results that are there

Results go to `bench/results/*.json`. What the README and `docs/performance.md` say in figures is written from these
files, so that it cannot be another run's.
"""

import argparse
import subprocess
import sys
import time

from bench.harness import ROOT
from bench.pages import write_pages
from bench.registry import BENCHMARKS, RESULTS, Benchmark, Run
from bench.results_read import results


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(prog="python -m bench.suite", description="All benchmarks of ten minutes.")
    known = [each.name for each in BENCHMARKS if each.runs]
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which: {', '.join(known)} [what fits]")
    parser.add_argument("--show", action="store_true", help="measure nothing; write what the results say")
    given = parser.parse_args()
    if unknown := set(given.names) - set(known):
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    wanted = given.names or [each.name for each in BENCHMARKS if each.runs and not each.on_demand]
    failed = [] if given.show else [each for name in wanted for each in _measured(_named(name))]
    _write()
    if failed:
        sys.exit(f"bench.suite: these failed, and their results are those of before: {', '.join(failed)}")


def _named(name: str) -> Benchmark:
    return next(each for each in BENCHMARKS if each.name == name)


def _measured(benchmark: Benchmark) -> list[str]:
    """Run it; return the names of results that could not be had."""
    return [run.result for run in benchmark.runs if not _ran(benchmark, run)]


def _ran(benchmark: Benchmark, run: Run) -> bool:
    print(f"bench.{benchmark.name} {' '.join(run.options)}", file=sys.stderr)
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", f"bench.{benchmark.name}", *run.options, "--json"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=False,
    )
    print(f"  {time.monotonic() - began:.0f} s", file=sys.stderr)
    if done.returncode == 0:
        RESULTS.mkdir(exist_ok=True)
        run.path.write_bytes(done.stdout)
    return done.returncode == 0


def _write() -> None:
    write_pages(results())
    try:
        from bench.plots import write_plots  # noqa: PLC0415 - matplotlib comes with the dependency group bench
    except ModuleNotFoundError as error:
        sys.exit(f"bench.suite: no plots were drawn, since {error.name} is not installed (dependency group bench)")
    write_plots(results())


if __name__ == "__main__":
    main()
