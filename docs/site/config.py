"""What zensical is told: title, order of the pages, and that nothing may come from elsewhere. Pure."""

import json
from collections.abc import Sequence
from pathlib import Path

from docs.site.nav import Section

HEAD = """[project]
site_name = "wigwag"
site_description = "Feature flags and kill switches for async Python web apps"
docs_dir = "pages"
site_dir = "site"
use_directory_urls = false
nav = {nav}

[project.theme]
font = false
features = ["navigation.sections", "navigation.top", "content.code.copy", "search.highlight", "toc.follow"]

[[project.theme.palette]]
media = "(prefers-color-scheme: light)"
scheme = "default"
toggle = {{ icon = "lucide/sun", name = "dark" }}

[[project.theme.palette]]
media = "(prefers-color-scheme: dark)"
scheme = "slate"
toggle = {{ icon = "lucide/moon", name = "light" }}

[project.markdown_extensions.attr_list]

[project.markdown_extensions.tables]

[project.markdown_extensions.toc]
permalink = true

[project.markdown_extensions.pymdownx.highlight]

[project.markdown_extensions.pymdownx.superfences]

[project.plugins.search]

[project.plugins.mkdocstrings]
enabled = true

[project.plugins.mkdocstrings.handlers.python]
paths = {paths}

[project.plugins.mkdocstrings.handlers.python.options]
preload_modules = ["wigwag_proto"]
show_root_heading = true
show_root_full_path = true
show_source = false
show_if_no_docstring = false
filters = ["!^_"]
merge_init_into_class = true
members_order = "source"
heading_level = 3
inherited_members = true
separate_signature = true
show_signature_annotations = true
line_length = 100
"""


def config(sections: Sequence[Section], paths: Sequence[Path]) -> str:
    """Return the text of zensical.toml."""
    nav = ", ".join(f"{{ {json.dumps(title)} = [{_pages(pages)}] }}" for title, pages in sections)
    return HEAD.format(nav=f"[{nav}]", paths=json.dumps([str(path) for path in paths]))


def _pages(pages: Sequence[str]) -> str:
    return ", ".join(json.dumps(f"{page}.md") for page in pages)
