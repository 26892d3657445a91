"""Where a revision is in force, and where not: the verdict on what the roster says. Pure."""

from collections.abc import Sequence
from enum import StrEnum
from math import ceil

import msgspec

from wigwag_proto.commit import Cursor
from wigwag_server.instances.roster import SILENT_US, Frozen, Look, Seat, Via

# Who lost the connection so shortly before a commit is about to come back, and may still decide by the old state:
# a client waits for up to 30 s before it connects again.
COMING_BACK_US = 35 * 1_000_000


class Standing(StrEnum):
    """How an instance stands to a revision."""

    CONFIRMED = "confirmed"
    PENDING = "pending"  # connected, and has not confirmed
    LOST = "lost"  # its connection ended without a word, and it has not come back
    UNKNOWN = "unknown"  # its server died, and it has not been heard of since
    LEFT = "left"  # it said that it closes


class Times(msgspec.Struct, frozen=True):
    """Milliseconds from the commit until it was in force; None where nobody has confirmed."""

    p50: float | None
    p99: float | None
    max: float | None


class Propagation(msgspec.Struct, frozen=True, rename="camel"):
    """`standing` has every instance that had to take part; those that left in order do not keep it from completion."""

    frozen: bool
    standing: dict[str, Standing]
    since_us: dict[str, int]  # of those who have not confirmed: since when they are where they are
    ms: Times
    anonymous: int
    servers: int
    committed_us: int | None

    @property
    def complete(self) -> bool:
        """Whether everybody who is not gone for good has confirmed."""
        return all(standing in (Standing.CONFIRMED, Standing.LEFT) for standing in self.standing.values())

    def ids(self, standing: Standing) -> list[str]:
        """Return who stands so."""
        return [id_ for id_, each in self.standing.items() if each is standing]


def propagation(look: Look, epoch: str, revision: int) -> Propagation:
    """Judge. Where nothing was frozen for the revision, it is about those who are connected now, without times."""
    frozen = look.frozen
    seats = look.seats if frozen is None else _had_to_take_part(frozen)
    if frozen is not None:
        epoch, revision = frozen.epoch, frozen.revision
    standing: dict[str, Standing] = {}
    since_us: dict[str, int] = {}
    took_us: list[int] = []
    for id_, then in seats.items():
        at_us = None if frozen is None else frozen.confirmed.get(id_)
        if at_us is None and (applied := look.applied.get(id_)) and _includes(applied.cursor, epoch, revision):
            at_us = applied.at_us
        if at_us is not None:
            standing[id_] = Standing.CONFIRMED
            if frozen is not None:
                took_us.append(max(0, at_us - frozen.committed_us))
            continue
        standing[id_], since_us[id_] = _unconfirmed(look, then, look.seats.get(id_))
    alive = [seen for seen in look.servers.values() if look.now_us - seen.at_us <= SILENT_US]
    return Propagation(
        frozen=frozen is not None,
        standing=standing,
        since_us=since_us,
        ms=times(took_us),
        anonymous=sum(seen.note.anonymous for seen in alive),
        servers=len(alive),
        committed_us=None if frozen is None else frozen.committed_us,
    )


def is_alive(look: Look, server: str) -> bool:
    """Say whether a server has given a sign of life lately."""
    seen = look.servers.get(server)
    return seen is not None and look.now_us - seen.at_us <= SILENT_US


def times(took_us: Sequence[int]) -> Times:
    """Return percentiles by the nearest rank."""
    if not took_us:
        return Times(None, None, None)
    ordered = sorted(took_us)

    def rank(share: float) -> float:
        return round(ordered[max(0, ceil(share * len(ordered)) - 1)] / 1000, 1)

    return Times(rank(0.5), rank(0.99), rank(1))


def _had_to_take_part(frozen: Frozen) -> dict[str, Seat]:
    """Return who was connected when it was committed, or was to be back in a moment."""
    return {
        id_: seat
        for id_, seat in frozen.seats.items()
        if seat.via in (Via.STREAM, Via.POLL)
        or (seat.via is Via.LOST and frozen.committed_us - seat.since_us < COMING_BACK_US)
    }


def _includes(cursor: str, epoch: str, revision: int) -> bool:
    """Say whether a state came after a revision of the same history; of another one that cannot be told."""
    state = Cursor.parse(cursor)
    return str(state.epoch) == epoch and state.revision >= revision


def _unconfirmed(look: Look, then: Seat, now: Seat | None) -> tuple[Standing, int]:
    if now is None:
        return (Standing.LOST if is_alive(look, then.server) else Standing.UNKNOWN), then.since_us
    if now.via is Via.LEFT:
        return Standing.LEFT, now.since_us
    if now.via is Via.LOST:
        return Standing.LOST, now.since_us
    if is_alive(look, now.server):
        return Standing.PENDING, now.since_us
    return Standing.UNKNOWN, look.servers[now.server].at_us if now.server in look.servers else now.since_us
