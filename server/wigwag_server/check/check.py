"""All checks of a server, in the order in which one would mend what is wrong."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import aiohttp
import msgspec

from wigwag_proto.errors import WigwagError
from wigwag_proto.findings import Finding, ok, warning, wrong
from wigwag_proto.http_feed_io import Upstream
from wigwag_proto.stream_probe_io import probe
from wigwag_proto.stream_verdict import findings_of
from wigwag_server.check.certificate import check_certificate
from wigwag_server.check.machine import address, folder, open_files, waiting_connections
from wigwag_server.check.redis_store import check_redis
from wigwag_server.check.sqlite_store import check_sqlite
from wigwag_server.relay.visible import KEYS
from wigwag_server.settings import Settings

PATIENCE_S = 5.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked at besides the settings: how many streams are expected, and the way that clients take."""

    streams: int
    url: str | None = None
    key: str | None = None
    patience_s: float = PATIENCE_S


async def check(settings: Settings | WigwagError, wanted: Wanted) -> list[Finding]:
    """Look at everything. Settings that cannot be are given as the error that they led to."""
    if isinstance(settings, WigwagError):
        return [wrong("configuration", str(settings), "Mend the option, or the variable of its name.")]
    try:
        settings.listen.check()
        configuration = ok("configuration", "the options fit together")
    except WigwagError as error:
        configuration = wrong("configuration", str(error), "Mend the option, or the variable of its name.")
    return [configuration, *[finding async for finding in _findings(settings, wanted)]]


async def _findings(settings: Settings, wanted: Wanted) -> AsyncIterator[Finding]:
    listen = settings.listen
    async for finding in _store(settings):
        yield finding
    yield address(listen, serves_there=await _serves(settings))
    yield open_files(wanted.streams)
    for finding in waiting_connections(wanted.streams):
        yield finding
    if listen.tls_certificate is not None and listen.tls_key is not None:
        for finding in await asyncio.to_thread(
            lambda paths: list(check_certificate(*paths)), (listen.tls_certificate, listen.tls_key)
        ):
            yield finding
    if wanted.url is not None:
        async for finding in _on_the_way(wanted.url, wanted):
            yield finding


async def _store(settings: Settings) -> AsyncIterator[Finding]:
    """Look at what the flags come from, and at where a server keeps its own copy of them."""
    if settings.upstream is not None:
        for finding in await _probed(settings.upstream, of=f"?environment={KEYS}"):
            yield msgspec.structs.replace(finding, check=f"upstream {finding.check}")
        for finding in await asyncio.to_thread(_own_folder, settings):
            yield finding
        return
    scheme, _, rest = settings.store.partition(":")
    if scheme == "sqlite":
        file = Path(rest.removeprefix("//"))
        for finding in await asyncio.to_thread(lambda: list(check_sqlite(file))):
            yield finding
        return
    try:
        async for finding in check_redis(settings.store, settings.redis_wait_replicas):
            yield finding
    except ValueError as error:
        yield wrong("store", f"--store names no store: {error}", "Use sqlite:wigwag.db, or redis://HOST:6379/0.")
    for finding in await asyncio.to_thread(_own_folder, settings):
        yield finding


def _own_folder(settings: Settings) -> list[Finding]:
    return list(folder(settings.data_dir or Path("wigwag-data"), "data"))


async def _on_the_way(url: str, wanted: Wanted) -> AsyncIterator[Finding]:
    """Look at the server as clients meet it, through the proxies in front of it."""
    if not wanted.key:
        mend = "Give a server key by --key or WIGWAG_KEY: wigwag keys create server --name check"
        yield warning("buffering", f"whether a proxy at {url} holds streams back needs a key to be tried", mend)
        return
    for finding in await _probed(Upstream(url, wanted.key), wanted.patience_s):
        yield finding


async def _probed(at: Upstream, patience_s: float = PATIENCE_S, of: str = "") -> list[Finding]:
    upstream = Upstream(at.url, at.key, connect_timeout_s=patience_s, request_timeout_s=patience_s)
    seen = await probe(upstream, patience_s=patience_s, of=of)
    return findings_of(seen, at.url, version("wigwag"), time.time())


async def _serves(settings: Settings) -> bool:
    """Say whether a wigwag-server answers at the address already."""
    listen = settings.listen
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(listen.host, listen.host)  # noqa: S104 - looked up, not bound
    name = f"[{host}]" if ":" in host else host
    scheme = "https" if listen.tls_certificate else "http"
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2.0)) as session,
            # It may show a certificate for another name: who listens there is all that is asked.
            session.get(f"{scheme}://{name}:{listen.port}/healthz", ssl=False) as response,
        ):
            return response.status == 200 and b'"ok"' in await response.read()
    except (aiohttp.ClientError, OSError, TimeoutError):
        return False
