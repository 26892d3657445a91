"""The thin shell around `Supervisor`: sockets, a timer and a random generator. The client and the relay run it."""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlencode

import aiohttp

from wigwag_proto.codec import decode
from wigwag_proto.commit import Commit, Cursor
from wigwag_proto.errors import Malformed
from wigwag_proto.events import decode_event
from wigwag_proto.snapshot import Snapshot, snapshot_from_plain
from wigwag_proto.sse import SseParser
from wigwag_proto.supervisor import (
    Action,
    CloseStream,
    Committed,
    EmergenciesChanged,
    Event,
    Failure,
    FetchSnapshot,
    Loaded,
    OpenStream,
    Refresh,
    SnapshotArrived,
    SnapshotFailed,
    Start,
    StreamClosed,
    StreamSaid,
    Supervisor,
    Tick,
)
from wigwag_proto.tasks_io import Tasks

logger = logging.getLogger(__name__)

AGE_HEADER = "Wigwag-Age-Ms"
ERROR_BODY_BYTES = 2048
LONGEST_RETRY_AFTER_S = 3600.0  # whoever asks for more is mistaken; "9" times 400 is infinity
LATE_S = 0.1  # a timer that fires later than this: the event loop was blocked
GRACE_S = 0.1  # what is in the sockets by then is read before anything is given up
PAUSE_S = 1.0  # after an error that nobody foresaw, the timer waits at least this long


@dataclass(frozen=True, slots=True)
class Upstream:
    """A server to follow: its base URL, and the key that picks the environment.

    The key of a relay opens several: `log` is the one that is meant.
    """

    url: str
    key: str
    connect_timeout_s: float = 5.0
    request_timeout_s: float = 10.0
    log: str | None = None

    def at(self, path: str) -> str:
        """Return the address of `path`, also where the server stands behind a prefix."""
        return self.url.rstrip("/") + path + (f"?{urlencode({'environment': self.log})}" if self.log else "")

    def __repr__(self) -> str:
        """Leave the key out: representations end up in logs."""
        return f"Upstream(url={self.url!r}, log={self.log!r})"


class HttpFeed:
    """Follows an upstream until closed. Calls back, in order, for everything that changes the replica.

    Whatever becomes of a request or a stream, the supervisor is told; also when it is an error that nobody foresaw.
    `guard` is held while an event is handled, so while the replica and what follows it differ.
    """

    def __init__(
        self,
        upstream: Upstream,
        supervisor: Supervisor,
        *,
        on_loaded: Callable[[], None],
        on_commit: Callable[[Commit], None],
        on_emergencies: Callable[[], None],
        on_progress: Callable[[], None],
        guard: AbstractContextManager[Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """`headers` go along with every request: who this is, say."""
        self.supervisor = supervisor
        self._upstream = upstream
        self._on_loaded = on_loaded
        self._on_commit = on_commit
        self._on_emergencies = on_emergencies
        self._on_progress = on_progress
        self._guard = nullcontext() if guard is None else guard
        self._headers = headers or {}
        self._tasks = Tasks()
        self._rng = random.Random()  # noqa: S311 - jitter, not a secret
        self._session: aiohttp.ClientSession | None = None
        self._streams: dict[int, asyncio.Task[StreamClosed]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._settled = asyncio.Event()
        self._closed = False

    async def start(self) -> None:
        """Begin to follow. Returns at once; `settled` tells when the first attempt is over."""
        self._session = aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {self._upstream.key}", **self._headers},
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._upstream.connect_timeout_s),
        )
        self._handle(Start())

    async def settled(self, timeout_s: float) -> bool:
        """Wait until the first attempt is over, well or badly, and say whether it is. Also returns when closed."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._settled.wait(), timeout_s)
        return self._settled.is_set()

    def refresh(self) -> int:
        """Ask for the newest snapshot now. Returns the number of the request that will have it."""
        self._handle(Refresh())
        return self.supervisor.newest_request

    async def claim(self, cursor: Cursor) -> None:
        """Tell the upstream of a state that somebody says to hold, as if resuming from it. Raises nothing."""
        assert self._session is not None
        headers = {"Accept": "text/event-stream", "Last-Event-ID": str(cursor)}
        with suppress(aiohttp.ClientError, OSError, TimeoutError):
            async with (
                asyncio.timeout(self._upstream.request_timeout_s),
                self._session.get(self._upstream.at("/v1/stream"), headers=headers, allow_redirects=False) as response,
            ):
                await response.content.readany()  # once it has greeted, it has heard

    async def close(self, timeout_s: float | None = None) -> None:
        """Stop following and close every connection, in `timeout_s` at the latest (None: as long as it takes)."""
        self._closed = True
        self._settled.set()
        if self._timer is not None:
            self._timer.cancel()
        begun = time.monotonic()
        try:
            await self._tasks.close(timeout_s)
        finally:
            if self._session is not None:
                left_s = None if timeout_s is None else max(0.1, begun + timeout_s - time.monotonic())
                with suppress(TimeoutError):  # the first thing that this does is to close all sockets, without waiting
                    await asyncio.wait_for(self._session.close(), left_s)

    def abandon(self) -> None:
        """Leave everything as it is: it belongs to another process, or to an event loop that runs no more."""
        self._closed = True
        if self._session is not None:
            abandon_session(self._session)

    def _handle(self, event: Event) -> None:
        if self._closed:
            return
        with self._guard:
            try:
                for action in self.supervisor.step(event, time.monotonic(), self._rng):
                    self._do(action)
            finally:
                if self.supervisor.settled:
                    self._settled.set()
                self._on_progress()
                self._set_timer()

    def _set_timer(self, at_least_s: float = 0.0) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if (wake_at := self.supervisor.wake_at) is not None:
            delay_s = max(at_least_s, wake_at - time.monotonic())
            self._timer = asyncio.get_running_loop().call_later(delay_s, self._time_is_up, wake_at)

    def _time_is_up(self, wake_at: float) -> None:
        """Tell the supervisor, but read first what came in while the event loop was blocked.

        Of what is due at once after a block, asyncio runs the timers before the tasks that read: a link would be
        given up for silence with its heartbeats still in the socket.
        """
        if time.monotonic() - wake_at > LATE_S:
            self._timer = asyncio.get_running_loop().call_later(GRACE_S, self._tick)
        else:
            self._tick()

    def _tick(self) -> None:
        try:
            self._handle(Tick())
        except Exception:
            logger.exception("following %s: an error that nobody foresaw", self._upstream.url)
            self._set_timer(PAUSE_S)

    def _do(self, action: Action) -> None:
        match action:
            case FetchSnapshot(request, cursor):
                fetch = self._tasks.start(f"snapshot {request}", self._fetch(request, cursor))
                fetch.add_done_callback(partial(self._over, partial(SnapshotFailed, request)))
            case OpenStream(stream, cursor):
                task = self._tasks.start(f"stream {stream}", self._stream(stream, cursor))
                self._streams[stream] = task
                task.add_done_callback(lambda _: self._streams.pop(stream, None))
                task.add_done_callback(partial(self._over, partial(StreamClosed, stream)))
            case CloseStream(stream):
                if (running := self._streams.pop(stream, None)) is not None:
                    running.cancel()
            case Loaded():
                self._on_loaded()
            case Committed(commit):
                self._on_commit(commit)
            case EmergenciesChanged():
                self._on_emergencies()

    def _over(self, failed: Callable[[Failure], Event], task: "asyncio.Task[Any]") -> None:
        """Report what became of a task: what it says itself, else how it failed."""
        if task.cancelled():
            event = failed(Failure("cancelled"))  # by us, then it is ignored; or by a library below
        elif (error := task.exception()) is not None:
            event = failed(Failure(f"{type(error).__name__}: {error}"))
        else:
            event = task.result()
        try:
            self._handle(event)
        except Exception as error:
            logger.exception("following %s: an error that nobody foresaw", self._upstream.url)
            self._handle(failed(Failure(f"{type(error).__name__}: {error}")))

    async def _fetch(self, request: int, cursor: Cursor | None) -> SnapshotArrived | SnapshotFailed:
        sent_at = time.monotonic()
        try:
            async with asyncio.timeout(self._upstream.request_timeout_s):
                snapshot, age_s = await self._get_snapshot(cursor)
        except _Unusable as error:
            return SnapshotFailed(request, error.failure)
        except (aiohttp.ClientError, OSError, Malformed, TimeoutError) as error:
            return SnapshotFailed(request, Failure(_reason(error)))
        return SnapshotArrived(request, snapshot, age_s, sent_at)

    async def _get_snapshot(self, cursor: Cursor | None) -> tuple[Snapshot | None, float | None]:
        assert self._session is not None
        headers = {"If-None-Match": f'"{cursor}"'} if cursor else {}
        async with self._session.get(
            self._upstream.at("/v1/snapshot"), headers=headers, allow_redirects=False
        ) as response:
            age_ms = response.headers.get(AGE_HEADER, "")
            age_s = int(age_ms) / 1000 if age_ms.isdecimal() else None
            if response.status == 304 and cursor is not None:
                return None, age_s
            await _require(response, "application/json")
            return snapshot_from_plain(decode(await response.read())), age_s

    async def _stream(self, stream: int, cursor: Cursor | None) -> StreamClosed:
        sent_at = time.monotonic()
        try:
            await self._read_stream(stream, cursor, sent_at)
            failure = Failure("the server ended the stream")
        except _Unusable as error:
            failure = error.failure
        except (aiohttp.ClientError, OSError, Malformed, TimeoutError) as error:
            failure = Failure(_reason(error))
        return StreamClosed(stream, failure)

    async def _read_stream(self, stream: int, cursor: Cursor | None, sent_at: float) -> None:
        assert self._session is not None
        headers = {"Accept": "text/event-stream", "Cache-Control": "no-store"}
        if cursor is not None:
            headers["Last-Event-ID"] = str(cursor)
        async with self._session.get(
            self._upstream.at("/v1/stream"), headers=headers, allow_redirects=False
        ) as response:
            await _require(response, "text/event-stream")
            parser = SseParser()
            async for chunk in response.content.iter_any():
                events = parser.feed(chunk)
                for event in events:
                    if stream not in self._streams:
                        return
                    self._handle(StreamSaid(stream, decode_event(event), sent_at))
                if not events:
                    self._handle(StreamSaid(stream, None, sent_at))


def abandon_session(session: aiohttp.ClientSession) -> None:
    """Touch nothing of a session any more.

    After a fork, the sockets and the selector are those of the parent. Closing a connection would say goodbye on
    its socket (TLS) and take it out of its selector (epoll is shared), and aiohttp does so as soon as one of its
    objects is collected. A connector that counts as closed is left alone; it has no public way to say so.
    """
    if (connector := session.connector) is not None:
        connector._closed = True  # noqa: SLF001
        session.detach()


class _Unusable(Exception):
    """An answer that is not what was asked for."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


async def _require(response: aiohttp.ClientResponse, content_type: str) -> None:
    """Refuse anything but a 200 of this type: a proxy's error page or a captive portal is not a snapshot."""
    if response.status != 200:
        body = await response.content.read(ERROR_BODY_BYTES)
        retry_after = response.headers.get("Retry-After", "")
        raise _Unusable(
            Failure(
                message=_detail(response.status, response.content_type, body),
                status=response.status,
                retry_after_s=min(float(retry_after), LONGEST_RETRY_AFTER_S) if retry_after.isdecimal() else 0.0,
            ),
        )
    if response.content_type != content_type:
        raise _Unusable(Failure(f"expected {content_type}, got {response.content_type}", status=response.status))


def _detail(status: int, content_type: str, body: bytes) -> str:
    if content_type == "application/problem+json":
        with suppress(Malformed):
            problem = decode(body)
            if isinstance(problem, dict):
                return f"HTTP {status}: {problem.get('detail') or problem.get('title')}"
    return f"HTTP {status} ({content_type})"


def _reason(error: BaseException) -> str:
    return str(error) or type(error).__name__
