"""When each key was last used: noted in memory, and written to `_system` now and then, for all servers to see."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from wigwag_proto.commit import Change
from wigwag_proto.snapshot import Tables
from wigwag_server.auth.keys import RECORD
from wigwag_server.environment import USE

# What is written is at most this much older than the truth, and each key is written at most this often.
SPACING_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class WriteUses:
    """Write when keys were used, unless another server has written that lately. `used` is by key, in Unix ms."""

    action: ClassVar[str] = "key.use"

    used: Mapping[str, int]

    def __call__(self, records: Tables, revision: int, at: int) -> Sequence[Change]:  # noqa: ARG002
        """Return the changes: of keys that there are no more, none."""
        known, written = records.get(RECORD, {}), records.get(USE, {})
        return [
            Change(USE, key_id, {"at": used_at})
            for key_id, used_at in self.used.items()
            if key_id in known and used_at - written_at(written.get(key_id)) >= SPACING_MS
        ]


class LastUse:
    """What this server knows of the use of keys. The keys are those that were let in, so there are as many as valid."""

    def __init__(self) -> None:
        self._used: dict[str, int] = {}

    def used(self, key_id: str, now_ms: float) -> None:
        """Note a use."""
        self._used[key_id] = round(now_ms)

    def last(self, key_id: str, records: Tables) -> int | None:
        """Return when a key was last used (Unix ms), on this server or as another one wrote it; None: never known."""
        return max(self._used.get(key_id, 0), written_at(records.get(USE, {}).get(key_id))) or None

    def due(self, records: Tables) -> WriteUses | None:
        """Return what is to be written, if anything is; forget keys that there are no more."""
        known = records.get(RECORD, {})
        for gone in self._used.keys() - known.keys():
            del self._used[gone]
        command = WriteUses(dict(self._used))
        return command if command(records, 0, 0) else None

    def note(self, key_ids: Iterable[str], now_ms: float) -> None:
        """Note that keys are in use by streams that go on."""
        for key_id in key_ids:
            self.used(key_id, now_ms)


def written_at(record: Any) -> int:
    """Return the time in a record of kind `use`, 0 where there is none."""
    at = record.get("at") if isinstance(record, Mapping) else None
    return at if isinstance(at, int) else 0
