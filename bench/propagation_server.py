"""A real `wigwag-server` process, and what an operator does to it."""

import asyncio
import os
import secrets
import sys
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from bench.harness import ROOT
from bench.propagation_load import BenchFailed, ended, tail
from wigwag_proto.codec import decode
from wigwag_proto.commit import Cursor
from wigwag_proto.errors import Malformed

START_S = 20.0
ANSWER_S = 20.0
LOOK_EVERY_S = 0.02
PROOF_EVERY_S = 0.01


@dataclass(frozen=True, slots=True)
class Flip:
    """A kill or revival that was acknowledged. Monotonic nanoseconds, which all processes of a machine share."""

    revision: int
    sent_ns: int
    acked_ns: int


@dataclass(frozen=True, slots=True)
class Proof:
    """When a kill was confirmed by every client: by the server's own account, and when the operator saw that."""

    slowest_ms: float
    seen_ns: int


class Operator:
    """The admin API over one connection."""

    def __init__(self, url: str, session: aiohttp.ClientSession, log: Path, pid: int) -> None:
        self.url = url
        self.pid = pid
        self._session = session
        self._log = log

    async def put(self, flag: str, **config: Any) -> int:
        """Create a flag, or replace it; returns the revision."""
        headers, _ = await self._ask(f"/admin/flags/{flag}", 201, config, 200)
        return Cursor.parse(headers["Wigwag-Cursor"]).revision

    async def new_key(self) -> str:
        """Make a server key of production."""
        _, body = await self._ask("/admin/keys", 201, {"kind": "server", "environment": "production", "name": "bench"})
        return str(decode(body)["key"])

    async def flip(self, flag: str, *, kill: bool) -> Flip:
        """Kill the flag, or revive it."""
        sent_ns = time.monotonic_ns()
        headers, _ = await self._ask(f"/admin/flags/{flag}/{'kill' if kill else 'revive'}", 200)
        acked_ns = time.monotonic_ns()
        return Flip(Cursor.parse(headers["Wigwag-Cursor"]).revision, sent_ns, acked_ns)

    async def proven(self, revision: int, clients: int, timeout_s: float) -> Proof:
        """Wait until the server says that every client has this revision in force. Raises BenchFailed."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while True:
                    async with self._session.get(f"{self.url}/admin/propagation/{revision}") as response:
                        found = await response.json()
                    if found["complete"] and found["counts"]["confirmed"] == clients:
                        return Proof(found["ms"]["max"], time.monotonic_ns())
                    await asyncio.sleep(PROOF_EVERY_S)
        raise BenchFailed(
            f"revision {revision} was not confirmed by all {clients} within {timeout_s:g} s: {found['counts']}"
        )

    async def cursor(self) -> str:
        """Return where the log is."""
        async with self._session.get(f"{self.url}/admin/flags") as response:
            return response.headers["Wigwag-Cursor"]

    async def admitted(self) -> None:
        """Wait until the server knows the bootstrap token: it may listen a moment earlier."""
        async with asyncio.timeout(START_S):
            while not await self._may_list():  # noqa: ASYNC110 - the server is another process
                await asyncio.sleep(LOOK_EVERY_S)

    async def _may_list(self) -> bool:
        async with self._session.get(f"{self.url}/admin/flags") as response:
            return response.status == 200

    async def _ask(self, path: str, expected: int, body: Any = None, otherwise: int = 0) -> tuple[Any, bytes]:
        try:
            async with self._session.post(self.url + path, json=body) as response:
                data = await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise BenchFailed(f"the server did not answer POST {path}: {_named(error)}{tail(self._log)}") from error
        if response.status not in (expected, otherwise):
            raise BenchFailed(f"the server answered POST {path} with {response.status}: {data.decode()}")
        return response.headers, data


@asynccontextmanager
async def running_server(
    store: str, folder: Path, *, module: str = "wigwag_server", env: Mapping[str, str] | None = None, token: str = ""
) -> AsyncGenerator[Operator]:
    """Run a server on the store until the context is left. Raises BenchFailed.

    `module` is what is run; it takes the options of wigwag-server, and `env` in its environment. `token` is the
    admin token, which a store keeps from its first server on.
    """
    log = folder / "server.log"
    token = token or f"ww_admin_{secrets.token_urlsafe(32)}"
    process = await _started(store, folder, log, module, {"WIGWAG_BOOTSTRAP_TOKEN": token, **(env or {})})
    try:
        url = await _address(process, log)
        headers, timeout = {"Authorization": f"Bearer {token}"}, aiohttp.ClientTimeout(ANSWER_S)
        async with aiohttp.ClientSession(headers=headers, timeout=timeout) as session:
            operator = Operator(url, session, log, process.pid)
            try:
                await operator.admitted()
            except (aiohttp.ClientError, TimeoutError) as error:
                raise BenchFailed(f"the server lets nobody in ({_named(error)}){tail(log)}") from error
            yield operator
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await ended(process)


async def _started(
    store: str, folder: Path, log: Path, module: str, env: Mapping[str, str]
) -> asyncio.subprocess.Process:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("WIGWAG_")}
    options = {"listen": "127.0.0.1:0", "store": store, "data-dir": folder / "server", "log-format": "json"}
    with log.open("wb") as output:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", module),
            *(word for name, value in options.items() for word in (f"--{name}", str(value))),
            cwd=ROOT,
            env={**ours, **env},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )


async def _address(process: asyncio.subprocess.Process, log: Path) -> str:
    """Return where the server says that it listens: it took a free port itself, so nobody else can have it."""
    with suppress(TimeoutError):
        async with asyncio.timeout(START_S):
            while process.returncode is None:
                if url := _listening_on(log):
                    return url
                await asyncio.sleep(LOOK_EVERY_S)
    raise BenchFailed(f"wigwag-server does not start{tail(log)}")


def _listening_on(log: Path) -> str:
    for line in log.read_bytes().splitlines():
        with suppress(Malformed, KeyError, TypeError):
            _, found, rest = str(decode(line)["message"]).partition("listening on ")
            if found:
                return rest.partition(",")[0]
    return ""


def _named(error: BaseException) -> str:
    return str(error) or type(error).__name__
