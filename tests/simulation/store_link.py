"""How a server reaches the store: every request may be lost, be late, or have been carried out without an answer."""

from collections.abc import Callable
from typing import TypeVar

from tests.simulation.clock import Process
from tests.simulation.network import AnyPipe, Pipe, Unreachable
from tests.simulation.world import World
from wigwag_proto.commit import Commit, Cursor, Epoch
from wigwag_proto.errors import StoreUnavailable
from wigwag_proto.snapshot import Snapshot
from wigwag_server.store.store import Answer, Begin, Head, NotInLog, Told

T = TypeVar("T")
TIMEOUT_S = 1.0
PROBE_S = 1.0


class StoreLink:
    """The `Store` of one server, as `RedisStore` is one."""

    def __init__(self, world: World, place: str, process: Process) -> None:
        self._world = world
        self._place = place
        self._process = process
        self._model = world.store
        self._road = world.network.road(place, "store")

    async def head(self) -> Head:
        """Return where the log is."""
        return await self._ask(self._model.head)

    async def load(self) -> Snapshot | None:
        """Return the whole state."""
        return await self._ask(self._model.load)

    async def commit(self, epoch: Epoch, commit: Commit) -> Answer:
        """Append, if the log of this epoch is still at `commit.prev`."""
        answer = await self._ask(lambda: self._traced(commit, self._model.commit(epoch, commit)))
        self._world.trace(self._place, "answer to", commit.head, answer)
        return answer

    def _traced(self, commit: Commit, answer: Answer) -> Answer:
        self._world.trace("store", "commit", commit.revision, commit.head, "of", self._place, answer)
        return answer

    async def settle(self, offer: Snapshot | None, begin: Begin) -> Head:
        """Take part in settling what the state is."""
        return await self._ask(lambda: self._settle(offer, begin))

    def _settle(self, offer: Snapshot | None, begin: Begin) -> Head:
        head = self._model.settle(offer, begin)
        self._world.trace("store", "settle", self._place, "offers", offer and offer.cursor, "->", head)
        return head

    async def renew(self, cursor: Cursor, epoch: Epoch) -> Head:
        """Begin a new history."""
        return await self._ask(lambda: self._renew(cursor, epoch))

    def _renew(self, cursor: Cursor, epoch: Epoch) -> Head:
        head = self._model.renew(cursor, epoch)
        self._world.trace("store", "renew", self._place, cursor, "to", epoch, "->", head)
        return head

    async def commits_since(self, cursor: Cursor) -> tuple[Commit, ...] | NotInLog:
        """Return what came after `cursor`, or why that cannot be told."""
        return await self._ask(lambda: self._model.commits_since(cursor))

    async def listen(
        self, hear: Callable[[Told], None], lost: Callable[[str], None], opened: Callable[[AnyPipe], None]
    ) -> None:
        """Subscribe, and stay until the subscription shows no sign of life."""
        world, number = self._world, self._world.rng.getrandbits(32)
        store = world.store_host.process
        if store is None:
            raise StoreUnavailable("refused")
        pipe: AnyPipe = Pipe(world.network, self._road, (store, self._process), hear, lost)
        pipe.on_reset = lambda: self._forget(number)

        def subscribe() -> None:
            world.feeds[number] = pipe
            self._model.subscribers[number] = pipe.send

        try:
            await self._ask(subscribe)
        except StoreUnavailable:
            pipe.open = False
            raise
        opened(pipe)
        heard_at = self._process.now
        while pipe.open:
            await self._process.sleep(PROBE_S)
            if store.alive and self._world.clock.now >= store.frozen_until and not (pipe.dark or self._road.cut):
                heard_at = self._process.now
            elif self._process.now - heard_at > 3 * PROBE_S and pipe.open:
                pipe.give_up()
                lost("the subscription has gone quiet")

    def _forget(self, number: int) -> None:
        self._world.feeds.pop(number, None)
        self._model.subscribers.pop(number, None)

    async def _ask(self, execute: Callable[[], T]) -> T:
        network = self._world.network
        try:
            return await network.call(self._process, self._place, self._world.store_host, execute, timeout_s=TIMEOUT_S)
        except Unreachable as error:
            raise StoreUnavailable(str(error)) from error
