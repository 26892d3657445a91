"""The roster and the usage store of a relay: those of its upstream, who may be a relay as well.

What a server writes into its store many at a time, a relay sends up many at a time. Nothing waits here: what was not
taken stays with whoever wanted to write it, who tries again and says then how long ago it was. So a report is
acknowledged to a client once it is in the store, however many relays are between.
"""

# ruff: noqa: ARG002 - the signatures are those of the stores

from collections.abc import Iterator, Sequence
from dataclasses import replace
from io import BytesIO
from typing import TypeVar

import aiohttp
import msgspec
from msgspec import structs

from wigwag_proto.errors import StoreUnavailable
from wigwag_proto.http_feed_io import Upstream
from wigwag_proto.telemetry import Instance
from wigwag_server.instances.roster import Changes, Confirmation, Look, ServerNote, Tripped
from wigwag_server.relay.beside_bodies import (
    LONGEST_AGO_US,
    BatchBody,
    ConfirmationBody,
    CountBody,
    FreezeBody,
    RelayedAnswer,
    RelayedBody,
    SeatBody,
    TrippedBody,
)
from wigwag_server.relay.no_store import Elsewhere
from wigwag_server.usage.usage_store import Batch, Buckets, Size, Unknown

PATH = "/v1/relayed"
PIECE = 1000  # of what is sent at a time: far below what a body may hold
PIECE_BYTES = 256 * 1024  # of batches; one alone may be larger
TRIPPED_PIECE = 100  # of instances, each of which may have a hundred tripped circuits
Item = TypeVar("Item")


class UpstreamSide:
    """Sends to one upstream, over one session that is opened when it is first needed."""

    def __init__(self, upstream: Upstream) -> None:
        self.url = upstream.url
        self._upstream = replace(upstream, log=None)
        self._session: aiohttp.ClientSession | None = None

    async def send(self, body: RelayedBody) -> bool:
        """Send, and return whether the upstream knew this relay. Raises StoreUnavailable."""
        upstream = self._upstream
        if self._session is None:
            self._session = aiohttp.ClientSession(
                headers={"Authorization": f"Bearer {upstream.key}", "Content-Type": "application/json"},
                timeout=aiohttp.ClientTimeout(
                    total=upstream.request_timeout_s, sock_connect=upstream.connect_timeout_s
                ),
            )
        try:
            async with self._session.post(
                upstream.at(PATH), data=BytesIO(msgspec.json.encode(body)), allow_redirects=False
            ) as response:
                data = await response.read()
                if response.status != 200:
                    raise StoreUnavailable(f"{upstream.url} answers HTTP {response.status}: {data[:200]!r}")
                return msgspec.json.decode(data, type=RelayedAnswer).known
        except (aiohttp.ClientError, OSError, TimeoutError, msgspec.MsgspecError) as error:
            raise StoreUnavailable(f"{upstream.url}: {str(error) or type(error).__name__}") from error

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()


class UpstreamRoster:
    """The roster, as far as a relay has to do with it."""

    def __init__(self, side: UpstreamSide) -> None:
        self._side = side

    async def update(self, environment: str, note: ServerNote, changes: Changes) -> bool:
        """Send a sign of life, and who came and went."""
        known = True
        sign = RelayedBody(
            environment=environment,
            server=note.id,
            name=note.name,
            streams=note.streams,
            anonymous=note.anonymous,
            update=True,
        )
        parts = [
            *(structs.replace(sign, lost=tuple(some)) for some in _pieces(changes.lost, PIECE)),
            *(structs.replace(sign, left=tuple(some)) for some in _pieces(changes.left, PIECE)),
            *(
                structs.replace(sign, seated=tuple(SeatBody(*each) for each in some))
                for some in _pieces(changes.seated, PIECE)
            ),
        ]
        for number, part in enumerate(parts or [sign]):
            before = await self._side.send(part)
            known = before if number == 0 else known
        return known

    async def farewell(self, environment: str, server: str) -> None:
        """Say that this relay has stopped in order."""
        await self._side.send(RelayedBody(environment=environment, server=server, farewell=True))

    async def freeze(
        self, environment: str, epoch: str, revision: int, heard_ago_us: int, own: Sequence[str] = ()
    ) -> None:
        """Have the roster kept as it is; the upstream, which heard of it before, has most likely done so."""
        freeze = FreezeBody(epoch, revision, _ago(heard_ago_us))
        for some in _pieces(own, PIECE) if own else ((),):
            body = structs.replace(freeze, own=tuple(some))
            await self._side.send(RelayedBody(environment=environment, freeze=body))

    async def confirm(self, environment: str, confirmations: Sequence[Confirmation]) -> None:
        """Send who has what in force."""
        for some in _pieces(confirmations, PIECE):
            bodies = tuple(ConfirmationBody(each.instance, each.cursor, _ago(each.ago_us)) for each in some)
            await self._side.send(RelayedBody(environment=environment, confirm=bodies))

    async def trip(self, environment: str, tripped: Sequence[Tripped]) -> None:
        """Send which circuits are tripped."""
        for some in _pieces(tripped, TRIPPED_PIECE):
            bodies = tuple(
                TrippedBody(each.instance, {flag: _ago(ago_us) for flag, ago_us in each.ago_us.items()})
                for each in some
            )
            await self._side.send(RelayedBody(environment=environment, tripped=bodies))

    async def look(self, environment: str, revision: int | None = None) -> Look:
        """Refuse: whoever wants to know asks the upstream."""
        raise Elsewhere(self._side.url)

    async def names(self, environment: str, ids: Sequence[str]) -> dict[str, Instance]:
        """Refuse."""
        raise Elsewhere(self._side.url)

    async def reap(self, environment: str) -> None:
        """Leave it to the servers of the store."""

    async def close(self) -> None:
        """Close the connections."""
        await self._side.close()


class UpstreamUsage:
    """The usage store, as far as a relay has to do with it."""

    def __init__(self, side: UpstreamSide) -> None:
        self._side = side

    async def add(self, environment: str, batches: Sequence[Batch]) -> None:
        """Send the batches; one that was added before is not added again, here as there."""
        for some in _by_size(batches):
            await self._side.send(RelayedBody(environment=environment, usage=some))

    async def read(self, environment: str, flag: str, size: Size, back_s: int) -> Buckets:
        """Refuse: whoever wants to know asks the upstream."""
        raise Elsewhere(self._side.url)

    async def asked(self, environment: str) -> dict[str, int]:
        """Refuse."""
        raise Elsewhere(self._side.url)

    async def unknown(self, environment: str) -> list[Unknown]:
        """Refuse."""
        raise Elsewhere(self._side.url)

    async def close(self) -> None:
        """Close the connections."""
        await self._side.close()


def _by_size(batches: Sequence[Batch]) -> Iterator[tuple[BatchBody, ...]]:
    piece: list[BatchBody] = []
    size = 0
    for batch in batches:
        counts = tuple(CountBody(each.flag, each.series, each.amount) for each in batch.counts)
        body = BatchBody(batch.instance, batch.number, counts, dict(batch.unknown))
        takes = len(msgspec.json.encode(body))
        if piece and size + takes > PIECE_BYTES:
            yield tuple(piece)
            piece, size = [], 0
        piece.append(body)
        size += takes
    if piece:
        yield tuple(piece)


def _ago(ago_us: int) -> int:
    return min(ago_us, LONGEST_AGO_US)


def _pieces(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    return (items[at : at + size] for at in range(0, len(items), size))
