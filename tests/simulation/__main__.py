"""Run many seeds, or look closely at one.

python -m tests.simulation --seeds 10000 --from 5000
python -m tests.simulation --seed 4711 --trace
"""

import argparse
import dataclasses
import sys
import time

from tests.simulation.planted import PLANTED
from tests.simulation.simulation import simulate
from tests.simulation.world import Parts


def main() -> int:
    """Return 1 when a seed has shown a violation."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=1000, help="how many seeds to run")
    parser.add_argument("--from", type=int, default=0, dest="first", help="the first of them")
    parser.add_argument("--seed", type=int, help="run this one alone")
    parser.add_argument("--trace", action="store_true", help="with --seed: print everything that happens")
    parser.add_argument("--planted", choices=sorted(PLANTED), help="with this bug planted")
    parser.add_argument("--all", action="store_true", help="go on after a violation")
    parser.add_argument("--faults", help="only these, by the names of the methods of `Faults`, with commas between")
    options = parser.parse_args()
    parts = PLANTED[options.planted] if options.planted else Parts()
    if options.faults:
        parts = dataclasses.replace(parts, weather=tuple(options.faults.split(",")))
    if options.seed is not None:
        return _look_at(options.seed, parts, trace=options.trace)
    return _run(options.first, options.seeds, parts, options=options)


def _look_at(seed: int, parts: Parts, *, trace: bool) -> int:
    report = simulate(seed, parts, tracing=trace)
    for line in report.trace:
        print(line)
    print(
        f"seed {seed}: {report.violation or 'all is well'} "
        f"({report.steps} steps, {report.virtual_s:.1f} virtual s, {report.acknowledged} acknowledged)"
    )
    return report.violation is not None


def _run(first: int, seeds: int, parts: Parts, *, options: argparse.Namespace) -> int:
    began = told = time.monotonic()
    virtual_s, acknowledged, lost, failed = 0.0, 0, 0, 0
    for number, seed in enumerate(range(first, first + seeds), 1):
        report = simulate(seed, parts)
        virtual_s += report.virtual_s
        acknowledged += report.acknowledged
        lost += report.lost
        if report.violation is not None:
            failed += 1
            again = f"python -m tests.simulation --seed {seed} --trace" + "".join(
                f" --{name} {value}" for name in ("planted", "faults") if (value := getattr(options, name)) is not None
            )
            print(f"seed {seed}: {report.violation}\n  again: {again}", flush=True)
            if not options.all:
                return 1
        now = time.monotonic()
        if now - told > 5 or number == seeds:
            told = now
            print(
                f"{number} of {seeds} seeds, {number / (now - began):.0f} a second: {virtual_s / 3600:.1f} virtual "
                f"hours, {acknowledged} changes acknowledged, {lost} lost with every copy that could be reached, "
                f"{failed} seeds failed",
                flush=True,
            )
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
