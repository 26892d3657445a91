"""What waits for a webhook: in order for each flag, bounded, given up at last. Pure."""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wigwag_server.environment import OUTBOX
from wigwag_server.webhooks.addresses import is_public
from wigwag_server.webhooks.progress import SENDER, NotMine, SaveProgress, Sender
from wigwag_server.webhooks.queue import CAP_MS, GIVE_UP_MS, MOST_KEYS, MOST_RECENT, MOST_WAITING, Item, Queue, ordering


def item(number: int, keys: tuple[str, ...] | None, at: int = 0) -> Item:
    return Item(id=str(number), type="kill", environment="production", at=at, sequence=number, keys=keys)


KEYS = st.one_of(st.none(), st.lists(st.sampled_from("abc"), max_size=2, unique=True).map(tuple))


@given(st.lists(KEYS, max_size=12), st.integers(0, 2**32))
def test_whatever_fails_events_of_one_flag_are_delivered_in_order_and_all_of_them(
    all_keys: list[tuple[str, ...] | None], seed: int
) -> None:
    queue, now, rng = Queue(), 0, random.Random(seed)
    for number, keys in enumerate(all_keys):
        queue.add(item(number, keys), now)
    delivered: list[Item] = []
    while queue.items:
        found = queue.due(now)
        if found is None:
            due_at = queue.next_due()
            assert due_at is not None
            assert due_at > now, "it would be looked at again and again for nothing"
            now = due_at
        elif rng.random() < 0.5:
            queue.failed(found, now, "no", rng)
        else:
            queue.delivered(found, now, 204, 1)
            delivered.append(found)
    assert sorted(int(each.id) for each in delivered) == list(range(len(all_keys)))
    for place, later in enumerate(delivered):
        for earlier in delivered[place + 1 :]:
            if int(earlier.id) < int(later.id):
                assert earlier.keys is not None
                assert later.keys is not None
                assert not set(earlier.keys) & set(later.keys)


def test_waiting_grows_to_a_bound_and_ends_after_a_day() -> None:
    queue, now, rng = Queue(), 0, random.Random(1)
    queue.add(item(1, ("a",)), now)
    waits = []
    while not queue.failed(queue.items[0], now, "no", rng):
        due_at = queue.next_due()
        assert due_at is not None
        waits.append(due_at - now)
        now = due_at
    assert waits[0] <= 1000
    assert CAP_MS / 2 <= max(waits) <= CAP_MS
    assert GIVE_UP_MS <= now <= GIVE_UP_MS + CAP_MS
    (sent,) = queue.recent
    assert (sent.delivered, sent.error, sent.attempts) == (False, "no", len(waits) + 1)


def test_a_queue_is_bounded_and_takes_nothing_twice() -> None:
    queue = Queue()
    given_up = sum(queue.add(item(number, ("a",)), 0) for number in range(MOST_WAITING + 30))
    assert given_up == 30
    assert (len(queue.items), len(queue.recent)) == (MOST_WAITING, MOST_RECENT)
    assert queue.items[0].id == "30"
    assert not queue.add(item(MOST_WAITING, ("a",)), 0)
    assert len(queue.items) == MOST_WAITING
    assert ordering(map(str, range(MOST_KEYS + 1))) is None


def test_a_sender_that_was_replaced_writes_nothing() -> None:
    mine = Sender(server="one", term=3)
    save = SaveProgress(("one", 3), Sender(server="one", term=3, beat=1), {"gone": {}})
    table: Any = {OUTBOX: {SENDER: {"server": "one", "term": 3}}}
    assert [change.key for change in save(table, 1, 0)] == [SENDER], "a deleted webhook gets no queue"
    for other in ({"server": "two", "term": 4}, {"server": "one", "term": 5}, None):
        with pytest.raises(NotMine):
            save({OUTBOX: {SENDER: other}} if other else {}, 1, 0)
    assert mine.has_all({"production": 0})
    assert not mine.has_all({"production": 1})


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1:248:1893:25c8:1946", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("0.0.0.0", False),
        ("::1", False),
        ("::", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("ff02::1", False),
        ("::ffff:10.0.0.1", False),
        ("64:ff9b::a00:1", False),
        ("2002:7f00:1::", False),
        ("nonsense", False),
    ],
)
def test_only_addresses_of_the_internet_at_large_are_public(address: str, public: bool) -> None:
    assert is_public(address) == public
