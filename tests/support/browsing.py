"""A browser as far as HTTP goes: it keeps cookies, follows redirects, and sends the forms that it finds in pages."""

import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from html import unescape
from typing import Any

import aiohttp

from tests.support.server import ADMIN_TOKEN, Server


@dataclass(frozen=True, slots=True)
class Shown:
    """A page, and where it was found in the end."""

    status: int
    path: str
    headers: Any
    text: str


@dataclass(slots=True)
class Browser:
    """Cookies, and the page that is shown."""

    server: Server
    session: aiohttp.ClientSession
    page: Shown | None = None

    async def get(self, path: str, **headers: str) -> Shown:
        """Show a page."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self._shown(self.session.get(self.server.url + path, headers=sent))

    async def post(self, path: str, /, headers: Any = None, **fields: Any) -> Shown:
        """Send a form, with the token against forged ones that the page shown has."""
        data = [("csrf", self.csrf())] if "csrf" not in fields else []
        for name, value in fields.items():
            data += [(name, each) for each in (value if isinstance(value, list) else [value])]
        return await self._shown(self.session.post(self.server.url + path, data=data, headers=headers))

    async def sign_in(self, token: str = ADMIN_TOKEN) -> Shown:
        """Sign in with a token."""
        return await self.post("/ui/login", token=token, csrf="")

    def csrf(self) -> str:
        """Return the token against forged forms of the page that is shown."""
        found = re.search(r'name="csrf" value="(\w+)"', self.page.text if self.page else "")
        return found[1] if found else ""

    def cookie(self) -> str:
        """Return the session's cookie as it is sent."""
        return next((each.value for each in self.session.cookie_jar if each.key.startswith("wigwag-")), "")

    async def _shown(self, asked: Any) -> Shown:
        async with asked as response:
            text = await response.text()
            self.page = Shown(response.status, response.url.path_qs, response.headers, text)
            return self.page


@asynccontextmanager
async def browsing(server: Server) -> AsyncGenerator[Browser]:
    """Open a browser that has signed in nowhere."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        yield Browser(server, session)


def words(text: str) -> str:
    """Return what a page says, without its elements."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", text)).split())
