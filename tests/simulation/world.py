"""What all parts of one simulation share."""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any

from tests.simulation.checks import Checks
from tests.simulation.clock import Clock, Process
from tests.simulation.network import AnyPipe, Host, Network
from tests.simulation.store_model import StoreModel
from tests.simulation.truth import Truth
from wigwag_proto.follower import Follower
from wigwag_proto.replica import Replica
from wigwag_proto.supervisor import Supervisor

if TYPE_CHECKING:
    from tests.simulation.environment import Environment
    from tests.simulation.faults import Faults


@dataclass(frozen=True)
class Parts:
    """What a simulation is put together from. A planted bug replaces one of them."""

    client_replica: Callable[[], Replica] = lambda: Replica("")
    server_replica: Callable[[], Replica] = lambda: Replica("production")
    supervisor: Callable[[Replica], Supervisor] = Supervisor
    follower: Callable[[Replica], Follower] = Follower
    store: type[StoreModel] = StoreModel
    environment: "Callable[..., Environment] | None" = None
    proof_by_receipt: bool = False
    weather: tuple[str, ...] = ()  # the names of the faults that there are; none: each seed has its own


@dataclass
class World:
    """One seed's world."""

    seed: int
    parts: Parts = field(default_factory=Parts)
    tracing: bool = False
    clock: Clock = field(default_factory=Clock)
    lines: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Make what hangs together."""
        self.rng = Random(self.seed)
        self.truth = Truth()
        self.network = Network(self.clock, self.rng)
        self.checks = Checks(self)
        self.store = self.parts.store(self.clock, self.truth, log_commits=self.rng.choice((3, 8, 100)))
        self.store_host = Host("store")
        self.feeds: dict[int, AnyPipe] = {}
        self.faults: Faults
        self.ring_bytes = self.rng.choice((600, 2000, 1_000_000))

    def trace(self, who: str, *what: Any) -> None:
        """Add a line to the log of what happened, if there is one."""
        if self.tracing:
            self.lines.append(f"{self.clock.now:11.6f} {who:9} {' '.join(str(each) for each in what)}")

    def process(self, name: str) -> Process:
        """Start a process with a monotonic clock of its own."""
        return Process(self.clock, name, self.rng.uniform(0.0, 1e5))

    def hex(self) -> str:
        """Return what nobody else drew."""
        return f"{self.rng.getrandbits(64):016x}"
