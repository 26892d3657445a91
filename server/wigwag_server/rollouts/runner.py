"""Carries out what `plan`, `standing` and `schedule` say is due, in one environment. Every server runs one.

Each tries, after a short random pause in which it mostly hears that another was faster. The commit decides: it is made
on the state in which the step was still to be made, or not at all. So nobody has to be elected, and when the server
that acted last dies, the others are as far as it was.
"""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial

from wigwag_proto.audit import Author
from wigwag_proto.commit import Change, Commit, Epoch
from wigwag_proto.errors import StoreUnavailable
from wigwag_proto.snapshot import Tables
from wigwag_server.environment import Command, Environment
from wigwag_server.problems import Problem
from wigwag_server.rollouts import plan, schedule, standing
from wigwag_server.rollouts.commands import End, Forget, Move, Trip
from wigwag_server.rollouts.counted import Counts, evidence, since_hour
from wigwag_server.rollouts.evidence import Evidence
from wigwag_server.rollouts.plan import Rollout, Seen, found_elapsed, read_rollout, step
from wigwag_server.rollouts.schedule import Schedule, read_schedule
from wigwag_server.rollouts.standing import Begun, Standing, begun, begun_at_ms, read_standing, verdict, window_start_s
from wigwag_server.usage.usage_store import Buckets, Size

logger = logging.getLogger(__name__)

WIGWAG = "wigwag"
KINDS = frozenset({"flag", plan.RECORD, standing.RECORD, schedule.RECORD})
LOOK_S = 1.0
JITTER_S = 0.25

Stamp = tuple[str, int, int]
# Makes the command that a schedule is for. Raises Problem.
Scheduled = Callable[[Schedule], Command]
Work = Callable[[], Awaitable[None]]


class Runner:
    """Follows an environment as a listener."""

    def __init__(
        self,
        environment: Environment,
        counts: Counts,
        scheduled: Scheduled,
        *,
        look_s: float = LOOK_S,
        wall_s: Callable[[], float] = time.time,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """`wall_s` is what schedules go by, and stages that were found at a start; it may be wrong, and be set."""
        self._environment = environment
        self._counts = counts
        self._scheduled = scheduled
        self._look_s = look_s
        self._wall_s = wall_s
        self._monotonic_s = monotonic_s
        self._changed = asyncio.Event()
        self._began: dict[str, tuple[Stamp, float]] = {}
        self._rng = random.Random()  # noqa: S311 - jitter
        self._guarded: dict[str, Begun] = {}
        self._failed: set[str] = set()

    def loaded(self) -> None:
        """Look anew."""
        self._changed.set()

    def committed(self, epoch: Epoch, commit: Commit) -> None:  # noqa: ARG002 - a listener's signature
        """Look anew, and note on a clock that nobody can set when a stage has begun."""
        for change in commit.changes:
            if change.kind == plan.RECORD and (rollout := read_rollout(change.value)) is not None:
                stamp = _stamp(rollout)
                if self._began.get(change.key, (None,))[0] != stamp:
                    self._began[change.key] = stamp, self._monotonic_s()
            if change.kind in KINDS:
                self._changed.set()

    def elapsed_ms(self, key: str, rollout: Rollout) -> float:
        """Return for how long the stage of a rollout has been in force."""
        stamp, monotonic = _stamp(rollout), self._monotonic_s()
        began = self._began.get(key)
        if began is None or began[0] != stamp:
            began = stamp, monotonic - found_elapsed(rollout, self._now_ms()) / 1000
            self._began[key] = began
        return (monotonic - began[1]) * 1000

    async def seen(self, key: str, rollout: Rollout) -> Seen:
        """Return what is known of a rollout, as far as the counts can be read: without, it stays where it is."""
        elapsed_ms = self.elapsed_ms(key, rollout)
        try:
            counted = await since_hour(self._counts, self._environment.name, key, rollout.since_hour)
        except StoreUnavailable:
            return Seen(elapsed_ms)
        return Seen(elapsed_ms, *counted)

    async def run(self) -> None:
        """Do what is due. Runs until cancelled."""
        while True:
            self._changed.clear()
            busy = True
            if self._environment.replica.cursor is not None and not self._environment.degraded:
                busy = await self.look()
            pause_s = min([self._look_s, *self._due_in_s()]) if busy else None
            with suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._changed.wait()
            await asyncio.sleep(self._rng.uniform(0, JITTER_S))

    async def look(self) -> bool:
        """Look at everything once; say whether there is anything that may become due without a commit."""
        records = self._environment.replica.records
        flags, rollouts = records.get("flag", {}), records.get(plan.RECORD, {})
        self._began = {key: began for key, began in self._began.items() if key in rollouts}
        pending = self._pending()
        running = [
            (key, each)
            for key, plain in list(rollouts.items())
            if (each := read_rollout(plain)) is not None and each.status is plan.Status.RUNNING
        ]
        guards = [
            (key, guard)
            for key, plain in list(records.get(standing.RECORD, {}).items())
            if (guard := read_standing(plain)) is not None
        ]
        gone = [(kind, key) for kind in (plan.RECORD, standing.RECORD) for key in records.get(kind, {}).keys() - flags]
        work: list[tuple[str, Work]] = [
            # First what does not need the counts, which may have to be waited for.
            *((f"schedule {each.id}", partial(self._carry_out, each)) for each in pending if each.at <= self._now_ms()),
            *((f"{kind} of {key}", partial(self._commit, Forget(kind, key))) for kind, key in gone),
            *((f"rollout of {key}", partial(self._move, key, each)) for key, each in running),
            *((f"guard of {key}", partial(self._watch, key, guard)) for key, guard in guards),
        ]
        guarded = {key for key, _ in guards}
        self._guarded = {key: begun_ for key, begun_ in self._guarded.items() if key in guarded}
        self._failed &= {what for what, _ in work}
        for what, do in work:
            await self._alone(what, do)
        return bool(running or guards or pending or self._failed)

    async def _alone(self, what: str, do: Work) -> None:
        """Do one thing. Where it fails, it is said once, tried again at the next look, and holds up nothing else."""
        try:
            await do()
            self._failed.discard(what)
        except StoreUnavailable as error:
            self._complain(what, error)
        except Exception:
            if what not in self._failed:
                logger.exception("the %s in %s cannot be gone on with", what, self._environment.name)
            self._failed.add(what)

    def _due_in_s(self) -> list[float]:
        """Return in how many seconds stages and schedules are due."""
        records, now = self._environment.replica.records, self._now_ms()
        found = [(key, read_rollout(plain)) for key, plain in records.get(plan.RECORD, {}).items()]
        stages = [
            (each.interval_ms - self.elapsed_ms(key, each)) / 1000
            for key, each in found
            if each is not None and each.status is plan.Status.RUNNING and each.stage_at
        ]
        times = [(each.at - now) / 1000 for each in self._pending()]
        return [each for each in (*stages, *times) if each > 0]

    def _pending(self) -> list[Schedule]:
        table = self._environment.replica.records.get(schedule.RECORD, {})
        found = [read_schedule(plain) for plain in list(table.values())]
        return [each for each in found if each is not None and each.status is schedule.Status.PENDING]

    async def _move(self, key: str, rollout: Rollout) -> None:
        seen = Seen(self.elapsed_ms(key, rollout)) if rollout.guard is None else await self.seen(key, rollout)
        due = step(rollout, self._environment.replica.records.get("flag", {}).get(key), self._now_ms(), seen)
        if due is not None:
            await self._commit(Move(key, rollout, due), due.rollout.reason)

    async def _watch(self, key: str, guard: Standing) -> None:
        records = self._environment.replica.records
        buckets = await self._counts.read(
            self._environment.name, key, Size.MINUTE, guard.window_ms // 1000 + Size.MINUTE
        )
        seen = self._judged(key, guard, buckets)
        why = verdict(guard, records.get("flag", {}).get(key), self._now_ms(), seen)
        if why is not None:
            await self._commit(Trip(key, guard, why, self._now_ms()), why)

    def _judged(self, key: str, guard: Standing, buckets: Buckets) -> Evidence:
        """Return the runs of this window, but nothing from before the guard was set or the flag revived."""
        at_ms = begun_at_ms(guard, self._environment.replica.records, key)
        begun_ = self._guarded.get(key)
        if begun_ is None or begun_.at_ms != at_ms:
            this_minute = evidence(buckets.series, buckets.now_s // Size.MINUTE * Size.MINUTE)
            begun_ = self._guarded[key] = begun(at_ms, self._now_ms(), buckets.now_s, this_minute)
        start_s = window_start_s(guard, buckets.now_s)
        if start_s > begun_.from_s:
            return evidence(buckets.series, start_s)
        return evidence(buckets.series, begun_.from_s).since(begun_.base)

    async def _carry_out(self, each: Schedule) -> None:
        by = Author(name=each.by or WIGWAG, comment=each.comment or f"scheduled for {each.local} {each.time_zone}")
        if each.is_missed(self._now_ms()):
            why = "no server could act at that time"
            await self._commit(End(each, schedule.Status.SKIPPED, detail=why), why)
            return
        try:
            await self._environment.commit(End(each, schedule.Status.DONE, self._scheduled(each)), by)
        except Problem as problem:
            failed = End(each, schedule.Status.FAILED, detail=problem.detail)
            await self._commit(failed, problem.detail)

    def _now_ms(self) -> int:
        return round(self._wall_s() * 1000)

    async def _commit(self, command: Command, why: str = "") -> None:
        """Commit on behalf of the server, and log what was done."""
        noted = _Noted(command)
        cursor = await self._environment.commit(noted, Author(name=WIGWAG, comment=why))
        if noted.changes:
            logger.warning("%s in %s: %s %s", command.action, self._environment.name, cursor, why)

    def _complain(self, what: str, error: Exception) -> None:
        if what not in self._failed:
            logger.warning("the %s in %s waits for the store: %s", what, self._environment.name, error)
        self._failed.add(what)


class _Noted:
    """A command that remembers whether there was anything left to do when it was run last."""

    def __init__(self, command: Command) -> None:
        self.action = command.action
        self.changes: Sequence[Change] = ()
        self._command = command

    def __call__(self, records: Tables, revision: int, at: int) -> Sequence[Change]:
        self.changes = self._command(records, revision, at)
        return self.changes


def _stamp(rollout: Rollout) -> Stamp:
    return rollout.id, rollout.stage, rollout.stage_at
