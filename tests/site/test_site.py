"""The documentation site: what is put together for it, and the site itself."""

import re
import subprocess
import sys
from dataclasses import fields, is_dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
import typer

import wigwag
import wigwag.integrations
import wigwag.settings
import wigwag_server.settings
from docs.site.__main__ import ROOT, build, put_together
from docs.site.markdown import for_the_site
from docs.site.nav import SECTIONS, sections
from wigwag.cli.app import app as wigwag_command
from wigwag_server.__main__ import app as server_command

LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
ANCHOR = re.compile(r"\{ #([\w-]+) \}$", re.MULTILINE)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the site is made of."""
    folder = tmp_path_factory.mktemp("site") / "source"
    put_together(folder)
    return folder


def prose(page: Path) -> str:
    return re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def test_every_link_of_a_page_leads_to_a_page_or_into_the_repository(source: Path) -> None:
    pages = source / "pages"
    for page in pages.rglob("*.md"):
        for link in LINK.findall(prose(page)):
            if (inside := re.match(r"https://github\.com/wigwag/wigwag/blob/main/([^#]*)", link)) is not None:
                assert (ROOT / inside[1]).exists(), f"{page.name} links to {link}"
            elif not link.startswith(("http://", "https://")):
                path, _, anchor = link.partition("#")
                target = (page.parent / path).resolve() if path else page
                assert target.is_relative_to(pages), f"{page.name} links to {link}"
                assert target.exists(), f"{page.name} links to {link}"
                assert not anchor or anchor in ANCHOR.findall(prose(target)), f"{page.name} links to {link}"


def test_links_and_headings_are_changed_and_blocks_are_not() -> None:
    text = (
        "# Title\n\n<!-- figures: x -->\n[docs/a.md](docs/a.md#b), [it](docs/a.md), [code](proto/x.py)\n\n"
        "![p](docs/images/p.png)\n\n```sh\n# [no](docs/a.md)\n```\n\n## GET /admin/{name}\n"
    )
    assert for_the_site(text, "README.md", {"a.md": "Page A"}) == (
        "# Title { #title }\n\n[Page A](a.md#b), [it](a.md), "
        "[code](https://github.com/wigwag/wigwag/blob/main/proto/x.py)\n\n"
        "![p](images/p.png)\n\n```sh\n# [no](docs/a.md)\n```\n\n## GET /admin/{name} { #get-adminname }\n"
    )


def test_the_order_leaves_out_what_is_not_there_and_keeps_what_it_does_not_know() -> None:
    assert sections({"index", "runbook", "novelty"}) == [
        ("Start", ("index",)),
        ("Operations", ("runbook",)),
        ("More", ("novelty",)),
    ]
    named = [page for _, group in SECTIONS for page in group]
    assert len(named) == len(set(named))


def commands_of(command: Any, name: str) -> dict[str, Any]:
    """Return a command and all below it, by what is typed for them."""
    found = {name: command}
    for own, each in getattr(command, "commands", {}).items():
        found |= commands_of(each, f"{name} {own}")
    return found


def test_the_reference_of_the_commands_has_every_command_with_every_option(source: Path) -> None:
    page = (source / "pages/reference/cli.md").read_text(encoding="utf-8")
    parts = {part.partition("\n")[0]: part for part in re.split(r"^##+ ", page, flags=re.MULTILINE)[1:]}
    both = commands_of(typer.main.get_command(server_command), "wigwag-server")
    both |= commands_of(typer.main.get_command(wigwag_command), "wigwag")
    assert parts.keys() == both.keys()
    for name, command in both.items():
        for each in command.params:
            option = each.opts[0] if each.param_type_name == "option" else str(each.metavar)
            assert each.hidden != (option in parts[name]), f"{name} {option}"


def test_the_reference_of_the_settings_has_every_type_with_every_field(source: Path) -> None:
    page = (source / "pages/reference/settings.md").read_text(encoding="utf-8")
    for module in (wigwag.settings, wigwag_server.settings):
        kinds = [kind for kind in vars(module).values() if isinstance(kind, type) and is_dataclass(kind)]
        assert kinds
        for kind in kinds:
            _, found, rest = page.partition(f"### {kind.__module__}.{kind.__name__}\n")
            assert found, kind
            rows = re.findall(r"^\| `(\w+)` \|", rest.partition("\n## ")[0].partition("\n### ")[0], re.MULTILINE)
            assert rows == [each.name for each in fields(kind)]


def test_the_python_reference_has_all_that_programs_import(source: Path) -> None:
    page = (source / "pages/reference/python.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^::: (\S+)$", page, re.MULTILINE))
    assert {f"wigwag.{name}" for name in wigwag.__all__} <= named
    folder = Path(str(wigwag.integrations.__file__)).parent
    public = {f"wigwag.integrations.{path.stem}" for path in folder.glob("*.py") if "__all__" in path.read_text()}
    assert public <= named


class Links(HTMLParser):
    """What a page of the site loads and links to, and the anchors in it."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what a tag refers to."""
        given = dict(attrs)
        self.anchors |= {name for name in (given.get("id"), given.get("name") if tag == "a" else None) if name}
        if tag == "a" and given.get("href"):
            self.links.append(str(given["href"]))
        elif tag == "link" and given.get("rel") not in ("canonical", "prev", "next"):
            self.loads.append(str(given.get("href")))
        elif given.get("src"):
            self.loads.append(str(given["src"]))


@pytest.mark.long
def test_the_site_is_built_without_a_warning_and_is_whole(source: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    assert build(source, site) == 0
    pages = {path: Links(path) for path in site.rglob("*.html") if path.name != "404.html"}
    assert {path.relative_to(site).with_suffix(".md").as_posix() for path in pages} == {
        path.relative_to(source / "pages").as_posix() for path in (source / "pages").rglob("*.md")
    }
    for page, found in pages.items():
        for each in found.loads:
            assert not urlsplit(each).netloc, f"{page.name} loads {each}"
            assert (page.parent / unquote(urlsplit(each).path)).exists(), f"{page.name} loads {each}"
        for each in found.links:
            url = urlsplit(each)
            if url.scheme or url.netloc:
                continue
            target = (page.parent / unquote(url.path)).resolve() if url.path else page
            assert target.exists(), f"{page.name} links to {each}"
            assert not url.fragment or target not in pages or unquote(url.fragment) in pages[target].anchors, each


@pytest.mark.long
def test_a_link_to_nowhere_breaks_the_build(source: Path, tmp_path: Path) -> None:
    broken = tmp_path / "source"
    subprocess.run(["cp", "-r", source, broken], check=True)
    page = broken / "pages" / "concepts.md"
    page.write_text(page.read_text(encoding="utf-8") + "\n[nowhere](model.md#nothing)\n", encoding="utf-8")
    assert build(broken, tmp_path / "site") != 0
    assert not (tmp_path / "site").exists()


def test_it_can_be_asked_for_help() -> None:
    done = subprocess.run([sys.executable, "-m", "docs.site", "--help"], cwd=ROOT, capture_output=True, check=True)
    assert b"build/site" in done.stdout
