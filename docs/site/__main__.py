"""Builds the documentation site into build/site: `make docs`, or `python -m docs.site`.

The pages are those of docs/, the README and the changelog as they stand in the repository, and some that are generated.
They are put together in build/site-source, from which zensical makes the site. It asks nobody on the way: no fonts,
scripts or pictures are fetched, neither now nor by readers.
"""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

from docs.site import commands, python_api, settings_types
from docs.site.config import config
from docs.site.markdown import for_the_site, page_of, title_of
from docs.site.nav import sections

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "build" / "site-source"
SITE = ROOT / "build" / "site"
FILES = ("README.md", "CHANGELOG.md", "proto/vectors/README.md", "docs/*.md")
PICTURES = ("docs/images/*", "bench/results/*.svg")
GENERATED = {
    "reference/python.md": python_api.page,
    "reference/settings.md": settings_types.page,
    "reference/cli.md": commands.page,
}


def put_together(source: Path) -> None:
    """Write all pages and pictures, and what tells zensical about them, into a folder."""
    shutil.rmtree(source, ignore_errors=True)
    pages = source / "pages"
    texts = {
        path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
        for pattern in FILES
        for path in sorted(ROOT.glob(pattern))
    }
    titles = {str(page_of(place)): title_of(text) for place, text in texts.items()}
    for place, text in texts.items():
        _write(pages / str(page_of(place)), for_the_site(text, place, titles))
    for name, made in GENERATED.items():
        _write(pages / name, made())
    for pattern in PICTURES:
        for path in ROOT.glob(pattern):
            (pages / "images").mkdir(exist_ok=True)
            shutil.copyfile(path, pages / "images" / path.name)
    there = {path.relative_to(pages).with_suffix("").as_posix() for path in pages.rglob("*.md")}
    _write(
        source / "zensical.toml", config(sections(there), paths=[ROOT / each for each in ("client", "proto", "server")])
    )


def build(source: Path, site: Path) -> int:
    """Make the site; returns the exit code of zensical, which takes a warning for an error."""
    shutil.rmtree(site, ignore_errors=True)
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean", "--config-file", "zensical.toml"]
    done = subprocess.run(command, cwd=source, check=False)  # noqa: S603 - our own words
    if done.returncode == 0:
        shutil.copytree(source / "site", site)
    return done.returncode


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def main() -> int:
    """Put the pages together, and build the site of them."""
    parser = argparse.ArgumentParser(prog="python -m docs.site", description="Build the documentation site.")
    parser.add_argument("--into", type=Path, default=SITE, help="where to (default: build/site)")
    arguments = parser.parse_args()
    put_together(SOURCE)
    return build(SOURCE, arguments.into)


if __name__ == "__main__":
    sys.exit(main())
