"""What an installation brings along, and what an import costs.

    python -m bench.install [--json] [--imports 15]

The wheel of this checkout is installed into a fresh virtual environment, once for an app (`wigwag`) and once for a
server (`wigwag[server]`): how many packages that are with all they need, how large, and how long `import wigwag` takes
in a new process, with everything in the system's cache, beside the `import aiohttp` that is most of it. It needs a
package index.
"""

import argparse
import time
from pathlib import Path
from typing import Any

from bench.fresh import Fresh, build_wheel, make_fresh, output
from bench.harness import report, show, summary, table
from bench.options import positive
from bench.session import Advance, run

INSTALLS = {"wigwag": "", "wigwag[server]": "[server]"}
IMPORTS = ("wigwag", "aiohttp")


async def measure(imports: int, folder: Path, advance: Advance) -> dict[str, Any]:
    """Install both, and import. Raises BenchFailed."""
    wheel = build_wheel(folder)
    installs = {}
    for index, (name, extra) in enumerate(INSTALLS.items()):
        advance("installs", index, len(INSTALLS))
        fresh = make_fresh(folder / f"environment-{index}")
        began = time.monotonic()
        fresh.pip("install", "--quiet", f"{wheel}{extra}")
        installs[name] = {
            "tookS": time.monotonic() - began,
            "packages": fresh.packages(),
            "mib": fresh.size_mib(),
            "imports": _imports(fresh, imports),
        }
    advance("installs", len(INSTALLS), len(INSTALLS))
    return report("install", parameters={"imports": imports}, wheelKib=wheel.stat().st_size / 1024, installs=installs)


def _imports(fresh: Fresh, times: int) -> dict[str, dict[str, float]]:
    """Return how long each import took in new processes, in turns; the first ones, which compile, are left out."""
    took: dict[str, list[float]] = {each: [] for each in IMPORTS}
    for _ in range(times + 1):
        for each in IMPORTS:
            code = f"import time; began = time.perf_counter(); import {each}; print(time.perf_counter() - began)"
            took[each].append(float(output(fresh.bin / "python", "-c", code)) * 1000)
    return {each: summary(samples[1:]) for each, samples in took.items()}


def tables(result: Any) -> list[Any]:
    """Return the result as tables."""
    rows = [
        (
            name,
            len(each["packages"]),
            f"{each['mib']:.1f}",
            f"{each['tookS']:.1f}",
            *(each["imports"][what]["p50"] for what in IMPORTS),
        )
        for name, each in result["installs"].items()
    ]
    header = ("", "packages", "MiB", "s to install", *(f"import {what}, ms" for what in IMPORTS))
    names = [(name, " ".join(sorted(each["packages"]))) for name, each in result["installs"].items()]
    return [table("Installed from the wheel", header, rows), table("Packages", ("", "with all they need"), names)]


def main() -> None:
    """Measure and show."""
    parser = argparse.ArgumentParser(prog="python -m bench.install", description="What an installation brings along.")
    parser.add_argument("--imports", type=positive, default=15, help="how often each is imported [%(default)s]")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    given = parser.parse_args()
    result = run("bench.install", lambda folder, advance: measure(given.imports, folder, advance))
    show(result, as_json=given.json, tables=[] if given.json else tables(result))


if __name__ == "__main__":
    main()
