"""From Markdown as GitHub shows it to Markdown as the site's generator reads it: links, anchors, marks. Pure."""

import re
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from posixpath import normpath, relpath

REPOSITORY = "https://github.com/wigwag/wigwag/blob/main/"
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[([^\]]*)\]\(([^)\s]+)\)")
HEADING = re.compile(r"^(#+) (.+)$", re.MULTILINE)
MARK = re.compile(r"^<!-- .* -->\n", re.MULTILINE)
# What stands elsewhere in the repository, and is a page of the site.
PAGES = {"README.md": "index.md", "CHANGELOG.md": "changelog.md", "proto/vectors/README.md": "vectors.md"}


def anchor(heading: str) -> str:
    """Return the anchor that GitHub gives to a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def page_of(path: str) -> str | None:
    """Return where a file of the repository stands on the site, or None where it does not."""
    if path in PAGES:
        return PAGES[path]
    folder, name = str(PurePosixPath(path).parent), PurePosixPath(path).name
    if folder == "docs" and name.endswith(".md"):
        return name
    return f"images/{name}" if path.endswith((".svg", ".png")) else None


def title_of(text: str) -> str:
    """Return the title of a page."""
    heading = HEADING.search(text)
    assert heading is not None, "a page begins with its title"
    return heading[2]


def for_the_site(text: str, path: str, titles: Mapping[str, str]) -> str:
    """Return the page of the repository at `path` as it stands on the site.

    Links to pages and pictures lead to where these are on the site, all others into the repository. A link that shows
    the name of a page's file shows its title there: `titles` has it, by the page. Headings keep the anchors that GitHub
    gives them, which links and readers know.
    """
    page = page_of(path)
    assert page is not None, f"{path} is no page"
    folder = str(PurePosixPath(path).parent)
    own_folder = str(PurePosixPath(page).parent)

    def link(found: re.Match[str]) -> str:
        shown, to = found[1], normpath(f"{folder}/{found[2].partition('#')[0]}")
        if shown.endswith(".md"):
            shown = titles.get(page_of(to) or "", shown)
        return f"[{shown}]({_target(found[2], folder, own_folder)})"

    return outside_of_blocks(text, lambda prose: LINK.sub(link, _anchored(MARK.sub("", prose))))


def outside_of_blocks(text: str, change: Callable[[str], str]) -> str:
    """Change what stands outside of fenced blocks."""
    parts, last = [], 0
    for block in FENCE.finditer(text):
        parts += [change(text[last : block.start()]), block[0]]
        last = block.end()
    return "".join([*parts, change(text[last:])])


def _anchored(prose: str) -> str:
    return HEADING.sub(lambda found: f"{found[1]} {found[2]} {{ #{anchor(found[2])} }}", prose)


def _target(link: str, folder: str, own_folder: str) -> str:
    """Return where a link of a page leads from its place on the site."""
    if link.startswith(("http://", "https://", "#")):
        return link
    path, hash_sign, part = link.partition("#")
    path = normpath(f"{folder}/{path}")
    page = page_of(path)
    target = f"{REPOSITORY}{path}" if page is None else relpath(page, own_folder)
    return f"{target}{hash_sign}{part}"
