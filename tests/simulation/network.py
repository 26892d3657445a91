"""The network between processes: requests with an answer, and one-way connections that keep their order.

TCP neither loses nor repeats what it delivers: what a road loses comes late, or the connection is of no use any more.
Requests of different connections overtake each other freely.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any, Generic, TypeVar

from tests.simulation.clock import Clock, Future, Process

T = TypeVar("T")
RETRANSMIT_S = 0.4
QUICK_S = (0.0003, 0.004)


class Unreachable(Exception):
    """No answer: refused, reset, or nothing was heard in time."""


@dataclass
class Road:
    """The way between two places, in both directions."""

    latency_s: tuple[float, float] = QUICK_S
    loss: float = 0.0  # of a request or an answer: it comes late or never
    twice: float = 0.0  # of a request: something on the way sends it again
    cut: bool = False
    disturbed_until: float = float("-inf")  # the last time when it was not clean
    busy: int = 0  # how many faults are at work on it


@dataclass
class Host:
    """A place where a process runs, or does not."""

    name: str
    process: Process | None = None

    @property
    def up(self) -> bool:
        """Whether connections are accepted here."""
        return self.process is not None and self.process.alive


@dataclass
class Network:
    """Every road, and what happens to what travels on it."""

    clock: Clock
    rng: Random
    roads: dict[tuple[str, str], Road] = field(default_factory=dict)

    def road(self, one: str, other: str) -> Road:
        """Return the road between two places."""
        key = (one, other) if one < other else (other, one)
        return self.roads.setdefault(key, Road())

    def latency_s(self, road: Road) -> float:
        """Draw how long something travels."""
        return self.rng.uniform(*road.latency_s)

    def call(self, caller: Process, place: str, host: Host, execute: Callable[[], T], *, timeout_s: float) -> Future[T]:
        """Run `execute` at `host` and bring its result back. Fails with Unreachable; `execute` may have run then."""
        answer: Future[T] = Future()
        road = self.road(place, host.name)
        caller.later(timeout_s, lambda: answer.fail(Unreachable("no answer in time")))
        target = host.process

        def fail(why: str) -> None:
            if not road.cut:
                caller.later(self.latency_s(road), lambda: answer.fail(Unreachable(why)))

        if target is None or not target.alive:
            fail("refused")
            return answer

        def arrive() -> None:
            if not target.alive:
                fail("reset")
            else:
                target.take(run)

        def run() -> None:
            try:
                result = execute()
            except Unreachable as error:
                why = str(error)
                self._send(road, lambda: fail(why))
                return
            self._send(road, lambda: caller.take(lambda: answer.set(result)))

        self._send(road, arrive)
        if road.twice and self.rng.random() < road.twice:
            self._send(road, arrive)
        return answer

    def _send(self, road: Road, arrive: Callable[[], None]) -> None:
        delay_s = self.latency_s(road)
        if road.cut or (road.loss and self.rng.random() < road.loss):
            if self.rng.random() < 0.5:
                return
            delay_s += self.rng.uniform(0.2, 8.0)  # sent again later on, when nobody may be waiting any more
        self.clock.at(self.clock.now + delay_s, arrive)


class Pipe(Generic[T]):
    """One direction of a connection. `on_item` and `on_end` are called in the receiver, `on_reset` in the sender."""

    def __init__(
        self,
        network: Network,
        road: Road,
        ends: tuple[Process, Process],
        on_item: Callable[[T], None],
        on_end: Callable[[str], None],
    ) -> None:
        self.dark = False  # half-open: nothing gets through and nobody is told
        self.silent_loss = 0.0  # of an item: only where there is something on the way that does not speak TCP
        self.repeats = 0.0  # of an item: a proxy sends again what it had in its buffer
        self.open = True
        self.on_reset: Callable[[], None] = lambda: None
        self._network = network
        self._road = road
        self._sender, self._receiver = ends
        self._on_item = on_item
        self._on_end = on_end
        self._queue: deque[tuple[float, Callable[[], None]]] = deque()
        self._recent: deque[T] = deque(maxlen=3)
        self._pumping = False
        self._last_at = 0.0

    @property
    def idle(self) -> bool:
        """Whether everything that was sent has arrived."""
        return not self._queue

    def send(self, item: T) -> None:
        """Send an item; it arrives after everything that was sent before."""
        if not self.open or self.dark:
            return
        rng = self._network.rng
        if self.silent_loss and rng.random() < self.silent_loss:
            return
        self._enqueue(lambda: self._deliver(item))
        if self.repeats:
            self._recent.append(item)
            if rng.random() < self.repeats:
                for again in list(self._recent):
                    self._enqueue(lambda again=again: self._deliver(again))  # type: ignore[misc]

    def end(self, why: str) -> None:
        """The sender ends the connection in good order."""
        if self.open and not self.dark:
            self._enqueue(lambda: self._ended(why))

    def reset(self, why: str, fragment: T | None = None) -> None:
        """Break the connection: both ends are told, what is under way is lost, but for a `fragment` of it."""
        if not self.open:
            return
        self.open = False
        self._queue.clear()
        if self.dark:
            return
        if fragment is not None:
            self._receiver.take(lambda: self._on_item(fragment))
        self._receiver.later(self._network.latency_s(self._road), lambda: self._on_end(why))
        self._sender.later(self._network.latency_s(self._road), self.on_reset)

    def give_up(self) -> None:
        """The receiver closes its end; the sender learns of that if the road is open."""
        if not self.open:
            return
        self.open = False
        self._queue.clear()
        if not self.dark and not self._road.cut:
            self._sender.later(self._network.latency_s(self._road), self.on_reset)

    def _enqueue(self, arrive: Callable[[], None]) -> None:
        now = self._network.clock.now
        self._last_at = max(self._last_at, now + self._network.latency_s(self._road))
        self._queue.append((self._last_at, arrive))
        self._pump_at(self._last_at)

    def _pump_at(self, time: float) -> None:
        if not self._pumping:
            self._pumping = True
            self._network.clock.at(time, self._pump)

    def _pump(self) -> None:
        self._pumping = False
        if self.dark:
            self._queue.clear()
        now = self._network.clock.now
        if self._queue and self._road.cut:
            self._pump_at(now + RETRANSMIT_S)
            return
        while self._queue and self._queue[0][0] <= now:
            _, arrive = self._queue.popleft()
            arrive()
        if self._queue:
            self._pump_at(self._queue[0][0])

    def _deliver(self, item: T) -> None:
        self._receiver.take(lambda: self._on_item(item) if self.open else None)

    def _ended(self, why: str) -> None:
        if self.open:
            self.open = False
            self._receiver.take(lambda: self._on_end(why))


AnyPipe = Pipe[Any]
