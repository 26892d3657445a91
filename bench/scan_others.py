"""`wigwag scan` over projects by others, beside a search for the text: `python -m bench.scan_others`.

Their source distributions are downloaded into a temporary folder by pip, are read and not run, and go with it. What the
text search has and the scan has not is printed, for somebody to judge; so are uses drawn at random, with their lines.
"""

import random
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from wigwag.scan.project import scan
from wigwag.scan.reference import Reference

SHOWN = 25


@dataclass(frozen=True, slots=True)
class Project:
    """A release, and the functions of it that take the key of a flag."""

    name: str
    version: str
    calls: tuple[str, ...]


PROJECTS = (
    Project("apache-superset", "6.1.0", ("is_feature_enabled",)),
    Project("label-studio", "1.23.2", ("flag_set",)),
    Project("ora2", "7.1.1", ("is_feature_enabled",)),
    Project("edx-enterprise", "8.18.0", ("switch_is_active", "flag_is_active", "sample_is_active")),
)


def main() -> None:
    """Scan each, and print what was found."""
    for project in PROJECTS:
        with tempfile.TemporaryDirectory() as folder:
            _report(project, _unpacked(project, Path(folder)))


def _unpacked(project: Project, folder: Path) -> Path:
    """Download a release; return where its Python files are."""
    pip = shutil.which("pip") or sys.exit("pip is needed to download the projects")
    words = ["download", "--quiet", "--no-deps", "--no-binary", ":all:", "--dest", str(folder)]
    subprocess.run([pip, *words, f"{project.name}=={project.version}"], check=True)
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        members = [each for each in tar.getmembers() if each.name.endswith(".py")]
        tar.extractall(folder / "source", members, filter="data")
    return folder / "source"


def _report(project: Project, source: Path) -> None:
    files = list(source.rglob("*.py"))
    lines = {path: path.read_text(encoding="utf-8", errors="replace").splitlines() for path in files}
    found = scan([source], own=set(project.calls))
    bare = scan([source])
    keys = {each.flag for each in found.references if each.flag is not None}
    dynamic = sum(each.flag is None for each in found.references)
    total = sum(map(len, lines.values()))
    print(
        f"{project.name} {project.version}: {len(files)} files, {total} lines; --call {' --call '.join(project.calls)}"
    )
    print(f"  {len(found.references)} uses of {len(keys)} flags, {dynamic} dynamic; untold {len(bare.references)}")
    places = {(Path(each.file).resolve(), each.line) for each in found.references}
    text = re.compile(rf"\b({'|'.join(project.calls)})\(")
    for path in files:
        for number, line in enumerate(lines[path], start=1):
            if text.search(line) and (path.resolve(), number) not in places:
                print(f"  only in the text: {path.relative_to(source)}:{number}: {line.strip()[:80]}")
    for each in random.Random(11).sample(found.references, min(SHOWN, len(found.references))):
        print(f"  {each.flag or 'dynamic'} in {each.function or 'the module'}: {_lines(each, lines)}")


def _lines(each: Reference, lines: dict[Path, list[str]]) -> str:
    there = next(found for path, found in lines.items() if path.resolve() == Path(each.file).resolve())
    return " ".join(line.strip() for line in there[each.line - 1 : each.line + 2])[:100]


if __name__ == "__main__":
    main()
