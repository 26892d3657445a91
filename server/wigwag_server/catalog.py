"""The records of an environment as flags and segments, kept up with its replica, for checks across records."""

from wigwag_proto.commit import Commit, Epoch
from wigwag_proto.records import Records
from wigwag_proto.replica import Replica


class Catalog:
    """Follows a replica as a listener. `records.flags` are the last good versions, by key."""

    def __init__(self, replica: Replica) -> None:
        self.records = Records()
        self._replica = replica

    def loaded(self) -> None:
        """Read what differs."""
        for change in list(self.records.differences(self._replica.records)):
            self._set(change.kind, change.key, change.value)

    def committed(self, epoch: Epoch, commit: Commit) -> None:  # noqa: ARG002 - a listener's signature
        """Read what has changed."""
        for change in commit.changes:
            self._set(change.kind, change.key, change.value)

    def _set(self, kind: str, key: str, value: object) -> None:
        if kind == "flag":
            self.records.set_flag(key, value)
        elif kind == "segment":
            self.records.set_segment(key, value)
