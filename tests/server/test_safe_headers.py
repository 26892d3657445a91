"""Every answer of every route tells browsers to be careful with it."""

import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from tests.support.browsing import browsing
from tests.support.server import ADMIN_TOKEN, Server, running
from wigwag_server.app import build_app
from wigwag_server.settings import Limits, parse_proxies
from wigwag_server.ui.site import POLICY

# What may be kept: files with their version in their address, pictures of the last hours, and what says so that whoever
# keeps it asks again before using it.
KEPT = re.compile(r"^(/ui/static/|/ui/env/\S+/spark$|/v1/snapshot$|/ofrep/v1/evaluate/flags$|/docs$|/openapi.json$)")
STREAMS = {"/v1/stream", "/ofrep/v1/events", "/admin/changes"}
PATIENT = Limits(failed_keys=1_000_000, writes=1_000_000)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    """A server with a flag, behind a proxy that it trusts."""
    proxies = parse_proxies("127.0.0.1")
    async with running(f"sqlite:{tmp_path / 'flags.db'}", limits=PATIENT, trusted_proxies=proxies) as made:
        await made.put("checkout", clientVisible=True)
        yield made


def requests(app: web.Application) -> Iterator[tuple[str, str]]:
    """Yield method and path of every route, and of what there is no route for."""
    names = {"name": "checkout", "key": "checkout", "environment": "production", "revision": "1", "other": "staging"}
    for route in app.router.routes():
        path = route.resource.canonical if route.resource else ""
        yield route.method, re.sub(r"\{(\w+)(?::[^}]*)?\}", lambda match: names.get(match[1], "nope"), path)
    yield from (("GET", "/nowhere"), ("DELETE", "/healthz"), ("GET", "/ui/nowhere"), ("GET", "/ui/static/x/site.css"))


def check(method: str, path: str, response: aiohttp.ClientResponse, *, tls: bool = True) -> None:
    """Check the headers of one answer."""
    headers, where = response.headers, (method, path, response.status)
    assert headers["X-Content-Type-Options"] == "nosniff", where
    assert headers["X-Frame-Options"] == "DENY", where
    assert headers["Referrer-Policy"] in ("no-referrer", "same-origin"), where
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin", where
    assert ("Strict-Transport-Security" in headers) is tls, where
    assert headers["Server"] == "wigwag", where
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy, where
    assert "frame-ancestors 'none'" in policy, where
    assert "unsafe" not in policy, where
    if policy == POLICY:
        assert response.content_type == "text/html", where
    if not KEPT.match(path):
        assert headers["Cache-Control"].startswith(("no-store", "no-cache, no-transform")), where
    for name in headers:
        assert name.lower() != "x-powered-by"


async def test_every_answer_of_every_route_has_them_whoever_asks(server: Server) -> None:
    app = build_app(server.services)
    https = {"X-Forwarded-Proto": "https"}
    seen, shown = set[int](), set[int]()
    async with browsing(server) as browser:
        await browser.sign_in()
        for method, path in requests(app):
            for token in (None, "ww_admin_forged-0123456789", ADMIN_TOKEN, server.key):
                if token == ADMIN_TOKEN and method in ("POST", "PUT", "DELETE", "PATCH"):
                    continue  # what they change would be in the way of what follows; the answers are made in one place
                given = {"Authorization": f"Bearer {token}", **https} if token else https
                async with server.session.request(
                    method, server.url + path, headers=given, allow_redirects=False
                ) as response:
                    seen.add(response.status)
                    check(method, path, response)
            if method == "GET" and path.startswith("/ui") and path not in STREAMS:
                async with browser.session.get(server.url + path, allow_redirects=False) as response:
                    shown.add(response.status)
                    check(method, path, response, tls=False)
    assert {200, 204, 303, 401, 403, 404, 405} <= seen
    assert {200, 303, 404} <= shown


async def test_only_tls_is_told_to_stay_tls(tmp_path: Path) -> None:
    async with running(f"sqlite:{tmp_path / 'flags.db'}") as server:
        plain = await server.ask("GET", "/healthz")
        lied = await server.ask("GET", "/healthz", headers={"X-Forwarded-Proto": "https"})
    assert "Strict-Transport-Security" not in plain.headers
    assert "Strict-Transport-Security" not in lied.headers
