"""The shell around the follower: what it starts, it can be rid of at any moment."""

import gc
from pathlib import Path

from wigwag_proto.commit import Commit, Epoch
from wigwag_proto.follower import Start
from wigwag_proto.replica import Replica
from wigwag_proto.snapshot import Tables
from wigwag_proto.tasks_io import Tasks
from wigwag_server.following import Following
from wigwag_server.store.from_url import open_store


class Nobody:
    """An owner who does not care."""

    def loaded(self) -> None:
        pass

    def committed(self, epoch: Epoch, commit: Commit) -> None:
        pass

    def overruled(self, records: Tables) -> None:
        pass


async def test_a_reading_that_is_cancelled_before_it_begins_leaves_nothing_unawaited(tmp_path: Path) -> None:
    store = await open_store(f"sqlite:{tmp_path / 'f.db'}")
    tasks = Tasks()
    following = Following(Replica(environment="production"), store, tasks, Nobody())
    following.handle(Start())
    following.close()
    await tasks.close()
    await store.close()
    gc.collect()  # a coroutine that was never awaited would warn now, and a warning is an error
