"""The wheel of this checkout, and virtual environments into which it is installed as somebody would who has nothing."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from bench.harness import ROOT
from bench.propagation_load import BenchFailed

# What a new environment brings along, and what therefore is not counted.
BEFORE = frozenset({"pip", "setuptools", "wheel"})


@dataclass(frozen=True, slots=True)
class Fresh:
    """A virtual environment."""

    folder: Path

    @property
    def bin(self) -> Path:
        """Where its commands are."""
        return self.folder / "bin"

    def pip(self, *words: str) -> str:
        """Run pip and return what it prints. Raises BenchFailed."""
        return output(self.bin / "python", "-m", "pip", "--disable-pip-version-check", *words)

    def packages(self) -> dict[str, str]:
        """Return what is installed, with the versions."""
        found = json.loads(self.pip("list", "--format", "json"))
        return {each["name"]: each["version"] for each in found if each["name"].lower() not in BEFORE}

    def size_mib(self) -> float:
        """Return the size of all installed files, what came with the environment left out, and compiled files, too."""
        (packages,) = self.folder.glob("lib/python*/site-packages")
        files = (path for path in packages.rglob("*") if path.is_file() and path.suffix != ".pyc")
        names = ((path, path.relative_to(packages).parts[0].partition("-")[0]) for path in files)
        return sum(path.stat().st_size for path, name in names if name not in BEFORE) / 1024**2


def build_wheel(folder: Path) -> Path:
    """Build the wheel of this checkout. Raises BenchFailed."""
    output(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ROOT)
    (wheel,) = folder.glob("wigwag-*.whl")
    return wheel


def make_fresh(folder: Path) -> Fresh:
    """Make an empty virtual environment. Raises BenchFailed."""
    output(sys.executable, "-m", "venv", folder)
    return Fresh(folder)


def output(*words: str | Path, timeout_s: float = 300.0) -> str:
    """Run a program to its end and return what it prints. Raises BenchFailed."""
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=timeout_s, check=False)
    except subprocess.TimeoutExpired as late:
        raise BenchFailed(f"{' '.join(map(str, words))} took more than {timeout_s:.0f} s") from late
    if done.returncode != 0:
        raise BenchFailed(f"{' '.join(map(str, words))} ended with {done.returncode}:\n{done.stderr}")
    return done.stdout
