"""The inputs that are kept: one file for each target, one input a line, in base64."""

from base64 import b64decode, b64encode
from collections.abc import Iterable
from pathlib import Path

FOLDER = Path(__file__).parent / "corpus"
# What is kept is run by every `make test`.
MOST = 400
LARGEST = 4096


def kept(target: str) -> list[bytes]:
    """Return the inputs of a target."""
    return [b64decode(line) for line in (FOLDER / f"{target}.txt").read_text(encoding="ascii").split()]


def keep(target: str, inputs: Iterable[bytes]) -> None:
    """Keep these inputs in place of those that there are: the shortest, without those that are long."""
    found = sorted({each for each in inputs if len(each) <= LARGEST}, key=lambda each: (len(each), each))
    lines = [b64encode(each).decode() for each in found if each][:MOST]
    (FOLDER / f"{target}.txt").write_text("\n".join(lines) + "\n", encoding="ascii")
