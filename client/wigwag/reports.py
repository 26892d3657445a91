"""What a client reports, and when: a kill is confirmed at once (or when the server wants it), all else now and then.

Pure: times are monotonic seconds and passed in, and so is the random generator. `wigwag.telemetry` sends.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from types import MappingProxyType

from wigwag_proto.backoff import RECONNECT, REFUSED, Backoff
from wigwag_proto.telemetry import (
    APPLIED_LIMIT,
    LONGEST_NAME,
    ROWS_LIMIT,
    TRIPPED_LIMIT,
    AppliedState,
    Instance,
    OutcomeRow,
    Telemetry,
    TrippedRow,
    UsageRow,
)
from wigwag_proto.usage import UsageCount

# A batch that may have been counted is given up after this; the server remembers what it counted for longer.
BATCH_DOUBTFUL_S = 900.0
# A report competes with what the app has to do right after a kill, and with other apps that are still to hear of it.
# How long it was held back does not count as time to effect.
LEAST_SPREAD_S = 0.02
LONGEST_HELD_MS = 86_400_000.0
NONE_TRIPPED: Mapping[str, float] = MappingProxyType({})


@dataclass(slots=True)
class Batch:
    """Counts that are not known to have arrived. `in_doubt`: they may have."""

    number: int
    drained_at: float
    usage: list[UsageRow]
    outcomes: list[OutcomeRow]
    in_doubt: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """One report as it is sent, and what is done with once it has arrived."""

    body: Telemetry
    urgent: tuple[tuple[str, float], ...]
    newest: tuple[str, float] | None
    batch: Batch | None
    tripped: frozenset[str] | None = None


class Reports:
    """Decides for one run of a client. At most one report is under way at a time.

    While counts wait to be sent, no more are drained: they stay in their tallies, which do not grow.
    """

    def __init__(self, instance: Instance, now: float, rng: Random, *, every_s: float) -> None:
        self.instance = instance
        self.failing = False
        self._rng = rng
        self._every_s = every_s
        self._count_at = now + rng.uniform(0.5, 1.0) * every_s
        self._confirm_at: float | None = None
        self._retry_at = 0.0
        self._urgent: deque[tuple[str, float]] = deque(maxlen=APPLIED_LIMIT - 1)
        self._newest: tuple[str, float] | None = None
        self._tripped: frozenset[str] = frozenset()  # as the server knows it
        self._circuits_changed = False
        self._outbox: deque[Batch] = deque()
        self._numbered = 0
        self._backoff: Backoff = RECONNECT
        self._refused: Backoff = REFUSED

    @property
    def due_at(self) -> float:
        """When the next report is due."""
        due = self._count_at if self._confirm_at is None else min(self._count_at, self._confirm_at)
        return max(due, self._retry_at)

    @property
    def empty(self) -> bool:
        """Whether no counts wait to be sent, so that it is time to drain more."""
        return not self._outbox

    def applied(self, cursor: str, now: float, *, urgent: bool, spread_s: float = 0.0) -> None:
        """Note that a state is in force since now. Urgent: a kill was made or lifted with it."""
        if urgent:
            self._urgent.append((cursor, now))
            if self._confirm_at is None:
                self._confirm_at = now + self._rng.uniform(0, max(spread_s, LEAST_SPREAD_S))
            if self._refused is REFUSED:
                self._retry_at = 0.0  # the server may be well again; a kill is worth a try
        else:
            self._newest = cursor, now

    def circuits_changed(self, now: float) -> None:
        """Note that a circuit has tripped or closed: who operates the flags should see it while it is so."""
        self._circuits_changed = True
        if self._confirm_at is None:
            self._confirm_at = now + self._rng.uniform(0, LEAST_SPREAD_S)

    def counting_due(self, now: float) -> bool:
        """Say whether it is time for the counts too, and not for a kill alone."""
        return now >= self._count_at

    def add(self, counts: Sequence[UsageCount], outcomes: Sequence[OutcomeRow], now: float) -> None:
        """Take drained counts in."""
        rows = [_row(count) for count in counts]
        for begin in range(0, max(len(rows), len(outcomes)), ROWS_LIMIT):
            self._numbered += 1
            end = begin + ROWS_LIMIT
            self._outbox.append(Batch(self._numbered, now, rows[begin:end], list(outcomes[begin:end])))

    def next(self, now: float, *, closing: bool = False, tripped: Mapping[str, float] = NONE_TRIPPED) -> Report | None:
        """Return what is to be sent now; None when there is nothing to say.

        `tripped` are the flags whose circuit is tripped, since when. They are told when they are others than the server
        knows of, and again with each count: the server may have forgotten.
        """
        circuits = frozenset(tripped) if frozenset(tripped) != self._tripped or tripped else None
        urgent, newest = tuple(self._urgent), self._newest
        confirming = self._confirm_at is not None and now >= self._confirm_at
        counting = self.counting_due(now) or closing
        while self._outbox and self._outbox[0].in_doubt and now - self._outbox[0].drained_at > BATCH_DOUBTFUL_S:
            self._outbox.popleft()
        batch = self._outbox[0] if self._outbox and counting else None
        if not (confirming or closing or batch or (counting and (urgent or newest or circuits is not None))):
            self._count_at = now + self._every_s
            return None
        self._circuits_changed = False
        states = [*urgent, *([newest] if newest else [])]
        body = Telemetry(
            instance=self.instance,
            applied=[AppliedState(cursor, min((now - at) * 1000, LONGEST_HELD_MS)) for cursor, at in states],
            batch=batch.number if batch else 0,
            usage=batch.usage if batch else [],
            outcomes=batch.outcomes if batch else [],
            tripped=None if circuits is None else _rows(tripped, now),
            closing=closing and len(self._outbox) <= 1,
        )
        return Report(body, urgent, newest, batch, circuits)

    def sent(self, report: Report, now: float) -> None:
        """Note that a report has arrived."""
        self.failing = False
        self._backoff, self._refused, self._retry_at = self._backoff.reset(), REFUSED, 0.0
        self._done(report, now)

    def dropped(self, report: Report, now: float) -> None:
        """Note that the server will never take this report."""
        self._done(report, now)

    def failed(self, report: Report, now: float, *, refused: bool, in_doubt: bool, retry_after_s: float) -> None:
        """Note that a report has not arrived, or is not known to have. `refused`: no other one would have either."""
        self.failing = True
        if report.batch is not None and in_doubt:
            report.batch.in_doubt = True
        if refused:
            delay_s, self._refused = self._refused.after_failure(self._rng)
        else:
            delay_s, self._backoff = self._backoff.after_failure(self._rng)
        self._retry_at = now + max(delay_s, retry_after_s)

    def _done(self, report: Report, now: float) -> None:
        while self._urgent and self._urgent[0] in report.urgent:
            self._urgent.popleft()
        if report.tripped is not None:
            self._tripped = report.tripped
        if not self._urgent and not self._circuits_changed:
            self._confirm_at = None
        elif self._confirm_at is not None:
            self._confirm_at = max(self._confirm_at, now)
        if self._newest == report.newest:
            self._newest = None
        if report.batch is not None and self._outbox and self._outbox[0] is report.batch:
            self._outbox.popleft()
        if self.counting_due(now) and not self._outbox:
            self._count_at = now + self._every_s


def _row(count: UsageCount) -> UsageRow:
    variant = None if count.variant is None else sendable(count.variant)
    return UsageRow(sendable(count.flag), count.enabled, count.reason.value, min(count.count, 2**40), variant)


def _rows(tripped: Mapping[str, float], now: float) -> list[TrippedRow]:
    return [TrippedRow(sendable(key), max(0.0, now - at) * 1000) for key, at in list(tripped.items())[:TRIPPED_LIMIT]]


def sendable(name: str) -> str:
    """Return a name that JSON can hold: code may ask for anything, also for half a character."""
    return name[:LONGEST_NAME].encode(errors="replace").decode()
