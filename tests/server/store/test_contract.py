"""The contract of a store, run over every implementation."""

import asyncio

from wigwag_proto.audit import AuditQuery, Recorded, broken_at
from wigwag_proto.codec import decode, encode
from wigwag_proto.commit import Change, Commit, Cursor, Epoch
from wigwag_proto.snapshot import Snapshot
from wigwag_server.store.store import Accepted, Begin, Conflict, Head, NotInLog, Store

# A time to come: where the store has a clock, that is the least generation that a new history gets.
EPOCH = Epoch(4_000_000_000_000, "e1")
NEW_FLAG = {"key": "checkout", "enabled": True}


def a_commit(after: Cursor, head: str, *changes: Change, size: int = 0) -> Commit:
    filler = (Change("flag", "filler", {"description": "x" * size}),) if size else ()
    return Commit(after.revision + 1, after.head, head, 1_700_000_000_001, (*changes, *filler))


def after(epoch: Epoch, commit: Commit) -> Cursor:
    return Cursor(epoch, commit.revision, commit.head)


async def settled(store: Store, environment: str, offer: Snapshot | None, begin: Begin) -> Head:
    """Ask until it is settled."""
    async with asyncio.timeout(10):
        while not (head := await store.settle(environment, offer, begin)).settled:
            await asyncio.sleep(0.02)
    return head


async def begun(store: Store, environment: str = "production", head: str = "h0") -> Cursor:
    cursor = (await settled(store, environment, None, Begin(EPOCH, head, 1_700_000_000_000))).cursor
    assert cursor is not None
    return cursor


async def test_an_environment_begins_at_revision_0_and_is_begun_once(store: Store) -> None:
    assert await store.head("production") == Head(None, settled=False)
    assert await store.load("production") is None
    first = await begun(store)
    again = await settled(store, "production", None, Begin(Epoch(4_800_000_000_000, "e2"), "other", 0))
    assert first == again.cursor == Cursor(EPOCH, 0, "h0")
    assert await store.head("production") == Head(first)
    assert await store.environments() == ("production",)


async def test_a_commit_is_in_the_state_in_the_log_and_in_the_head(store: Store) -> None:
    start = await begun(store)
    commit = a_commit(start, "h1", Change("flag", "checkout", NEW_FLAG), Change("segment", "staff", {"key": "staff"}))
    assert await store.commit("production", EPOCH, commit) == Accepted()
    assert await store.head("production") == Head(Cursor(EPOCH, 1, "h1"))
    assert await store.commits_since("production", start) == (commit,)
    snapshot = await store.load("production")
    assert snapshot is not None
    assert snapshot.cursor == Cursor(EPOCH, 1, "h1")
    assert snapshot.at == commit.at
    assert snapshot.records == {"flag": {"checkout": NEW_FLAG}, "segment": {"staff": {"key": "staff"}}}


async def test_a_removed_record_is_gone_from_the_state(store: Store) -> None:
    start = await begun(store)
    first = a_commit(start, "h1", Change("flag", "checkout", NEW_FLAG), Change("flag", "search", {"key": "search"}))
    await store.commit("production", EPOCH, first)
    await store.commit("production", EPOCH, a_commit(after(EPOCH, first), "h2", Change("flag", "checkout", None)))
    snapshot = await store.load("production")
    assert snapshot is not None
    assert snapshot.records == {"flag": {"search": {"key": "search"}}}


async def test_a_commit_on_an_old_head_is_a_conflict_and_changes_nothing(store: Store) -> None:
    start = await begun(store)
    await store.commit("production", EPOCH, a_commit(start, "mine", Change("flag", "checkout", NEW_FLAG)))
    before = await store.load("production")
    theirs = a_commit(start, "theirs", Change("flag", "checkout", None))
    assert await store.commit("production", EPOCH, theirs) == Conflict(Cursor(EPOCH, 1, "mine"))
    assert await store.load("production") == before


async def test_a_commit_of_another_epoch_is_a_conflict(store: Store) -> None:
    start = await begun(store)
    answer = await store.commit("production", Epoch(1, "old"), a_commit(start, "h1"))
    assert answer == Conflict(start)


async def test_a_commit_to_an_environment_without_a_log_is_a_conflict(store: Store) -> None:
    assert await store.commit("nowhere", EPOCH, a_commit(Cursor(EPOCH, 0, "h0"), "h1")) == Conflict(None)


async def test_of_many_commits_on_one_head_exactly_one_is_accepted(store: Store) -> None:
    start = await begun(store)
    offers = [store.commit("production", EPOCH, a_commit(start, f"offer{number}")) for number in range(20)]
    answers = await asyncio.gather(*offers)
    assert sum(isinstance(answer, Accepted) for answer in answers) == 1
    cursor = (await store.head("production")).cursor
    assert cursor is not None
    assert cursor.revision == 1


async def test_the_same_commit_offered_twice_is_made_once(store: Store) -> None:
    start = await begun(store)
    commit = a_commit(start, "h1", Change("flag", "checkout", NEW_FLAG))
    assert await store.commit("production", EPOCH, commit) == Accepted()
    assert await store.commit("production", EPOCH, commit) == Conflict(Cursor(EPOCH, 1, "h1"))
    assert await store.commits_since("production", start) == (commit,)


async def test_what_came_after_any_cursor_is_told_in_order(store: Store) -> None:
    cursors = [await begun(store)]
    commits = []
    for number in range(1, 6):
        commit = a_commit(cursors[-1], f"h{number}", Change("flag", f"f{number}", {"key": f"f{number}"}))
        await store.commit("production", EPOCH, commit)
        commits.append(commit)
        cursors.append(after(EPOCH, commit))
    for position, cursor in enumerate(cursors):
        assert await store.commits_since("production", cursor) == tuple(commits[position:])


async def test_a_cursor_that_is_not_of_this_history_is_answered_with_none(store: Store) -> None:
    start = await begun(store)
    await store.commit("production", EPOCH, a_commit(start, "h1"))
    for stranger in (
        Cursor(Epoch(EPOCH.generation, "e2"), 0, "h0"),
        Cursor(EPOCH, 0, "another"),
        Cursor(EPOCH, 1, "another"),
        Cursor(EPOCH, 2, "h2"),
    ):
        branched = stranger.epoch == EPOCH and stranger.revision < 2
        expected = NotInLog.BRANCHED if branched else NotInLog.UNKNOWN
        assert await store.commits_since("production", stranger) is expected, stranger
    assert await store.commits_since("nowhere", start) is NotInLog.UNKNOWN


async def test_the_log_is_bounded_in_bytes_and_keeps_the_newest(store: Store) -> None:
    start = cursor = await begun(store)
    for number in range(1, 31):
        commit = a_commit(cursor, f"h{number}", size=500)
        await store.commit("production", EPOCH, commit)
        before_last, cursor = cursor, after(EPOCH, commit)
    assert await store.commits_since("production", start) is NotInLog.UNKNOWN
    assert await store.commits_since("production", before_last) == (commit,)
    huge = a_commit(cursor, "huge", size=10_000)
    assert await store.commit("production", EPOCH, huge) == Accepted()
    assert await store.commits_since("production", cursor) == (huge,)
    assert await store.commits_since("production", before_last) is NotInLog.UNKNOWN


async def test_a_feed_tells_of_every_commit_from_the_moment_it_is_open(store: Store) -> None:
    cursor = await begun(store)
    first = a_commit(cursor, "h1")
    await store.commit("production", EPOCH, first)
    async with store.feed("production") as feed:
        expected = []
        cursor = after(EPOCH, first)
        for number in range(2, 12):
            commit = a_commit(cursor, f"h{number}", Change("flag", "checkout", {**NEW_FLAG, "description": "\n\r\0é"}))
            await store.commit("production", EPOCH, commit)
            expected.append(commit)
            cursor = after(EPOCH, commit)
        async with asyncio.timeout(10):
            heard = [await anext(feed) for _ in expected]
    assert [told.commit for told in heard] == expected
    assert {told.epoch for told in heard} == {EPOCH}


async def test_a_conflict_is_not_told_to_feeds(store: Store) -> None:
    start = await begun(store)
    async with store.feed("production") as feed:
        await store.commit("production", EPOCH, a_commit(start, "h1"))
        await store.commit("production", EPOCH, a_commit(start, "late"))
        second = a_commit(Cursor(EPOCH, 1, "h1"), "h2")
        await store.commit("production", EPOCH, second)
        async with asyncio.timeout(10):
            heads = [(await anext(feed)).commit.head for _ in range(2)]
    assert heads == ["h1", "h2"]


async def test_environments_do_not_touch_each_other(store: Store) -> None:
    start = await begun(store)
    await begun(store, "staging", "s0")
    async with store.feed("staging") as feed:
        await store.commit("production", EPOCH, a_commit(start, "h1", Change("flag", "checkout", NEW_FLAG)))
        mine = a_commit(Cursor(EPOCH, 0, "s0"), "s1", Change("flag", "checkout", {"key": "checkout"}))
        await store.commit("staging", EPOCH, mine)
        async with asyncio.timeout(10):
            assert (await anext(feed)).commit == mine
    production = await store.load("production")
    assert production is not None
    assert production.records["flag"]["checkout"] == NEW_FLAG
    assert await store.environments() == ("production", "staging")


async def test_a_new_history_begins_with_the_state_and_refuses_what_was_based_on_the_old_one(store: Store) -> None:
    start = await begun(store)
    commit = a_commit(start, "h1", Change("flag", "checkout", NEW_FLAG))
    await store.commit("production", EPOCH, commit)
    old, later = after(EPOCH, commit), Epoch(EPOCH.generation + 1, "e2")
    assert (await store.renew("production", start, later)).cursor == old
    renewed = (await store.renew("production", old, later)).cursor
    assert renewed is not None
    assert (renewed.revision, renewed.head, renewed.epoch.nonce) == (1, "h1", "e2")
    assert renewed.epoch.generation >= later.generation
    later = renewed.epoch
    snapshot = await store.load("production")
    assert snapshot is not None
    assert (snapshot.cursor.epoch, snapshot.records) == (later, {"flag": {"checkout": NEW_FLAG}})
    assert await store.commits_since("production", start) is NotInLog.UNKNOWN
    second = a_commit(old, "h2")
    assert await store.commit("production", EPOCH, second) == Conflict(Cursor(later, 1, "h1"))
    assert await store.commit("production", later, second) == Accepted()
    assert await store.commits_since("production", Cursor(later, 1, "h1")) == (second,)


async def test_a_store_without_a_log_takes_the_state_that_it_is_offered(store: Store) -> None:
    cursor = Cursor(EPOCH, 7, "h7")
    offer = Snapshot("production", cursor, 9, {"flag": {f"f{n}": {"key": f"f{n}"} for n in range(1500)}})
    head = await settled(store, "production", offer, Begin(Epoch(EPOCH.generation + 5, "x"), "x", 1))
    now = head.cursor
    assert now is not None
    assert (now.revision, now.head) == (7, "h7")
    assert now == cursor or (now.epoch.generation > EPOCH.generation and head.parent == cursor)
    snapshot = await store.load("production")
    assert snapshot is not None
    assert (snapshot.cursor, snapshot.at, snapshot.records) == (now, 9, offer.records)
    commit = a_commit(now, "h8")
    assert await store.commit("production", now.epoch, commit) == Accepted()
    assert await store.commits_since("production", now) == (commit,)


async def audited(store: Store, number: int, cursor: Cursor, *changes: Change) -> Cursor:
    """Make a commit with an audit entry that says `number`."""
    commit = a_commit(cursor, f"h{number}", *changes)
    assert await store.commit("production", EPOCH, commit, encode({"n": number, "padding": "x" * 400})) == Accepted()
    return after(EPOCH, commit)


def numbers(recorded: tuple[Recorded, ...]) -> list[int]:
    return [decode(each.data)["n"] for each in recorded]


async def test_the_audit_log_has_each_commit_once_in_order_and_chained(store: Store) -> None:
    cursor = await begun(store)
    for number in range(1, 6):
        changed = "checkout" if number % 2 else "search"
        cursor = await audited(store, number, cursor, Change("flag", changed, {"key": changed}))
    late = a_commit(Cursor(EPOCH, 0, "h0"), "late", Change("flag", "checkout", NEW_FLAG))
    assert isinstance(await store.commit("production", EPOCH, late, encode({"n": 99})), Conflict)
    everything = await store.audit("production", AuditQuery(after=0))
    assert numbers(everything) == [1, 2, 3, 4, 5]
    assert [each.sequence for each in everything] == [1, 2, 3, 4, 5]
    assert broken_at(everything) is None
    assert numbers(await store.audit("production", AuditQuery(limit=2))) == [5, 4]
    assert numbers(await store.audit("production", AuditQuery(limit=2, before=4))) == [3, 2]
    assert numbers(await store.audit("production", AuditQuery(after=1, before=4))) == [2, 3]
    assert numbers(await store.audit("production", AuditQuery(kind="flag", key="checkout"))) == [5, 3, 1]
    assert numbers(await store.audit("production", AuditQuery(kind="flag", key="checkout", after=1))) == [3, 5]
    assert numbers(await store.audit("production", AuditQuery(kind="flag", key="checkout", before=5, limit=1))) == [3]
    assert await store.audit("production", AuditQuery(kind="flag", key="nope")) == ()
    assert await store.audit("nowhere", AuditQuery()) == ()


async def test_the_audit_log_is_bounded_and_what_is_left_of_it_still_fits_together(store: Store) -> None:
    cursor = await begun(store)
    for number in range(1, 31):
        cursor = await audited(store, number, cursor, Change("flag", "checkout", {"key": "checkout"}))
    left = await store.audit("production", AuditQuery(after=0, limit=1000))
    assert numbers(left)[-1] == 30
    assert 2 < len(left) < 30
    assert broken_at(left) is None
    of_flag = await store.audit("production", AuditQuery(kind="flag", key="checkout", limit=1000))
    assert numbers(of_flag) == numbers(left)[::-1]


async def test_an_audit_log_that_somebody_altered_shows_where(store: Store) -> None:
    cursor = await begun(store)
    for number in range(1, 5):
        cursor = await audited(store, number, cursor, Change("flag", "checkout", {"key": "checkout"}))
    first, second, third, fourth = await store.audit("production", AuditQuery(after=0))
    altered = Recorded(2, second.link, second.data.replace(b'"n":2', b'"n":7'))
    assert broken_at([first, altered, third, fourth]) == 2
    assert broken_at([first, third, fourth]) == 2
    assert broken_at([first, third, second, fourth]) == 2
    assert broken_at([second, third, fourth]) is None
    assert broken_at([altered, third, fourth], first.link) == 2
