"""Kills that were acknowledged stay in force, also when the store's history went on without them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import msgspec

from wigwag_proto.commit import Change
from wigwag_proto.flag import Kill
from wigwag_proto.replica import REVIVAL, revived_since
from wigwag_proto.snapshot import Tables
from wigwag_server.admin.find import find_record


@dataclass(frozen=True, slots=True)
class KillAgain:
    """Put lost kills back, each as it was, on the flags that there still are and that nobody has killed since.

    What the lost history held is not all lost: a kill may be one that the history which went on had as well, and
    then somebody has revived the flag there, or its time is over. Such a kill stays lifted.
    """

    action: ClassVar[str] = "flag.kill-again"

    kills: Mapping[str, Any]

    def __call__(self, records: Tables, revision: int, at: int) -> Sequence[Change]:
        """Return the changes."""
        flags = {key: find_record(records, "flag", key) for key in self.kills if key in records.get("flag", {})}
        revivals = records.get(REVIVAL, {})
        return [
            Change("flag", key, {**flag, "kill": self.kills[key], "updatedAt": at, "revision": revision})
            for key, flag in flags.items()
            if flag.get("kill") is None and not _lifted(self.kills[key], revivals.get(key), at)
        ]


def _lifted(kill: Any, revival: Any, now: int) -> bool:
    if not isinstance(kill, Mapping):
        return False
    at, until = kill.get("at"), kill.get("until")
    return (isinstance(at, int) and revived_since(revival, at)) or (isinstance(until, int) and until <= now)


def lost_kills(records: Tables) -> dict[str, Any]:
    """Return the kills among records that were overruled, by flag."""
    flags = ((key, flag) for key, flag in records.get("flag", {}).items() if isinstance(flag, Mapping))
    return {key: flag["kill"] for key, flag in flags if _is_kill(flag.get("kill"))}


def _is_kill(value: Any) -> bool:
    try:
        msgspec.convert(value, Kill)
    except msgspec.ValidationError:
        return False
    return True
