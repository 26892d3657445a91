"""Going back through the audit log leads to what there was, or says that it does not know."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wigwag_proto.audit import Author, Entry, Touched, make_entry
from wigwag_proto.commit import Change, Commit
from wigwag_server.admin.past import Moment, Unknown, rewind, rewind_all

KEYS = ("a", "b", "c")


@dataclass
class Log:
    """A store in small: what there is, what there was after each revision, and the audit log."""

    tables: dict[str, dict[str, Any]] = field(default_factory=lambda: {"flag": {}, "segment": {}})
    states: list[dict[str, dict[str, Any]]] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.states.append(self.copy())

    @property
    def revision(self) -> int:
        return len(self.states) - 1

    def commit(self, changes: dict[tuple[str, str], Any]) -> None:
        """Make a revision; one without changes is the server's own bookkeeping, which the audit log is silent about."""
        revision, at = len(self.states), 10 * len(self.states)
        touched = []
        for (kind, key), config in changes.items():
            before = self.tables[kind].get(key)
            after = None if config is None else {"key": key, "n": config, "revision": revision, "updatedAt": at}
            if before is None and after is None:
                continue
            touched.append(Touched(kind, key, before, after))
            self.tables[kind].pop(key, None)
            if after is not None:
                self.tables[kind][key] = after
        self.states.append(self.copy())
        if touched:
            commit = Commit(revision, "p", "h", at, tuple(Change(t.kind, t.key, t.after) for t in touched))
            self.entries.append(make_entry("flag.put", Author(name="ann"), commit, touched))

    def copy(self) -> dict[str, dict[str, Any]]:
        return {kind: dict(table) for kind, table in self.tables.items()}

    @property
    def newest_first(self) -> list[Entry]:
        return self.entries[::-1]


names = st.tuples(st.sampled_from(["flag", "segment"]), st.sampled_from(KEYS))
commits = st.lists(st.dictionaries(names, st.none() | st.integers(0, 3), max_size=4), max_size=12)


def made(changes: list[dict[tuple[str, str], Any]]) -> Log:
    log = Log()
    for each in changes:
        log.commit(each)
    return log


@given(commits)
def test_every_state_is_what_it_was(changes: list[dict[tuple[str, str], Any]]) -> None:
    log = made(changes)
    for revision, state in enumerate(log.states):
        for moment in (Moment(revision=revision), Moment(at=10 * revision), Moment(at=10 * revision + 9)):
            since = [entry for entry in log.newest_first if not moment.includes(entry.revision, entry.at)]
            assert rewind_all(log.tables, since, moment) == state
            assert rewind_all(log.tables, log.newest_first, moment) == state
            for kind in ("flag", "segment"):
                for key in KEYS:
                    touching = [entry for entry in log.newest_first if entry.touching(kind, key)]
                    was = rewind(kind, key, log.tables[kind].get(key), touching, moment)
                    assert was == state[kind].get(key)


@given(commits, st.data())
def test_with_an_entry_lost_a_record_is_what_it_was_or_unknown(
    changes: list[dict[tuple[str, str], Any]], data: st.DataObject
) -> None:
    log = made(changes)
    if not log.entries:
        return
    lost = data.draw(st.sampled_from(log.entries))
    left = [entry for entry in log.newest_first if entry is not lost]
    for revision, state in enumerate(log.states):
        for kind in ("flag", "segment"):
            for key in KEYS:
                touching = [entry for entry in left if entry.touching(kind, key)]
                try:
                    was = rewind(kind, key, log.tables[kind].get(key), touching, Moment(revision=revision))
                except Unknown:
                    continue
                # Where neither its beginning nor its end is told, nothing hints at the record.
                assert was == state[kind].get(key) or (not touching and key not in log.tables[kind])


def test_a_change_that_the_log_does_not_know_is_a_gap() -> None:
    log = made([{("flag", "a"): 1}, {("flag", "a"): 2}, {("flag", "a"): 3}])
    for present in ({"key": "a", "n": 9, "revision": 3, "updatedAt": 30}, None):
        with pytest.raises(Unknown, match="gap at flag 'a'"):
            rewind("flag", "a", present, log.newest_first, Moment(revision=1))
    without_the_second = [log.entries[2], log.entries[0]]
    with pytest.raises(Unknown, match="revision 1 left"):
        rewind("flag", "a", log.tables["flag"]["a"], without_the_second, Moment(revision=1))
    with pytest.raises(Unknown, match="at revision 3 already"):
        rewind("flag", "a", log.tables["flag"]["a"], [], Moment(revision=1))


@pytest.mark.parametrize(
    ("moment", "oldest", "reached"),
    [
        (Moment(revision=0), 1, True),
        (Moment(revision=6), 7, True),
        (Moment(revision=5), 7, False),
        (Moment(at=70), 7, True),
        (Moment(at=69), 7, False),
        (Moment(at=0), 1, True),
    ],
)
def test_a_log_goes_back_to_before_its_first_entry(moment: Moment, oldest: int, *, reached: bool) -> None:
    commit = Commit(oldest, "p", "h", 10 * oldest, ())
    assert moment.is_reached(make_entry("flag.put", Author(name="ann"), commit, ())) is reached
