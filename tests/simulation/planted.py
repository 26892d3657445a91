"""Bugs planted on purpose, each of which the simulation has to find. No production file is touched.

Some are mistakes that anybody might make, the others are those that production once had.
"""

from dataclasses import replace

from tests.simulation.clock import Future
from tests.simulation.environment import Environment
from tests.simulation.store_model import StoreModel
from tests.simulation.world import Parts
from wigwag_proto.commit import Commit, Cursor, Epoch
from wigwag_proto.errors import StoreUnavailable
from wigwag_proto.follower import Action, Follower
from wigwag_proto.replica import Applied, Replica
from wigwag_proto.snapshot import Snapshot, Tables
from wigwag_server.store.store import Accepted, Answer, Begin, Conflict, Head


class GapBlindReplica(Replica):
    """Applies whatever is later."""

    def apply(self, epoch: Epoch, commit: Commit) -> Applied:
        """Skip the check that the commit follows."""
        mine = self.cursor
        if mine is not None and mine.epoch == epoch and commit.revision > mine.revision:
            self.cursor = Cursor(epoch, commit.revision - 1, commit.prev)
        return super().apply(epoch, commit)


class GullibleReplica(Replica):
    """Takes an empty state of another history for the truth."""

    def load(self, snapshot: Snapshot) -> bool:
        """Skip the check for emptiness."""
        mine = self.cursor
        if mine is not None and snapshot.cursor.rank > mine.rank:
            self.cursor = None
        return super().load(snapshot)


class StubbornReplica(Replica):
    """Keeps an empty state rather than to take another empty one: a server then never follows a new history."""

    def load(self, snapshot: Snapshot) -> bool:
        """Refuse every empty state of another history."""
        mine = self.cursor
        if mine is not None and snapshot.cursor.revision == 0 and snapshot.cursor.epoch != mine.epoch:
            return False
        return super().load(snapshot)


class HeadlessStore(StoreModel):
    """Takes every commit: no compare-and-set."""

    blind = True


class CredulousStore(StoreModel):
    """Comes back older, and that is believed: nobody's offer is taken."""

    def settle(self, offer: Snapshot | None, begin: Begin) -> Head:  # noqa: ARG002
        """Ignore the offer."""
        return super().settle(None, begin)


class HastyEnvironment(Environment):
    """Acknowledges before the store has accepted."""

    async def _offer(self, cursor: Cursor, commit: Commit, deadline: float) -> tuple[Answer, bool]:
        self._process.start(self._send(cursor, commit, deadline))
        return Accepted(), False

    async def _send(self, cursor: Cursor, commit: Commit, deadline: float) -> None:
        try:
            await super()._offer(cursor, commit, deadline)
        except StoreUnavailable:
            return


class ForgetfulEnvironment(Environment):
    """Takes a commit whose answer was lost for refused, and makes another one."""

    async def _made(self, cursor: Cursor, commit: Commit, conflict: Conflict) -> bool:  # noqa: ARG002
        return False

    def _came_true(self, before: Cursor, made: Cursor) -> bool:  # noqa: ARG002
        return False


class RecoveringEnvironment(Environment):
    """Takes a commit for refused when the store was restarted before it was asked again."""

    def _came_true(self, before: Cursor, made: Cursor) -> bool:  # noqa: ARG002
        return False


class UnflushedEnvironment(Environment):
    """Acknowledges what is not on its disk yet."""

    def flush(self) -> Future[None]:
        """Do not wait for the disk."""
        done: Future[None] = Future()
        done.set(None)
        return done


class NonchalantEnvironment(Environment):
    """Does not put kills back that were overruled."""

    def overruled(self, records: Tables) -> None:
        """Do nothing."""


class TrustingFollower(Follower):
    """Takes what it reads for the store's state although the store is not settled."""

    def _snapshot_read(self, snapshot: Snapshot | None, now: float) -> list[Action]:
        actions = Follower._snapshot_read(self, snapshot, now)
        if snapshot is not None:
            self._prove(snapshot.cursor, now - 0.001)
        return actions


def _replicas(replica: type[Replica]) -> Parts:
    return Parts(client_replica=lambda: replica(""), server_replica=lambda: replica("production"))


PLANTED: dict[str, Parts] = {
    "gap-check-skipped": _replicas(GapBlindReplica),
    "empty-store-believed": _replicas(GullibleReplica),
    "empty-history-refused": replace(
        _replicas(StubbornReplica), weather=("empty_store", "crash_server_and_disk", "cut_client_road")
    ),
    "head-ignored": Parts(store=HeadlessStore),
    "rolled-back-store-believed": Parts(store=CredulousStore),
    "acknowledged-before-accepted": Parts(environment=HastyEnvironment),
    "acknowledged-before-flushed": Parts(environment=UnflushedEnvironment),
    "resend-commits-again": Parts(environment=ForgetfulEnvironment),
    "doubt-forgotten-in-recovery": Parts(
        environment=RecoveringEnvironment, weather=("crash_store", "lossy_store_road")
    ),
    "proven-by-receipt": Parts(proof_by_receipt=True),
    "proven-by-an-unsettled-store": Parts(follower=TrustingFollower),
    "lost-kills-forgotten": Parts(environment=NonchalantEnvironment, weather=("strand_server",)),
}
