"""Servers whose clocks are wrong, are set, and which die at any moment: every stage is made once, and lasts."""

import random
from typing import Any, NamedTuple

import pytest

from wigwag_proto.commit import Commit, Cursor, Epoch
from wigwag_proto.replica import Applied, Replica
from wigwag_proto.snapshot import Snapshot
from wigwag_server.problems import Problem
from wigwag_server.rollouts.commands import Begin
from wigwag_server.rollouts.plan import Rollout, Status, read_rollout
from wigwag_server.rollouts.runner import Runner
from wigwag_server.usage.usage_store import Buckets, Size

STAGES = (1, 5, 25, 50, 100)
INTERVAL_S = 60.0
UNLUCKY_S = 60.0  # none of the servers may be the one that looks, for a while
EPOCH = Epoch(1, "of-the-test")


class Advance(NamedTuple):
    """A stage that began: when, what it is, and since when the server that made it, and the oldest one, had run."""

    at_s: float
    percentage: float
    maker_s: float
    oldest_s: float


class World:
    """True time, one log, and the servers on it."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.now_s = 1e9
        self.commits: list[Commit] = []
        self.advanced: list[Advance] = []
        self.alive: list[Simulated] = []

    def start(self) -> "Simulated":
        server = Simulated(self)
        self.alive.append(server)
        return server

    def append(self, server: "Simulated", command: Any, seen: Cursor) -> bool:
        """Take a commit that was made on the newest state, and no other."""
        if seen.revision != len(self.commits):
            return False
        at = round(self.now_s * 1000)
        records = replica_of(self.commits).records
        changes = tuple(command(records, seen.revision + 1, at))
        if changes:
            prev = self.commits[-1].head if self.commits else "r0"
            revision = len(self.commits) + 1
            self.commits.append(Commit(revision=revision, prev=prev, head=f"r{revision}", at=at, changes=changes))
            if command.action == "rollout.advance":
                flag = next(change.value for change in changes if change.kind == "flag")
                oldest_s = min(each.started_s for each in self.alive)
                self.advanced.append(Advance(self.now_s, flag["rolloutPercentage"], server.started_s, oldest_s))
        return True


def replica_of(commits: list[Commit]) -> Replica:
    replica = Replica("production")
    flag = {"enabled": True, "kill": None, "rolloutPercentage": 0}
    replica.load(Snapshot("production", Cursor(EPOCH, 0, "r0"), 0, {"flag": {"f": flag}}))
    for commit in commits:
        assert replica.apply(EPOCH, commit) is Applied.NEW
    return replica


class Simulated:
    """A server: the real runner, on a replica that may lag, with clocks of its own. It is its own environment."""

    name = "production"
    degraded = False

    def __init__(self, world: World) -> None:
        self.world = world
        self.started_s = world.now_s
        self.wall_off_s = world.rng.choice([0.0, 0.0, -90_000.0, 90_000.0, 30.0])
        self.monotonic_off_s = world.rng.uniform(-1e6, 1e6)
        self.replica = replica_of(world.commits)
        self.runner = Runner(
            self,  # type: ignore[arg-type]  # what the runner needs of an environment
            NoCounts(),
            no_schedules,
            wall_s=lambda: world.now_s + self.wall_off_s,
            monotonic_s=lambda: world.now_s + self.monotonic_off_s,
        )

    def hear(self) -> None:
        """Catch up with the log."""
        assert self.replica.cursor is not None
        for commit in self.world.commits[self.replica.cursor.revision :]:
            self.replica.apply(EPOCH, commit)
            self.runner.committed(EPOCH, commit)

    async def commit(self, command: Any, by: Any = None) -> Cursor:  # noqa: ARG002  # whoever it is
        assert self.replica.cursor is not None
        while not self.world.append(self, command, self.replica.cursor):
            self.hear()
        self.hear()
        return self.replica.cursor


class NoCounts:
    async def read(self, environment: str, flag: str, size: Size, back_s: int) -> Buckets:  # noqa: ARG002
        raise AssertionError("nothing is guarded here")


def no_schedules(_: Any) -> Any:
    raise Problem(500, "nothing is scheduled here")  # type: ignore[arg-type]


@pytest.mark.parametrize("jumps", [False, True])
async def test_every_stage_is_made_once_in_order_and_lasts_its_time(jumps: bool) -> None:
    for seed in range(60):
        world = World(random.Random(seed))
        await world.start().commit(Begin("f", Rollout(id="r", stages=STAGES, interval_ms=round(INTERVAL_S * 1000))))
        world.start()
        await until_done(world, jumps=jumps)
        assert [each.percentage for each in world.advanced] == list(STAGES), seed
        for begun, ended in zip(world.advanced, world.advanced[1:], strict=False):
            # Who was there when a stage began counts on a clock that nobody can set, and is never early. Who was not
            # believes its wall clock, for this stage; whatever that says, it waits no longer than for a whole stage.
            if ended.maker_s <= begun.at_s:
                assert ended.at_s - begun.at_s >= INTERVAL_S, (seed, begun, ended)
            assert ended.at_s - max(begun.at_s, ended.oldest_s) <= INTERVAL_S + UNLUCKY_S, (seed, begun, ended)


async def until_done(world: World, *, jumps: bool) -> None:
    rng, alive = world.rng, world.alive
    for _ in range(3000):
        world.now_s += rng.uniform(0, 3)
        server = rng.choice(alive)
        chance = rng.random()
        if chance < 0.05 and len(alive) > 1:
            alive.remove(server)  # dead, without a word
            world.start()
        elif chance < 0.15 and jumps:
            server.wall_off_s += rng.choice([-7200.0, 7200.0, 30.0, -30.0, 86_400.0 * 365])
        elif chance < 0.5:
            server.hear()
        else:
            await server.runner.look()
        rollout = read_rollout(replica_of(world.commits).records["rollout"]["f"])
        if rollout is not None and rollout.status is Status.DONE:
            return
    raise AssertionError("it never came to its end")
