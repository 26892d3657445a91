"""Takes the pictures of the web pages: `make pictures`, or `python -m docs.pictures`.

It runs a real server on a temporary file, tells it what happened in a shop, and takes every page in light and dark, on
a desk and on a phone, into build/pictures. Those that a page of the documentation shows go to docs/images as well.
"""

import argparse
import asyncio
from pathlib import Path

from docs.pictures.stand_in import Clock, Names

ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    """Take them."""
    parser = argparse.ArgumentParser(prog="python -m docs.pictures", description=__doc__)
    parser.add_argument("only", nargs="*", help="names of pages, such as flags or overview; all without")
    parser.add_argument("--whole", action="store_true", help="pages down to their end, and none into docs/images")
    asked = parser.parse_args()
    clock, names = Clock(), Names()
    clock.install()
    names.install()
    from docs.pictures.shots import take  # noqa: PLC0415 - wigwag asks for its clock when it is imported

    asyncio.run(take(ROOT, clock, names, set(asked.only), whole=asked.whole))


if __name__ == "__main__":
    main()
