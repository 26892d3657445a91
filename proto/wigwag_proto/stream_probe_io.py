"""Looks at a server as a client meets it, through every proxy between: plain requests, then a stream with a watch."""

import asyncio
import os
import time
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp

from wigwag_proto.codec import decode
from wigwag_proto.errors import Malformed
from wigwag_proto.events import Hello, Sync, decode_event
from wigwag_proto.http_feed_io import Upstream
from wigwag_proto.sse import SseEvent, SseParser
from wigwag_proto.stream_verdict import Answered, Probe, Stream

BEATS = 2
Request = AbstractAsyncContextManager[aiohttp.ClientResponse]


@dataclass(slots=True)
class _Seen:
    """What a stream has shown so far. The times are seconds since the request was sent."""

    head_s: float | None = None
    hello: Hello | None = None
    first_s: float | None = None
    beats_s: list[float] = field(default_factory=list)
    encoding: str = ""
    via: str = ""
    content_type: str = ""
    status: int | None = None
    detail: str = ""
    error: str = ""

    def take(self, events: list[SseEvent], now_s: float) -> None:
        """Take note of what has come by now."""
        self.first_s = now_s if self.first_s is None else self.first_s
        for event in events:
            said = decode_event(event)
            if isinstance(said, Hello):
                self.hello = said
            elif isinstance(said, Sync):
                self.beats_s.append(now_s)


async def probe(upstream: Upstream, *, patience_s: float, of: str = "") -> Probe:
    """Ask for health, the state and the version, then watch a stream for its first two heartbeats.

    `of` is the query that says what is followed, where the key does not. What should come at once is waited for
    `patience_s`. Never raises for what is wrong with the server or the network.
    """
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=upstream.connect_timeout_s)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        health = await _ask(session, upstream, "/healthz")
        if health.error:
            return Probe(health=health)
        return Probe(
            health=health,
            ready=await _ask(session, upstream, "/readyz"),
            version=_version(await _ask(session, upstream, "/openapi.json")),
            snapshot=await _ask(session, upstream, f"/v1/snapshot{of}"),
            stream=await _stream(session, upstream, patience_s, of),
        )


async def _ask(session: aiohttp.ClientSession, upstream: Upstream, path: str) -> Answered:
    headers = {"Authorization": f"Bearer {upstream.key}"} if path.startswith("/v1/") else {}
    begun, begun_at = time.monotonic(), time.time()
    certificate: dict[str, Any] = {}
    try:
        async with (
            asyncio.timeout(upstream.request_timeout_s),
            session.get(upstream.at(path), headers=headers, allow_redirects=False) as response,
        ):
            if response.connection is not None and response.connection.transport is not None:
                certificate = response.connection.transport.get_extra_info("peercert") or {}
            body = await response.read()
            took_s = time.monotonic() - begun
            return Answered(
                status=response.status,
                took_s=took_s,
                skew_s=_skew_s(response.headers.get("Date"), begun_at, took_s),
                body=_object(body),
                location=response.headers.get("Location", ""),
                expires=certificate.get("notAfter", ""),
            )
    except aiohttp.ConnectionTimeoutError:
        return Answered(error=f"no connection within {upstream.connect_timeout_s:g} s")
    except TimeoutError:
        return Answered(error=f"no answer within {upstream.request_timeout_s:g} s")
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return Answered(error=_reason(error))


async def _stream(session: aiohttp.ClientSession, upstream: Upstream, patience_s: float, of: str) -> Stream:
    headers = {"Authorization": f"Bearer {upstream.key}", "Accept": "text/event-stream", "Cache-Control": "no-store"}
    request = session.get(upstream.at(f"/v1/stream{of}"), headers=headers, allow_redirects=False)
    seen = _Seen()
    begun = time.monotonic()
    try:
        await _watch(request, seen, begun, patience_s)
    except TimeoutError:
        pass  # what did not come is told by what is there
    except (aiohttp.ClientError, OSError, Malformed) as error:
        seen.error = _reason(error)
    return Stream(
        status=seen.status,
        detail=seen.detail,
        content_type=seen.content_type,
        encoding=seen.encoding,
        via=seen.via,
        head_s=seen.head_s,
        first_s=seen.first_s,
        beats_s=tuple(seen.beats_s),
        heartbeat_s=seen.hello.heartbeat_ms / 1000 if seen.hello else None,
        error=seen.error,
        watched_s=time.monotonic() - begun,
    )


async def _watch(request: Request, seen: _Seen, begun: float, patience_s: float) -> None:
    async with asyncio.timeout(patience_s) as limit:
        async with request as response:
            seen.head_s = time.monotonic() - begun
            seen.status, seen.content_type = response.status, response.content_type
            seen.encoding = response.headers.get("Content-Encoding", "")
            seen.via = response.headers.get("Via", "") or response.headers.get("Server", "")
            if response.status != 200 or response.content_type != "text/event-stream":
                seen.detail = str(_object(await response.content.read(4096)).get("detail", ""))
                return
            parser = SseParser()
            async for chunk in response.content.iter_any():
                before = len(seen.beats_s)
                seen.take(parser.feed(chunk), time.monotonic() - begun)
                if len(seen.beats_s) >= BEATS:
                    return
                if len(seen.beats_s) > before:
                    limit.reschedule(_limit_at(seen.hello, patience_s))
    seen.error = "the stream was ended"


def _limit_at(hello: Hello | None, patience_s: float) -> float:
    """Return when, on the event loop's clock, the next heartbeat is given up."""
    heartbeat_s = hello.heartbeat_ms / 1000 if hello else 0.0
    return asyncio.get_running_loop().time() + heartbeat_s + patience_s


def _skew_s(date: str | None, begun_at: float, took_s: float) -> float | None:
    """Return by how much the server's clock is ahead of ours, as far as whole seconds tell."""
    try:
        told = parsedate_to_datetime(date or "").timestamp()
    except (ValueError, TypeError):
        return None
    # The header was made some time during the request, and has its fraction of a second cut off.
    earliest, latest = begun_at - 1.0, begun_at + took_s
    return 0.0 if earliest <= told <= latest else told - (earliest if told < earliest else latest)


def _object(body: bytes) -> dict[str, Any]:
    try:
        plain = decode(body)
    except Malformed:
        return {}
    return plain if isinstance(plain, dict) else {}


def _version(answered: Answered) -> str:
    info = answered.body.get("info")
    return str(info.get("version", "")) if isinstance(info, dict) else ""


def _reason(error: BaseException) -> str:
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"its certificate is not accepted: {error.certificate_error}"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "its name is not known here"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "it hung up without an answer"
    if isinstance(error, aiohttp.ClientPayloadError):
        return "it was cut off in the middle"
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(cause, OSError) and cause.errno is not None and cause.errno > 0:
        return os.strerror(cause.errno)
    return str(error) or type(error).__name__
