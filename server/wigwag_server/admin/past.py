"""Records as they were, by going back from the present through the audit log. Pure.

Going back, and not forward, because the present is known for certain while a log forgets its beginning. At each step
what an entry led to must be what there was after it; where it is not, the log has a gap, and a state that would be
made up is refused instead.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from wigwag_proto.audit import Entry
from wigwag_proto.differences import same_json
from wigwag_proto.errors import WigwagError
from wigwag_proto.snapshot import Tables

# Only these know the revision that they were last changed by.
KINDS = ("flag", "segment")


class Unknown(WigwagError):
    """It cannot be told how something was at a moment; the message says why."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A revision, or a time (Unix ms): the state after everything up to and including it."""

    revision: int | None = None
    at: int | None = None

    def includes(self, revision: int, at: int) -> bool:
        """Say whether a commit is part of the state at this moment."""
        return revision <= self.revision if self.revision is not None else at <= (self.at or 0)

    def is_reached(self, oldest: Entry) -> bool:
        """Say whether a log that begins with this entry goes back to this moment."""
        return oldest.revision == 1 or self.includes(oldest.revision - 1, oldest.at)

    def __str__(self) -> str:
        """Return it in words."""
        return f"revision {self.revision}" if self.revision is not None else f"{self.at} (Unix ms)"


def rewind(kind: str, key: str, present: Any, entries: Iterable[Entry], moment: Moment) -> Any:
    """Return a record as it was at a moment, None where it was not there.

    `entries` are those that touched the record, newest first, back to the moment at least or to the log's beginning.
    Raises Unknown where they do not fit together.
    """
    value = present
    for entry in entries:
        touched = entry.touching(kind, key)
        if touched is None:
            continue
        if not same_json(touched.after, value):
            raise Unknown(_gap(kind, key, f"is not what revision {entry.revision} left"))
        if moment.includes(entry.revision, entry.at):
            return value
        value = touched.before
    if _is_later(value, moment):
        raise Unknown(_gap(kind, key, f"was at revision {value.get('revision')} already"))
    return value


def rewind_all(present: Tables, entries: Iterable[Entry], moment: Moment) -> Tables:
    """Return all flags and segments as they were at a moment. `entries` are all since then, newest first.

    Raises Unknown. One gap does not show here, but does in `rewind`: a record that is gone by now, and whose deletion
    the log has lost, is missing from the result, since its earlier entries are not looked at.
    """
    by_record: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        for touched in entry.changes:
            by_record.setdefault((touched.kind, touched.key), []).append(entry)
    names = {(kind, key) for kind in KINDS for key in present.get(kind, {})} | by_record.keys()
    tables: dict[str, dict[str, Any]] = {kind: {} for kind in KINDS}
    for kind, key in sorted(names):
        if kind not in KINDS:
            continue
        value = rewind(kind, key, present.get(kind, {}).get(key), by_record.get((kind, key), ()), moment)
        if value is not None:
            tables[kind][key] = value
    return tables


def _is_later(value: Any, moment: Moment) -> bool:
    """Say whether a record was changed after the moment, by what it says of itself."""
    if not isinstance(value, Mapping):
        return False
    revision, at = value.get("revision", 0), value.get("updatedAt", 0)
    return isinstance(revision, int) and isinstance(at, int) and not moment.includes(revision, at)


def _gap(kind: str, key: str, what: str) -> str:
    return (
        f"The audit log has a gap at {kind} '{key}': going back, it {what}. A store that came back without its last "
        "commits, or a write past wigwag, leaves one."
    )
