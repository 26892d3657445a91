"""A real server in the test's own process, and what tests do with it over HTTP."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from wigwag import FlagClient, Settings
from wigwag_server import lifecycle
from wigwag_server.bootstrap import first_admin_token
from wigwag_server.services import Services
from wigwag_server.settings import Listen
from wigwag_server.settings import Settings as ServerSettings

SETTLE_S = 0.5
ADMIN_TOKEN = "ww_admin_of-the-tests-0123456789"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: status, headers, and the body as JSON (None where there is none)."""

    status: int
    headers: Any
    body: Any


@dataclass(slots=True)
class Server:
    """A running server, an admin token and a server key."""

    url: str
    services: Services
    session: aiohttp.ClientSession
    key: str = ""

    async def ask(
        self, method: str, path: str, *, token: str | None = ADMIN_TOKEN, headers: Any = None, **options: Any
    ) -> Answer:
        """Send one request; `json=` or `data=` is the body."""
        sent = {**({"Authorization": f"Bearer {token}"} if token else {}), **(headers or {})}
        async with self.session.request(method, self.url + path, headers=sent, **options) as response:
            data = await response.read()
            body = await response.json(content_type=None) if data else None
            return Answer(response.status, response.headers, body)

    async def put(self, name: str, /, **body: Any) -> Any:
        """Create or replace a flag; returns it."""
        answer = await self.ask("POST", f"/admin/flags/{name}", json=body)
        assert answer.status in (200, 201), answer
        return answer.body

    async def kill(self, key: str) -> Any:
        """Kill a flag; returns it."""
        answer = await self.ask("POST", f"/admin/flags/{key}/kill")
        assert answer.status == 200, answer
        return answer.body

    async def revive(self, key: str) -> Any:
        """Revive a flag; returns it."""
        answer = await self.ask("POST", f"/admin/flags/{key}/revive")
        assert answer.status == 200, answer
        return answer.body

    async def new_key(self, kind: str = "server") -> str:
        """Make an SDK key of production."""
        answer = await self.ask("POST", "/admin/keys", json={"kind": kind, "environment": "production", "name": "test"})
        assert answer.status == 201, answer
        key: str = answer.body["key"]
        return key

    def client(self, key: str | None = None, **settings: Any) -> FlagClient:
        """Return a client of this server, not started, without a disk copy unless `cache_dir` says where."""
        return FlagClient(self.url, key or self.key, settings=Settings(**{"cache_dir": None, **settings}))

    def stream(self, **headers: str) -> Any:
        """Open a raw stream."""
        sent = {"Authorization": f"Bearer {self.key}", **{name.replace("_", "-"): v for name, v in headers.items()}}
        return self.session.get(self.url + "/v1/stream", headers=sent)


@asynccontextmanager
async def running(store: str, *, port: int = 0, key: str | None = None, **settings: Any) -> AsyncGenerator[Server]:
    """Run a server on a store until the context is left. It has `ADMIN_TOKEN` and a server key: `key` or a new one."""
    defaults = {"listen": Listen(port=port), "store": store, "bootstrap_token": ADMIN_TOKEN, "settle_s": SETTLE_S}
    async with lifecycle.running(ServerSettings(**{**defaults, **settings})) as inner:
        await first_admin_token(inner.services)
        async with aiohttp.ClientSession() as session:
            server = Server(inner.url, inner.services, session)
            server.key = key or await server.new_key()
            yield server
