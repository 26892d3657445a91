"""`python -m bench`: which benchmarks there are."""

from bench.harness import print_table
from bench.registry import BENCHMARKS


def main() -> None:
    """List them."""
    rows = [
        (f"python -m bench.{each.name}", each.what, "yes" if each.runs and not each.on_demand else "no")
        for each in BENCHMARKS
    ]
    print_table("Each takes --json, and --help tells the rest", ("", "what it measures", "in make bench"), rows)


if __name__ == "__main__":
    main()
