"""One run of a client, from start to close: all of it that lives on one event loop, of one process.

A run is never begun again. A client that is started again, or goes on in the child of a fork, gets the successor of
its last run: a new one, that knows what that one knew.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from wigwag.identity import new_instance
from wigwag.local import ALWAYS_CURRENT, LocalFeed, LocalFlags
from wigwag.local_kills import LocalKills
from wigwag.reports import sendable
from wigwag.sampler import Sampler
from wigwag.settings import Settings
from wigwag.subscriptions import Subscriptions
from wigwag.telemetry import Sources, Telemetry
from wigwag_proto.commit import Commit
from wigwag_proto.disk_io import DiskCopy, load_snapshot
from wigwag_proto.errors import WigwagError
from wigwag_proto.flag import Flag, Kill
from wigwag_proto.http_feed_io import HttpFeed, Upstream
from wigwag_proto.replica import Replica
from wigwag_proto.ruleset import FlagChange, Ruleset
from wigwag_proto.runs import RunCount
from wigwag_proto.snapshot import Snapshot
from wigwag_proto.supervisor import Supervisor
from wigwag_proto.tasks_io import Tasks, finish
from wigwag_proto.telemetry import INSTANCE_HEADER, ROWS_LIMIT, OutcomeRow, instance_header

logger = logging.getLogger(__name__)

DISK_PATIENCE_S = 1.0  # how long a start waits for a disk; what comes later is taken in when it comes


class RefreshFailed(WigwagError):
    """`refresh` got no answer that it could use; the flags are as they were."""


@dataclass(frozen=True, slots=True)
class Shared:
    """What the runs of one client have in common."""

    settings: Settings
    upstream: Upstream | LocalFlags
    disk_path: Path | None
    ruleset: Ruleset
    subscriptions: Subscriptions
    local_kills: LocalKills
    on_progress: Callable[[], None]
    sampler: Sampler | None = None


class Feed:
    """Keeps a ruleset up to date, until it is closed.

    `guard` is held by whoever changes replica and ruleset, so that a fork never copies half a change. No callback
    of the application runs under it.
    """

    def __init__(self, shared: Shared, replica: Replica | None = None, proven_at: float | None = None) -> None:
        self.loop: asyncio.AbstractEventLoop | None = None  # None: not begun
        self.guard = threading.RLock()
        self.replica = replica or Replica(environment="")
        self.supervisor = Supervisor(self.replica, shared.settings.patience, proven_at=proven_at)
        self.disk: DiskCopy | None = None
        self._shared = shared
        self._upstream = shared.upstream
        self._tasks = Tasks()
        self._begun = asyncio.Event()  # start is over, or close has begun
        self._progress = asyncio.Event()
        self._hurry = asyncio.Event()
        self._closing: asyncio.Task[None] | None = None
        self._ended = asyncio.Event()
        self._abandoned = False
        self._threaded = False
        self._told = False  # of a state by the reports
        self._telemetry: Telemetry | None = None
        self._source: HttpFeed | LocalFeed
        if isinstance(shared.upstream, LocalFlags):
            self.supervisor.proven_at = ALWAYS_CURRENT
            self._source = LocalFeed(shared.upstream, self.supervisor, self.take)
        else:
            self._telemetry = _telemetry(shared, shared.upstream)
            self._source = HttpFeed(
                shared.upstream,
                self.supervisor,
                on_loaded=self._loaded,
                on_commit=self._committed,
                on_emergencies=self.kills_changed,
                on_progress=self._progressed,
                guard=self.guard,
                headers={INSTANCE_HEADER: instance_header(self._telemetry.reports.instance)} if self._telemetry else {},
            )
        if shared.disk_path is not None:
            spacing_s = shared.settings.save_spacing_s
            self.disk = DiskCopy(
                shared.disk_path, self.replica.snapshot, spacing_s=spacing_s, retry_s=5 * spacing_s, shared=True
            )

    def successor(self) -> "Feed":
        """Return a run, not begun, that knows what this one knows. This one can no longer change the flags."""
        self._abandoned = True
        replica = Replica(environment="")
        if self.replica.cursor is not None:
            replica.load(self.replica.snapshot())
            replica.emergencies = self.replica.emergencies
        return Feed(self._shared, replica, self.supervisor.proven_at)

    def take(self, snapshot: Snapshot) -> None:
        """Take in a state from elsewhere than the server: from disk, or of a client that has no server."""
        with self.guard:
            if not self._abandoned:
                if self.replica.load(snapshot):
                    self._loaded()
                # Whatever came first, a server or a slow disk: neither knows all that the other does.
                self.replica.add_emergencies(snapshot.emergencies)
                self.kills_changed()
            self._progressed()

    @property
    def closing(self) -> bool:
        """Whether it is being closed, or is closed."""
        return self._closing is not None or self._abandoned

    async def has_begun(self) -> bool:
        """Wait until somebody else's start is over. False: it was closed."""
        await self._begun.wait()
        return not self.closing

    async def start(self) -> None:
        """Begin, on the running event loop; if that is cancelled, nothing is left of it."""
        try:
            await self._start()
        except BaseException:
            self._hurry.set()
            await self._close_here()
            raise

    def start_in_thread(self) -> None:
        """Begin, on an event loop of its own in a daemon thread that ends with the run."""
        loop = self.loop = asyncio.new_event_loop()
        self._threaded = True

        async def run() -> None:
            await self.start()
            await self._ended.wait()

        def follow() -> None:
            with asyncio.Runner(loop_factory=lambda: loop) as runner:
                runner.run(run())

        threading.Thread(target=follow, name="wigwag feed", daemon=True).start()

    def wait_begun(self, timeout_s: float) -> None:
        """Wait, in another thread than it runs in, until the start is over, but no longer than this."""
        assert self.loop is not None
        begun = asyncio.run_coroutine_threadsafe(self.has_begun(), self.loop)
        with suppress(TimeoutError):
            begun.result(timeout_s)

    async def close(self) -> None:
        """End it, from whatever event loop, in `close_timeout_s` at the latest. What will not end is abandoned."""
        if self.loop is None:
            return
        if self.loop is asyncio.get_running_loop():
            await self._close_here()
        elif not self._abandoned:
            if not self.loop.is_closed() and (self._threaded or self.loop.is_running()):
                ended = asyncio.run_coroutine_threadsafe(self._close_here(), self.loop)
                await asyncio.wait({asyncio.wrap_future(ended)}, timeout=self._shared.settings.close_timeout_s)
                if ended.done():
                    return
            self.abandon()

    def abandon(self) -> None:
        """Touch nothing of it any more: it belongs to another process, or to an event loop that is stuck or gone."""
        self._abandoned = True
        self._source.abandon()
        if self._telemetry is not None:
            self._telemetry.abandon()

    async def refresh(self, timeout_s: float) -> None:
        """Wait for the newest state. Raises RefreshFailed."""
        if self.closing:
            raise RefreshFailed("the client is closed")
        request = self._source.refresh()
        try:
            async with asyncio.timeout(timeout_s):
                while self.supervisor.answered < request:
                    if self.closing:
                        raise RefreshFailed("the client was closed")
                    self._progress.clear()
                    await self._progress.wait()
        except TimeoutError:
            raise RefreshFailed(f"no answer within {timeout_s} s") from None
        if (failure := self.supervisor.answer_failure) is not None:
            raise RefreshFailed(failure.message)

    async def _start(self) -> None:
        settings, local_kills = self._shared.settings, self._shared.local_kills
        reading = [self._tasks.start("wigwag kill file", local_kills.look())]
        if self.disk is not None:
            reading.append(self._tasks.start("wigwag snapshot from disk", self._load(self.disk.path)))
        await asyncio.wait(reading, timeout=DISK_PATIENCE_S)
        if self.closing:
            return
        self.kills_changed()
        if self.disk is not None:
            self._tasks.start("wigwag snapshot on disk", self.disk.run())
        self._tasks.start("wigwag unknown flags", self._report_unknown())
        if settings.kill_file is not None:
            self._tasks.start("wigwag kill file", local_kills.run())
        if self._telemetry is not None:
            self._tasks.start("wigwag telemetry", self._telemetry.run())
        await self._source.start()
        await self._source.settled(settings.start_timeout_s)
        self._begun.set()

    async def _report_unknown(self) -> None:
        """Say once of each name that code asks for a flag that does not exist; decisions themselves never log."""
        while True:
            await asyncio.sleep(self._shared.settings.report_unknown_s)
            for name in self._shared.ruleset.usage.drain_unknown():
                logger.warning("code asks for flag %r, which does not exist: its default decides", name)

    async def _load(self, path: Path) -> None:
        snapshot = await asyncio.to_thread(load_snapshot, path)
        if snapshot is not None:
            self.take(snapshot)

    async def _close_here(self) -> None:
        if self._closing is None:
            self._closing = asyncio.create_task(self._close(), name="wigwag close")
        await finish(self._closing, self._hurry.set)

    async def _close(self) -> None:
        """Close the connections first, so that nothing changes any more, and then use the time for the disk."""
        end = time.monotonic() + self._shared.settings.close_timeout_s
        try:
            self._begun.set()
            self._progress.set()
            await self._source.close(max(0.1, end - time.monotonic()))
            if not self._hurry.is_set() and not self._abandoned:
                work = [
                    self._tasks.start("wigwag last words", self._last_words()),
                    self._tasks.start("wigwag hurry", self._hurry.wait()),
                ]
                left_s = max(0.0, end - time.monotonic())
                await asyncio.wait(work, timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
            await self._tasks.close(max(0.1, end - time.monotonic()))
            if self._telemetry is not None and not self._abandoned:
                await self._telemetry.close()
        finally:
            self._abandoned = True
            self._ended.set()

    async def _last_words(self) -> None:
        """Bring to the disk what is not there yet, and to the server what was counted; neither waits for the other."""
        async with asyncio.TaskGroup() as tasks:
            if self.disk is not None:
                tasks.create_task(self.disk.flush(), name="wigwag last write")
            if self._telemetry is not None:
                tasks.create_task(self._telemetry.farewell(), name="wigwag farewell")

    # What the feed reports.

    def _loaded(self) -> None:
        cursor = self.replica.cursor
        if cursor is not None and not self._abandoned:
            changes = self._shared.ruleset.load(self.replica.records, cursor.revision)
            # What a client begins with, it says when it opens its stream.
            self._in_force(changes, urgent=self._told)
            self._changed(changes)

    def _committed(self, commit: Commit) -> None:
        if not self._abandoned:
            changes = self._shared.ruleset.apply(commit.changes, commit.revision)
            self._in_force(changes, urgent=True, absorbed=bool(commit.absorbs))
            self._changed(changes)

    def _in_force(self, changes: list[FlagChange], *, urgent: bool, absorbed: bool = False) -> None:
        """Take note for the reports that the state which the replica is at is in force now."""
        self._told = True
        if self._telemetry is not None:
            kills = urgent and (absorbed or any(_kill(change.before) != _kill(change.after) for change in changes))
            spread_s = self.supervisor.confirm_spread_s
            self._telemetry.applied(str(self.replica.cursor), urgent=kills, spread_s=spread_s)

    def kills_changed(self) -> None:
        """Put all kills that are not in the log into force: emergencies of a server, and those of this machine."""
        if self._abandoned:
            return
        with self.guard:
            emergencies = {
                key: Kill(by=emergency.by, reason=emergency.reason, at=emergency.at)
                for emergency in self.replica.emergencies
                for key in emergency.keys
            }
            kills = {**emergencies, **self._shared.local_kills.kills()}
            self._changed(self._shared.ruleset.kill_out_of_band(kills))

    def circuits_changed(self) -> None:
        """Have it reported soon that a circuit has tripped or closed. Called in whatever thread that happened."""
        if self._telemetry is not None and self.loop is not None and not self.closing:
            with suppress(RuntimeError):  # the loop is closed: nobody reports any more
                self.loop.call_soon_threadsafe(self._telemetry.circuits_changed)

    def _changed(self, changes: list[FlagChange]) -> None:
        if self.disk is not None and self.replica.cursor is not None:
            self.disk.changed()
        self._shared.subscriptions.publish(changes)

    def _progressed(self) -> None:
        if not self._abandoned:
            self._shared.ruleset.proven_at = self.supervisor.proven_at
        self._progress.set()
        self._shared.on_progress()


def outcome_row(run: RunCount) -> OutcomeRow:
    """Return how the code behind a flag fared as a report carries it. A cancelled run is neither good nor bad."""
    calls = run.successes + run.errors + run.cancelled
    variant = None if run.variant is None else sendable(run.variant)
    return OutcomeRow(
        sendable(run.flag), run.enabled, calls, run.errors, round(run.seconds * 1000), list(run.durations), variant
    )


def _telemetry(shared: Shared, upstream: Upstream) -> Telemetry | None:
    """Return what reports for one run, under an identity of its own; None where nothing is to be reported."""
    settings, usage = shared.settings, shared.ruleset.usage
    if settings.report_every_s <= 0:
        return None
    sources = Sources(
        usage=lambda: usage.drain_in_steps(shared.ruleset.live),
        outcomes=lambda: [outcome_row(run) for run in shared.ruleset.drain_runs(ROWS_LIMIT)],
        sampler=shared.sampler,
        tripped=shared.ruleset.tripped,
    )
    return Telemetry(upstream, new_instance(settings.label), sources, every_s=settings.report_every_s)


def _kill(flag: Flag | None) -> Kill | None:
    return None if flag is None else flag.kill
