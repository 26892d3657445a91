"""Rendering templates, and the headers that a page goes out with."""

import base64
import hashlib
import re
from typing import Any

from aiohttp import web
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape

CODE = re.compile(r"`([^`]+)`")


class Pages:
    """The templates of this folder. Everything put into them is escaped."""

    def __init__(self) -> None:
        self._templates = Environment(
            loader=PackageLoader("wigwag_server.ui"),
            autoescape=select_autoescape(default=True),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters["code"] = with_code
        self.style = Markup(self._templates.get_template("style.css").render())  # noqa: S704 - a file of our own

    def render(self, template: str, **values: Any) -> bytes:
        """Return a page as it is sent."""
        return self._templates.get_template(template).render(style=self.style, **values).encode()

    def answer(self, page: bytes) -> web.Response:
        """Return a page that may load nothing, run nothing, and be framed by nobody."""
        digest = base64.b64encode(hashlib.sha256(self.style.encode()).digest()).decode()
        policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; frame-ancestors 'none'"
        headers = {
            "Content-Security-Policy": policy,
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "no-cache",
        }
        return web.Response(body=page, content_type="text/html", charset="utf-8", headers=headers)


def with_code(text: str) -> Markup:
    """Return text with what stands in backticks as code."""
    return Markup(CODE.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped before
