"""`python -m tests.fuzz [TARGET …] --minutes 10`: fuzz by coverage, and keep what reached something new.

Each target runs in a process of its own, which ends at the first defect and leaves the input that shows it in
`crash-*`. Needs atheris, which is there for Linux alone.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from hashlib import sha1
from pathlib import Path

from tests.fuzz.corpus import keep, kept
from tests.fuzz.words import WORDS

NAMES = ("stream", "model", "snapshot-file", "ofrep", "admin")
LONGEST_INPUT = 4096


def main() -> int:
    """Run them all at once; say which have found something."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", default=NAMES, metavar="TARGET", help=", ".join(NAMES))
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--keep", action="store_true", help="add what reached something new to tests/fuzz/corpus")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "words").write_text("".join(f'"{_escaped(word)}"\n' for word in WORDS), encoding="utf-8")
        running = {target: _start(target, folder, asked.minutes) for target in asked.targets}
        failed = [target for target, process in running.items() if process.wait() != 0]
        if asked.keep:
            for target in asked.targets:
                keep(target, _smallest(target, folder))
    if failed:
        sys.stderr.write(f"defects found in: {', '.join(failed)}\n")
    return 1 if failed else 0


def _start(target: str, folder: Path, minutes: float) -> "subprocess.Popen[bytes]":
    inputs = folder / target
    inputs.mkdir()
    for each in kept(target):
        (inputs / sha1(each).hexdigest()).write_bytes(each)
    return _run(target, folder, inputs, f"-max_total_time={round(minutes * 60)}", f"-dict={folder / 'words'}")


def _smallest(target: str, folder: Path) -> list[bytes]:
    """Return the fewest inputs that reach all that was reached."""
    smallest = folder / f"{target}-smallest"
    smallest.mkdir()
    _run(target, folder, smallest, str(folder / target), "-merge=1").wait()
    return [path.read_bytes() for path in smallest.iterdir()]


def _run(target: str, folder: Path, *words: str | Path) -> "subprocess.Popen[bytes]":
    # libFuzzer starts itself anew to merge, by the name under which it was started.
    start = folder / f"fuzz-{target}"
    start.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m tests.fuzz.run {target} "$0" "$@"\n', encoding="utf-8")
    start.chmod(0o700)
    options = (f"-max_len={LONGEST_INPUT}", "-print_final_stats=1")
    command = [str(start), *map(str, words), *options]
    return subprocess.Popen(command, env={**os.environ, "TMPDIR": str(folder)})


def _escaped(word: str) -> str:
    return word.replace("\\", "\\\\").replace('"', '\\"')


if __name__ == "__main__":
    sys.exit(main())
