"""The templates and files that pages are made of, and the headers that they go out with."""

import hashlib
import mimetypes
from dataclasses import dataclass
from http import HTTPStatus
from importlib.resources import files
from typing import Any

from aiohttp import web
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from wigwag_server.ui import ramp_words, words

# A page loads and runs only what this server has as a file; nothing that stands in the page itself is run.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # `no-referrer` would have browsers send `Origin: null` with forms
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}
FOREVER = {"Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}


@dataclass(frozen=True, slots=True)
class File:
    """A style sheet, a script, a picture."""

    body: bytes
    type: str


class Site:
    """Everything that is read from this package. Everything put into a template is escaped."""

    def __init__(self) -> None:
        self.files = {
            each.name: _read(each.name, each.read_bytes())
            for each in files("wigwag_server.ui").joinpath("static").iterdir()
            if each.is_file()
        }
        # Part of every address of a file, so that browsers may keep them for ever: other files have another one.
        self.version = _digest(self.files)
        self._templates = Environment(
            loader=PackageLoader("wigwag_server.ui"),
            autoescape=select_autoescape(default=True),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters.update({**words.FILTERS, **ramp_words.FILTERS})
        self._templates.globals["static"] = lambda name: f"/ui/static/{self.version}/{name}"

    def answer(self, template: str, http_status: HTTPStatus = HTTPStatus.OK, /, **values: Any) -> web.Response:
        """Return a page.

        It is compressed although it holds a secret (the token against forged forms): no other site can have it
        fetched with the cookie, so nobody can measure how what they put into it compresses.
        """
        body = self._templates.get_template(template).render(**values).encode()
        response = web.Response(
            status=http_status, body=body, content_type="text/html", charset="utf-8", headers=HEADERS
        )
        response.enable_compression()
        return response


SITE = web.AppKey("site", Site)


def file_answer(site: Site, version: str, name: str) -> web.Response:
    """Return a file. Raises HTTPNotFound. An old page may ask for an older version: it gets what there is."""
    found = site.files.get(name)
    if found is None:
        raise web.HTTPNotFound
    headers = FOREVER if version == site.version else {**FOREVER, "Cache-Control": "no-cache"}
    response = web.Response(body=found.body, content_type=found.type, charset="utf-8", headers=headers)
    response.enable_compression()
    return response


def _read(name: str, body: bytes) -> File:
    kinds = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
    suffix = "." + name.rpartition(".")[2]
    return File(body, kinds.get(suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream")


def _digest(known: dict[str, File]) -> str:
    digest = hashlib.sha256()
    for name in sorted(known):
        digest.update(name.encode() + b"\0" + known[name].body)
    return digest.hexdigest()[:12]
