"""The instances that one server has in one environment, and what they say, on its way into the roster.

Nothing here waits: what happens is noted, and `flush` writes it, many at a time. What the store does not take stays,
within bounds, until it does.
"""

import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from wigwag_proto.commit import Change, Commit, Cursor, Epoch
from wigwag_proto.errors import MalformedCursor
from wigwag_proto.replica import Replica
from wigwag_proto.telemetry import Instance, Telemetry, read_instance_header
from wigwag_server.instances.roster import TRACKED, Changes, Confirmation, Roster, ServerNote, Via

# A client that polls comes every 5 s; after three polls that did not come it is lost.
POLL_SILENT_S = 16.0
# So many states of an instance may wait to be written, on average.
CURSORS = 4


@dataclass(slots=True)
class Here:
    """An instance that is connected to this server: by so many streams, or by polling."""

    instance: Instance
    streams: int = 0
    polled_at: float | None = None


@dataclass(frozen=True, slots=True)
class Heard:
    """A commit that is to be proven, and when this server heard of it (monotonic seconds)."""

    epoch: str
    revision: int
    at: float


class Presence:
    """Notes who comes and goes. Follows the environment as a listener, to freeze the roster when a kill is made."""

    def __init__(self, replica: Replica, roster: Roster, wake: Callable[[], None], *, limit: int) -> None:
        self.name = replica.environment
        self.streams = 0
        self.anonymous = 0
        self._replica = replica
        self._roster = roster
        self._wake = wake
        self._limit = limit
        self._here: dict[str, Here] = {}
        self._polling: dict[str, Here] = {}
        self._seated: dict[str, None] = {}
        self._lost: dict[str, None] = {}
        self._left: dict[str, None] = {}
        self._applied: dict[tuple[str, str], float] = {}  # instance and cursor, to when it was in force at the latest
        self._latest: dict[str, str] = {}  # what is in the roster already
        self._heard: deque[Heard] = deque(maxlen=TRACKED)
        self._kills: dict[str, Any] = {}

    @property
    def instances(self) -> int:
        """How many are connected here."""
        return len(self._here)

    @property
    def behind(self) -> int:
        """How many of those have not said yet that the state now in force here is in force there."""
        cursor = str(self._replica.cursor)
        return sum(1 for id_ in self._here if self._latest.get(id_) != cursor and (id_, cursor) not in self._applied)

    # What happens at the streams and routes.

    def opened(self, header: str | None, last_event_id: str | None) -> Here | None:
        """Seat whoever opened a stream, until `closed` is told of the seat; None: it does not say who it is."""
        self.streams += 1
        here = self._enter(read_instance_header(header))
        if here is None:
            self.anonymous += 1
        else:
            here.streams += 1
            self._polls_no_more(here)
            self._seat(here.instance.id)
            self._holds(here.instance.id, last_event_id)
        return here

    def closed(self, here: Here | None) -> None:
        """Take note that a stream has ended."""
        self.streams -= 1
        if here is None:
            self.anonymous -= 1
        else:
            here.streams -= 1
            self._leave_if_gone(here)

    def polled(self, header: str | None, cursor: str | None) -> None:
        """Have whoever asked for a snapshot seated, until it has not done so for a while."""
        here = self._enter(read_instance_header(header))
        if here is None:
            return
        self._holds(here.instance.id, cursor)
        if here.streams == 0:
            if here.polled_at is None:
                self._polling[here.instance.id] = here
                self._seat(here.instance.id)
            here.polled_at = time.monotonic()

    def heard(self, telemetry: Telemetry) -> None:
        """Take a report in, of an instance that may be connected to another server."""
        now, id_ = time.monotonic(), telemetry.instance.id
        for state in telemetry.applied:
            self._confirm(id_, state.cursor, now - state.held_ms / 1000)
        if telemetry.closing:
            here = self._here.get(id_)
            if here is not None and here.streams == 0:
                self._polls_no_more(here)
                del self._here[id_]
            self._seated.pop(id_, None)
            self._lost.pop(id_, None)
            self._left[id_] = None
            self._latest.pop(id_, None)
            self._bound(self._left)
            self._wake()

    # As a listener.

    def loaded(self) -> None:
        """Take the kills in force as they are: how they came about is not known."""
        flags = self._replica.records.get("flag", {})
        self._kills = {key: kill for key, flag in flags.items() if (kill := _kill(flag)) is not None}

    def committed(self, epoch: Epoch, commit: Commit) -> None:
        """Have the roster frozen when a kill was made or lifted."""
        changed = [self._changes_kill(change) for change in commit.changes]  # every one of them is taken in
        if any(changed):
            self._heard.append(Heard(str(epoch), commit.revision, time.monotonic()))
            self._wake()

    def freezing(self, revision: int) -> bool:
        """Say whether the roster is still to be frozen for a revision."""
        return any(heard.revision == revision for heard in self._heard)

    # Into the roster.

    async def flush(self, server_id: str, server_name: str) -> None:
        """Write what has happened. Raises StoreUnavailable, and then nothing is forgotten."""
        self._expire_polls()
        note = ServerNote(server_id, server_name, self.streams, self.anonymous)
        known, own = await self._flush_seats(note)
        if not known:
            # The roster is new, or was lost with what was in it: a kill must not find nobody there.
            _, own = await self._flush_seats(note)
        while self._heard:
            heard = self._heard[0]
            ago_us = round((time.monotonic() - heard.at) * 1e6)
            await self._roster.freeze(self.name, heard.epoch, heard.revision, ago_us, own)
            if self._heard and self._heard[0] is heard:
                self._heard.popleft()
        await self._flush_applied()

    async def close(self, server_id: str, server_name: str) -> None:
        """Say that this server has stopped, and with it whatever connections it had."""
        self._lost.update(dict.fromkeys(self._here))
        await self.flush(server_id, server_name)
        await self._roster.farewell(self.name, server_id)

    async def _flush_seats(self, note: ServerNote) -> tuple[bool, list[str]]:
        """Write who came and went; say whether this server was known to the roster, and who came."""
        seated, self._seated = self._seated, {}
        lost, self._lost = self._lost, {}
        left, self._left = self._left, {}
        here = [self._here[id_] for id_ in seated if id_ in self._here]
        changes = Changes([(each.instance, _via(each)) for each in here], list(lost), list(left))
        try:
            known = await self._roster.update(self.name, note, changes)
        except BaseException:
            self._seated = {**seated, **self._seated}
            self._lost = {**{id_: None for id_ in lost if id_ not in self._seated}, **self._lost}
            self._left = {**left, **self._left}
            raise
        if not known:
            self._seated |= dict.fromkeys(self._here)
            now = time.monotonic()
            self._applied = {**dict.fromkeys(self._latest.items(), now), **self._applied}
            self._latest.clear()
        return known, [each.instance.id for each in here]

    async def _flush_applied(self) -> None:
        # Who came while the seats were written has none yet. A roster forgets what it is told of somebody without a
        # seat, so that waits for the next time, with the seat.
        early = {entry: at for entry, at in self._applied.items() if entry[0] in self._seated}
        applied = {entry: at for entry, at in self._applied.items() if entry not in early}
        self._applied = early
        now = time.monotonic()
        entries = [Confirmation(id_, cursor, max(0, round((now - at) * 1e6))) for (id_, cursor), at in applied.items()]
        if not entries:
            return
        try:
            await self._roster.confirm(self.name, entries)
        except BaseException:
            self._applied = {**self._applied, **applied}
            raise
        for id_, cursor in applied:
            self._latest[id_] = cursor
        self._bound(self._latest)

    # Who is here.

    def _enter(self, instance: Instance | None) -> Here | None:
        """Return the entry of an instance; None for one that cannot be told from others."""
        if instance is None:
            return None
        here = self._here.get(instance.id)
        if here is None:
            if len(self._here) >= self._limit:
                return None
            here = self._here[instance.id] = Here(instance)
        return here

    def _seat(self, id_: str) -> None:
        self._lost.pop(id_, None)
        self._seated[id_] = None
        self._wake()

    def _leave_if_gone(self, here: Here) -> None:
        id_ = here.instance.id
        if here.streams or here.polled_at is not None or self._here.get(id_) is not here:
            return
        del self._here[id_]
        self._latest.pop(id_, None)
        self._seated.pop(id_, None)
        self._lost[id_] = None
        self._bound(self._lost)
        self._wake()

    def _polls_no_more(self, here: Here) -> None:
        here.polled_at = None
        self._polling.pop(here.instance.id, None)

    def _expire_polls(self) -> None:
        silent_since = time.monotonic() - POLL_SILENT_S
        for here in list(self._polling.values()):
            if here.polled_at is None or here.polled_at < silent_since:
                self._polls_no_more(here)
                self._leave_if_gone(here)

    # Who has what in force.

    def _holds(self, id_: str, cursor: str | None) -> None:
        """Take it that a client which asks for what came after a state has that in force."""
        if cursor:
            with suppress(MalformedCursor):
                self._confirm(id_, str(Cursor.parse(cursor)), time.monotonic())

    def _confirm(self, id_: str, cursor: str, at: float) -> None:
        if self._latest.get(id_) == cursor:
            return
        if id_ not in self._here and len(self._applied) >= self._limit:
            return  # who is here goes first
        known = self._applied.setdefault((id_, cursor), at)
        if at < known:
            self._applied[id_, cursor] = at
        self._bound(self._applied, CURSORS * self._limit)
        self._wake()

    def _bound(self, noted: dict[Any, Any], limit: int | None = None) -> None:
        """Forget the oldest beyond the limit: a store that is away must not fill the memory of this server."""
        while len(noted) > (limit or self._limit):
            del noted[next(iter(noted))]

    def _changes_kill(self, change: Change) -> bool:
        if change.kind != "flag":
            return False
        before, after = self._kills.pop(change.key, None), _kill(change.value)
        if after is not None:
            self._kills[change.key] = after
        return bool(before != after)


def _kill(flag: Any) -> Any:
    return flag.get("kill") if isinstance(flag, Mapping) else None


def _via(here: Here) -> Via:
    return Via.STREAM if here.streams else Via.POLL
