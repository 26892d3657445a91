"""What is fuzzed over HTTP: bodies sent to a real server, in the same process, so that its code is watched as well.

The first byte of an input picks the operation, the rest is the body. Whatever is sent, the answer is no defect (500),
and has the form of its route.
"""

import asyncio
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from aiohttp import web

from tests.support.server import ADMIN_TOKEN, Server, running
from wigwag_proto.codec import decode
from wigwag_server.app import build_app
from wigwag_server.settings import Limits
from wigwag_server.web.operation import operation_of

OFREP = (("POST", "/ofrep/v1/evaluate/flags/checkout"), ("POST", "/ofrep/v1/evaluate/flags"))
# Webhooks would tell addresses out of the input, and approvals would keep all that follows from being done.
NOT_FUZZED = re.compile(r"/webhooks|/approvals|PATCH /admin/environments")
PATIENT = Limits(failed_keys=1_000_000, writes=1_000_000_000)
FLAG = {
    "enabled": True,
    "clientVisible": True,
    "rules": [{"attribute": "plan", "operator": "in", "value": ["premium", 1]}],
    "variants": [{"name": "a", "weight": 1, "value": {"n": 1.0}}],
    "rolloutPercentage": 50,
}


def admin_operations(app: web.Application) -> list[tuple[str, str]]:
    """Return the operations of the admin API, and of apps, that take a body."""
    found = []
    for route in app.router.routes():
        path = route.resource.canonical if route.resource else ""
        if route.method not in ("POST", "PUT", "PATCH") or not path.startswith(("/admin", "/v1")):
            continue
        filled = re.sub(r"\{\w+\}", lambda match: "1" if match[0] == "{revision}" else "checkout", path)
        if not NOT_FUZZED.search(f"{route.method} {path}") and operation_of(route.handler).takes is not None:
            found.append((route.method, filled))
    return sorted(found)


def picked(number: int, operations: list[tuple[str, str]]) -> tuple[str, str]:
    """Return the operation that a byte stands for: another route moves a few of them, and not all that follow."""
    return max(operations, key=lambda each: sha256(f"{number} {each}".encode()).digest())


class HttpTargets:
    """A server, and the targets that send to it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, server: Server, hook: str) -> None:
        """`hook` is a key for alerts."""
        self._loop = loop
        self._server = server
        self._operations = admin_operations(build_app(server.services))
        self._tokens = {"/v1/telemetry": server.key, "/v1/kill": hook}
        self.targets: dict[str, Callable[[bytes], None]] = {"ofrep": self.ofrep, "admin": self.admin}

    def ofrep(self, data: bytes) -> None:
        """Ask for decisions."""
        method, path = OFREP[data[0] % len(OFREP) if data else 0]
        status, body = self._send(method, path, data[1:], self._server.key)
        assert status in (200, 400, 413), (status, body)
        assert status == 200 or {"errorCode", "errorDetails"} <= decode(body).keys(), body

    def admin(self, data: bytes) -> None:
        """Change something, or report."""
        method, path = picked(data[0] if data else 0, self._operations)
        status, body = self._send(method, path, data[1:], self._tokens.get(path, ADMIN_TOKEN))
        assert status < 500, (method, path, status, body)
        assert status < 400 or {"detail", "instance", "status"} <= decode(body).keys(), body

    def _send(self, method: str, path: str, data: bytes, token: str) -> tuple[int, bytes]:
        return self._loop.run_until_complete(self._exchange(method, path, data, token))

    async def _exchange(self, method: str, path: str, data: bytes, token: str) -> tuple[int, bytes]:
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
        url = self._server.url + path
        async with self._server.session.request(method, url, data=data, headers=headers) as response:
            return response.status, await response.read()


@contextmanager
def http_targets() -> Iterator[HttpTargets]:
    """Run a server on a new SQLite file until the context is left."""
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner() as runner:
        loop = runner.get_loop()
        made = running(f"sqlite:{Path(folder) / 'flags.db'}", limits=PATIENT)
        server = runner.run(made.__aenter__())
        runner.run(server.put("checkout", **FLAG))
        asked = {"kind": "hook", "flags": ["checkout"], "name": "alerts"}
        hook = runner.run(server.ask("POST", "/admin/keys", json=asked)).body["key"]
        try:
            yield HttpTargets(loop, server, hook)
        finally:
            runner.run(made.__aexit__(None, None, None))
