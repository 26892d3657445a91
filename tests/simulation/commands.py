"""What operators do. Each command carries a name of its own, by which it is found again in the log."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from wigwag_proto.commit import Change
from wigwag_proto.snapshot import Tables


def _changed(records: Tables, key: str, **fields: Any) -> Change:
    return Change("flag", key, {**records.get("flag", {}).get(key, {"kill": None}), **fields})


@dataclass(frozen=True, slots=True)
class Edit:
    """Set something about a flag, and create it if need be. The kill layer stays as it is."""

    action: ClassVar[str] = "flag.put"

    name: str
    key: str

    def __call__(self, records: Tables, revision: int, at: int) -> Sequence[Change]:  # noqa: ARG002
        """Return the change."""
        return [_changed(records, self.key, edit=self.name)]


@dataclass(frozen=True, slots=True)
class Kill:
    """Kill flags in one revision, also those that are killed already."""

    action: ClassVar[str] = "flag.kill"

    name: str
    keys: tuple[str, ...]

    def __call__(self, records: Tables, revision: int, at: int) -> Sequence[Change]:  # noqa: ARG002
        """Return the changes."""
        return [_changed(records, key, kill=self.name) for key in self.keys]


@dataclass(frozen=True, slots=True)
class Revive:
    """Lift a kill; nothing to do where there is none."""

    action: ClassVar[str] = "flag.revive"

    name: str
    key: str

    def __call__(self, records: Tables, revision: int, at: int) -> Sequence[Change]:  # noqa: ARG002
        """Return the change."""
        flag = records.get("flag", {}).get(self.key)
        return [_changed(records, self.key, kill=None)] if flag is not None and flag["kill"] is not None else []


Command = Edit | Kill | Revive
