"""The ring of recent commits."""

from hypothesis import given
from hypothesis import strategies as st

from wigwag_proto.commit import Change, Commit, Cursor, Epoch
from wigwag_server.hub.ring import Ring

EPOCH = Epoch(1, "e")


def filled(sizes: list[int], max_bytes: int) -> Ring:
    ring = Ring(max_bytes)
    ring.restart(Cursor(EPOCH, 0, "h0"))
    for revision, size in enumerate(sizes, start=1):
        change = Change("flag", "f", {"x": "x" * size})
        ring.append(EPOCH, Commit(revision, f"h{revision - 1}", f"h{revision}", 0, (change,)))
    return ring


@given(st.lists(st.integers(0, 3000), max_size=30), st.integers(1000, 50_000), st.integers(1, 20_000))
def test_whatever_is_taken_in_pieces_is_the_same_and_each_piece_is_bounded(
    sizes: list[int], max_bytes: int, piece: int
) -> None:
    ring = filled(sizes, max_bytes)
    for start in range(len(sizes) + 1):
        cursor = Cursor(EPOCH, start, f"h{start}")
        whole = ring.since(cursor)
        if whole is None:
            assert ring.after(cursor, piece) is None
            continue
        pieces = []
        while (taken := ring.after(cursor, piece)) is not None and taken[0]:
            assert len(taken[0]) <= piece or taken[1].revision == cursor.revision + 1
            pieces.append(taken[0])
            cursor = taken[1]
        assert b"".join(pieces) == b"".join(whole)
        assert cursor == Cursor(EPOCH, len(sizes), f"h{len(sizes)}")


@given(st.lists(st.integers(0, 3000), min_size=1, max_size=30), st.integers(1000, 20_000))
def test_it_is_bounded_in_bytes_and_always_keeps_the_newest(sizes: list[int], max_bytes: int) -> None:
    ring = filled(sizes, max_bytes)
    held = [start for start in range(len(sizes)) if ring.since(Cursor(EPOCH, start, f"h{start}")) is not None]
    assert held == list(range(held[0], len(sizes)))
    kept = ring.since(Cursor(EPOCH, held[0], f"h{held[0]}")) or []
    assert sum(map(len, kept)) <= max_bytes or len(kept) == 1


def test_a_head_that_never_was_and_another_history_are_not_in_it() -> None:
    ring = filled([1, 2, 3], 50_000)
    assert ring.since(Cursor(EPOCH, 2, "other")) is None
    assert ring.since(Cursor(Epoch(2, "f"), 2, "h2")) is None
    assert ring.since(Cursor(EPOCH, 4, "h4")) is None
    assert Ring().since(Cursor(EPOCH, 0, "h0")) is None
