"""Plain records of a replica as flags and segments, each with its last good version."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from wigwag_proto.commit import Change
from wigwag_proto.evaluate import LinkedSegment
from wigwag_proto.flag import Flag, Kill, Segment


class Records:
    """What was read last of every flag and segment, and what could not be read."""

    def __init__(self) -> None:
        self.flags: dict[str, Flag] = {}
        self.segments: dict[str, LinkedSegment] = {}
        self.unreadable: dict[str, str] = {}
        self._plain: dict[str, dict[str, Any]] = {"flag": {}, "segment": {}}

    def differences(self, records: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Iterator[Change]:
        """Return the changes that turn what is here into these records."""
        for kind, known in self._plain.items():
            wanted = records.get(kind, {})
            for key in [key for key in known if key not in wanted]:
                yield Change(kind, key, None)
            for key, value in wanted.items():
                if key not in known or not _same(known[key], value):
                    yield Change(kind, key, value)

    def set_flag(self, key: str, plain: Any) -> None:
        """Take in the plain value of a flag; None removes it."""
        self.unreadable.pop(key, None)
        if plain is None:
            self._plain["flag"].pop(key, None)
            self.flags.pop(key, None)
            return
        self._plain["flag"][key] = plain
        try:
            self.flags[key] = msgspec.convert({**plain, "key": key}, Flag)
        except Exception as error:  # noqa: BLE001  # whatever is in there, only this flag is affected
            self.unreadable[key] = str(error)
            self._kill_unreadable(key, plain)

    def set_segment(self, key: str, plain: Any) -> None:
        """Take in the plain value of a segment; None removes it."""
        name = f"segment/{key}"
        self.unreadable.pop(name, None)
        if plain is None:
            self._plain["segment"].pop(key, None)
            self.segments.pop(key, None)
            return
        self._plain["segment"][key] = plain
        try:
            self.segments[key] = LinkedSegment(msgspec.convert({**plain, "key": key}, Segment))
        except Exception as error:  # noqa: BLE001  # as above
            self.unreadable[name] = str(error)

    def _kill_unreadable(self, key: str, plain: Any) -> None:
        """Obey the kill of a flag that cannot be read otherwise: its last good version, or a bare one, but killed."""
        raw = plain.get("kill") if isinstance(plain, Mapping) else None
        if raw is None:
            return
        try:
            kill = msgspec.convert(raw, Kill)
        except msgspec.ValidationError:
            kill = Kill(by="unknown", reason="the kill itself cannot be read", at=0)
        self.flags[key] = msgspec.structs.replace(self.flags.get(key, Flag(key=key)), kill=kill)


def _same(one: Any, other: Any) -> bool:
    """Return whether two plain values are the same JSON. For ==, true is 1 and 1 is 1.0; for a flag they are not."""
    return one is other or (one == other and repr(one) == repr(other))
