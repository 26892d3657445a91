"""`FlagClient`: decides locally, while a feed in the background keeps what it decides by up to date."""

import asyncio
import hashlib
import logging
import os
import random
import threading
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from pathlib import Path
from typing import Any, Self

from wigwag.bound import BoundFlags
from wigwag.feed import DISK_PATIENCE_S, Feed, RefreshFailed, Shared
from wigwag.flags import Flags
from wigwag.forks import FORKS, Forkable
from wigwag.local import LocalFlags
from wigwag.local_kills import LocalKills
from wigwag.sampler import Sampler
from wigwag.settings import Settings
from wigwag.status import Source, Status
from wigwag.subscriptions import Subscriptions
from wigwag_proto.compile import CompiledFlag
from wigwag_proto.context import Context
from wigwag_proto.errors import WigwagError
from wigwag_proto.http_feed_io import Upstream
from wigwag_proto.ruleset import FlagChange, Ruleset
from wigwag_proto.supervisor import Link

__all__ = ["FlagClient", "RefreshFailed"]

logger = logging.getLogger(__name__)


class FlagClient(Flags):
    """Feature flags, pushed to this process and decided in it.

        async with FlagClient("https://flags.example.com", "ww_server_…") as flags:
            if flags.is_enabled("new_checkout", user_id="u1", plan="premium"):
                ...

    Make one for a process. It starts and answers whether or not the server can be reached: from the last known
    snapshot, and where there is none from the defaults in the code. `status` tells which.

    A process may fork after the start (a preloading web server, `multiprocessing`). The child answers at once by
    what the parent knew, and leaves the parent's connections alone. It follows the server on the event loop that it
    calls `start` on, as any process does; where it asks flags and has not called `start`, a daemon thread follows for
    it, from the first question on (a child that never asks costs no connection), until a `start` takes over.

    That thread changes the flags between two bytecodes of those that ask. One question is always answered by one
    version of a flag, with all that it requires; two in a row may lie on either side of a change, as they may
    anywhere, and of one commit the first can see less than the second. `bind` pins one state for both.
    """

    def __init__(self, url: str | None = None, key: str | None = None, *, settings: Settings | None = None) -> None:
        """Take the server's address and an SDK key, or `WIGWAG_URL` and `WIGWAG_KEY`. Raises WigwagError for none."""
        url = url or os.environ.get("WIGWAG_URL")
        key = key or os.environ.get("WIGWAG_KEY")
        if not url or not key:
            raise WigwagError(
                "FlagClient needs the server's URL and a key: pass them, or set WIGWAG_URL and WIGWAG_KEY"
            )
        if not url.startswith(("http://", "https://")):
            raise WigwagError(f"the server's URL begins with http:// or https://, unlike {url!r}")
        settings = settings or Settings()
        upstream = Upstream(url, key, settings.connect_timeout_s, settings.request_timeout_s)
        self._set_up(upstream, settings, _disk_path(settings.cache_dir, url, key))

    @classmethod
    def from_dict(
        cls, flags: Mapping[str, Any], *, segments: Mapping[str, Any] | None = None, settings: Settings | None = None
    ) -> Self:
        """Return a client that needs no server: it goes by these flags. Raises MalformedFlags.

        A flag is what the server would take, or just True or False. Nothing has to be started or closed.
        """
        client = cls.__new__(cls)
        client._set_up(LocalFlags.from_dict(flags, segments or {}), settings or Settings())  # noqa: SLF001  # our own
        return client

    @classmethod
    def from_file(cls, path: str | Path, *, settings: Settings | None = None) -> Self:
        """Return a client that needs no server: it goes by a file, YAML or JSON. Raises WigwagError.

        It answers at once. Once it is started, it looks at the file every `flag_file_every_s`; what is wrong in it
        then keeps its last good version, and stands in `status.last_error`.
        """
        settings = settings or Settings()
        client = cls.__new__(cls)
        client._set_up(LocalFlags.from_file(Path(path), settings.flag_file_every_s), settings)  # noqa: SLF001  # our own
        return client

    def _set_up(
        self,
        upstream: Upstream | LocalFlags,
        settings: Settings,
        disk_path: Path | None = None,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        Flags.__init__(self, Ruleset(), time.monotonic)
        self._settings = settings
        self._local = upstream if isinstance(upstream, LocalFlags) else None
        self._subscriptions = Subscriptions()
        self._local_kills = LocalKills(
            settings.kill_file,
            lambda: self._feed.kills_changed(),  # noqa: PLW0108  # of the feed that is ours by then
            look_every_s=settings.kill_file_every_s,
            environ=environ,
        )
        self._told = Source.DEFAULTS
        self._sampler: Sampler | None = None
        if settings.sample_contexts and self._local is None:
            self._sampler = Sampler(self._ruleset, random.Random(), settings.private_attributes)  # noqa: S311 - a lot
        self._tripped: set[str] = set()
        self._ruleset.circuits.changed = self._circuit_changed
        self._feed: Feed = Feed(
            Shared(
                settings=settings,
                upstream=upstream,
                disk_path=disk_path,
                ruleset=self._ruleset,
                subscriptions=self._subscriptions,
                local_kills=self._local_kills,
                on_progress=self._progressed,
                sampler=self._sampler,
            )
        )
        self._asleep = False  # in the child of a fork, until somebody asks
        self._of_parents: list[Feed] = []
        self._guard = threading.RLock()  # of which feed is ours, and who begins it
        self._forkable = Forkable(self._before_fork, self._after_fork_in_parent, self._after_fork_in_child)
        FORKS.tell(self._forkable)
        if self._local is not None:
            self._feed.take(self._local.snapshot())
            self._feed.kills_changed()

    async def start(self) -> None:
        """Load the last known snapshot, begin to follow the server, and wait a little for its first answer.

        Returns after `start_timeout_s` (and a second, where the disk hangs) at the latest, and at once when the
        server refuses the connection. A client that has started already goes on; one that was closed starts again.
        """
        while (feed := self._claim(asyncio.get_running_loop())) is None:
            known = self._feed
            if known.loop is asyncio.get_running_loop() and await known.has_begun():
                return
            await self._end(known)
        try:
            await feed.start()
        except BaseException:
            await self._end(feed)  # closed already: this only puts a fresh one in its place
            raise

    def start_in_thread(self) -> bool:
        """Start on an event loop in a daemon thread, for a program that has none; waits as `start` does.

        Says whether it was started by this call: one that somebody has started goes on where it is. In a program that
        has an event loop, `await start()`: this would block it. `asyncio.run(client.close())` ends it.
        """
        with self._guard:
            self._stay_awake()
            feed = self._feed
            if feed.loop is not None:
                return False
            feed.start_in_thread()
        feed.wait_begun(self._settings.start_timeout_s + 2 * DISK_PATIENCE_S)
        return True

    async def close(self) -> None:
        """Stop following, within `close_timeout_s`. The client goes on answering by what it knows.

        When this is cancelled, it hurries, and is over when the cancellation goes up.
        """
        self._stay_awake()
        await self._end(self._feed)
        self._subscriptions.close()

    async def __aenter__(self) -> Self:
        """Start."""
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close."""
        await self.close()

    @property
    def status(self) -> Status:
        """What the flags go by right now, and how old it is."""
        feed = self._feed
        supervisor, cursor = feed.supervisor, feed.replica.cursor
        disk_error = None if feed.disk is None else feed.disk.last_error
        return Status(
            source=self._source(),
            cursor=str(cursor) if cursor else None,
            revision=cursor.revision if cursor else None,
            age_s=None if supervisor.proven_at is None else max(0.0, time.monotonic() - supervisor.proven_at),
            last_error=supervisor.last_failure.message if supervisor.last_failure else None,
            unreadable=dict(self._ruleset.unreadable),
            disk_error=None if disk_error is None else str(disk_error) or type(disk_error).__name__,
            tripped=tuple(sorted(self._ruleset.tripped())),
        )

    async def refresh(self, *, timeout_s: float = 5.0) -> Status:
        """Ask the server for the newest state now, and wait for it. Raises RefreshFailed."""
        self._wake()
        feed = self._feed
        if feed.loop is None or feed.loop.is_closed():
            raise RefreshFailed("the client is not started")
        refreshing = feed.refresh(timeout_s)
        if feed.loop is asyncio.get_running_loop():
            await refreshing
        else:
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(refreshing, feed.loop))
        return self.status

    def on_change(self, callback: Callable[[FlagChange], None]) -> Callable[[], None]:
        """Call `callback` on the event loop for every change from now on. Returns a function that ends that.

        In the child of a fork that has not called `start`, it is called in the thread that follows there.
        """
        self._wake()
        return self._subscriptions.on_change(callback)

    def changes(self) -> AsyncGenerator[FlagChange]:
        """Iterate over changes from this call on, until the client is closed.

        A slow reader gets the latest of each flag.
        """
        self._wake()
        return self._subscriptions.changes()

    def on_status(self, callback: Callable[[Status], None]) -> Callable[[], None]:
        """Call `callback` as `on_change` does, whenever `status.source` is another one. Returns what ends that.

        So an app can tell somebody that its flags are no longer pushed, or that they are again.
        """
        return self._subscriptions.on_status(callback)

    def _progressed(self) -> None:
        source = self._source()
        if source is not self._told:
            self._told = source
            self._subscriptions.publish_status(self.status)

    def _circuit_changed(self, key: str) -> None:
        """Put in force, in whatever thread that is, that a circuit has tripped or closed, and say so once."""
        with self._feed.guard:
            self._ruleset.circuit_changed(key)
            breaker = self._ruleset.circuits.tripped_of(key)
            if (breaker is not None) is (key in self._tripped):
                return
            (self._tripped.discard if breaker is None else self._tripped.add)(key)
        self._feed.circuits_changed()
        if breaker is None:
            logger.warning("flag %r is decided as usual again in this process: a run has ended well", key)
        else:
            cool_down_s = breaker.circuit.cool_down_s
            logger.warning("flag %r is off in this process for %g s: %s", key, cool_down_s, breaker.reason)

    def _source(self) -> Source:
        if self._local is not None:
            return Source.LOCAL
        supervisor, cursor = self._feed.supervisor, self._feed.replica.cursor
        if supervisor.link is Link.OPEN and cursor is not None:
            return Source.STREAM
        if cursor is None:
            return Source.DEFAULTS
        proven_at = supervisor.proven_at if supervisor.proven_at is not None else float("-inf")
        polled_lately = time.monotonic() - proven_at < 3 * self._settings.patience.poll_interval_s
        return Source.POLL if supervisor.polling and polled_lately else Source.LAST_KNOWN

    def _bound(self, context: Context | None, user_id: str | None, attributes: dict[str, Any]) -> BoundFlags:
        if self._asleep:
            self._wake()
        return super()._bound(context, user_id, attributes)

    def _claim(self, loop: asyncio.AbstractEventLoop) -> Feed | None:
        """Return the feed if it is for the caller to begin; None when somebody has begun it already."""
        self._stay_awake()
        with self._guard:
            if self._feed.loop is not None:
                return None
            self._feed.loop = loop
            return self._feed

    async def _end(self, feed: Feed) -> None:
        """Close a feed, and put its successor in its place."""
        try:
            await feed.close()
        finally:
            with self._guard:
                if self._feed is feed and feed.loop is not None:
                    self._feed = feed.successor()

    # Forks.

    def _before_fork(self) -> None:
        self._guard.acquire()
        self._feed.guard.acquire()

    def _after_fork_in_parent(self) -> None:
        self._feed.guard.release()
        self._guard.release()

    def _after_fork_in_child(self) -> None:
        of_parent = self._feed
        followed = self._asleep or (of_parent.loop is not None and not of_parent.closing)
        followed = followed and (self._local is None or self._local.path is not None)
        of_parent.abandon()
        self._of_parents.append(of_parent)  # never collected: a task of the parent would run its `finally`s here
        self._guard = threading.RLock()
        self._subscriptions.forget()
        self._ruleset.drain_usage()  # what was counted until now is the parent's to report
        self._ruleset.drain_runs()
        if self._sampler is not None:
            self._sampler.drain()
        self._feed = of_parent.successor()
        if followed:
            self._asleep = True
            self._live = Asleep(self._wake)  # so that a question wakes it, and costs nobody else a test

    def _stay_awake(self) -> None:
        """End the sleep of a child without following from a thread."""
        with self._guard:
            self._asleep = False
            self._live = self._ruleset.live

    def _wake(self) -> dict[str, CompiledFlag]:
        """Follow from a thread, in the child of a fork that is asked before it has called `start`."""
        with self._guard:
            if self._asleep:
                self._stay_awake()
                try:
                    self._feed.start_in_thread()
                except (RuntimeError, OSError) as error:
                    logger.warning("cannot follow the flags in this process: %s", error)
        return self._ruleset.live


class Asleep(dict[str, CompiledFlag]):
    """What the first question in a child of a fork finds in place of the flags."""

    def __init__(self, wake: Callable[[], dict[str, CompiledFlag]]) -> None:
        super().__init__()
        self._wake = wake

    def __missing__(self, key: str) -> CompiledFlag:
        """Wake up, and answer."""
        return self._wake()[key]


def _disk_path(folder: Path | None, url: str, key: str) -> Path | None:
    """Return the file of this server and key; its name gives neither away."""
    if folder is None:
        return None
    name = hashlib.sha256(f"{url}\0{key}".encode()).hexdigest()[:32]
    return Path(folder) / f"{name}.snapshot"
