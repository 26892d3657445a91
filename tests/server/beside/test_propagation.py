"""The verdict on where a revision is in force."""

from hypothesis import given
from hypothesis import strategies as st

from wigwag_server.instances.propagation import COMING_BACK_US, Standing, propagation, times
from wigwag_server.instances.roster import SILENT_US, Applied, Frozen, Look, Seat, ServerNote, ServerSeen, Via

NOW, COMMITTED = 1_000_000_000, 990_000_000
EPOCH = "1700000000000.aaaa"
HERE = Seat("alive", Via.STREAM, COMMITTED - 1)


def look(
    then: dict[str, Seat],
    now: dict[str, Seat],
    confirmed: dict[str, int] | None = None,
    applied: dict[str, Applied] | None = None,
) -> Look:
    servers = {
        "alive": ServerSeen(ServerNote("alive", "a", 1, 2), NOW - 100),
        "dead": ServerSeen(ServerNote("dead", "d", 1, 4), NOW - SILENT_US - 1),
    }
    frozen = Frozen(EPOCH, 7, COMMITTED, then, confirmed or {})
    return Look(NOW, servers, now, applied or {}, frozen)


def standing(then: Seat, now: Seat | None, applied: str = "") -> Standing | None:
    seats = {} if now is None else {"x": now}
    has = {"x": Applied(applied, NOW)} if applied else {}
    return propagation(look({"x": then}, seats, applied=has), "", 0).standing.get("x")


def test_who_has_not_confirmed_is_told_by_where_it_is_now() -> None:
    assert standing(HERE, HERE) is Standing.PENDING
    assert standing(HERE, Seat("alive", Via.POLL, NOW)) is Standing.PENDING
    assert standing(HERE, Seat("alive", Via.LOST, NOW)) is Standing.LOST
    assert standing(HERE, Seat("dead", Via.LEFT, NOW)) is Standing.LEFT
    assert standing(HERE, Seat("dead", Via.STREAM, NOW)) is Standing.UNKNOWN
    assert standing(HERE, Seat("nobody", Via.STREAM, NOW)) is Standing.UNKNOWN
    assert standing(HERE, None) is Standing.LOST
    assert standing(Seat("dead", Via.STREAM, 0), None) is Standing.UNKNOWN


def test_who_is_about_to_come_back_has_to_take_part_and_who_is_gone_has_not() -> None:
    lately, long_ago = COMMITTED - COMING_BACK_US + 1, COMMITTED - COMING_BACK_US
    assert standing(Seat("alive", Via.LOST, lately), HERE) is Standing.PENDING
    assert standing(Seat("alive", Via.LOST, long_ago), Seat("alive", Via.LOST, long_ago)) is None
    assert standing(Seat("alive", Via.LEFT, lately), None) is None


def test_a_state_confirms_a_revision_of_its_own_history_only() -> None:
    for cursor, expected in (
        (f"{EPOCH}:7:h", Standing.CONFIRMED),
        (f"{EPOCH}:8:h", Standing.CONFIRMED),
        (f"{EPOCH}:6:h", Standing.PENDING),
        ("1800000000000.bbbb:9:h", Standing.PENDING),
    ):
        assert standing(HERE, HERE, cursor) is expected, cursor


def test_times_are_from_the_commit_on_and_by_the_nearest_rank() -> None:
    seats = {f"i{n}": HERE for n in range(100)}
    confirmed = {f"i{n}": COMMITTED + n * 1000 for n in range(100)}
    found = propagation(look(seats, seats, confirmed), "", 0)
    assert (found.ms.p50, found.ms.p99, found.ms.max) == (49.0, 98.0, 99.0)
    assert found.complete
    nobody = times([])
    assert (nobody.p50, nobody.p99, nobody.max) == (None, None, None)


def test_without_a_frozen_roster_it_is_about_who_is_there_now_without_times() -> None:
    there = Look(NOW, {}, {"x": HERE, "y": HERE}, {"x": Applied(f"{EPOCH}:7:h", NOW)})
    found = propagation(there, EPOCH, 7)
    assert (found.frozen, found.complete, found.ms.max) == (False, False, None)
    assert found.ids(Standing.CONFIRMED) == ["x"]


def test_streams_without_a_name_are_counted_on_servers_that_live() -> None:
    found = propagation(look({}, {}), "", 0)
    assert (found.anonymous, found.servers, found.complete) == (2, 1, True)


SEATS = st.builds(
    Seat,
    st.sampled_from(["alive", "dead", "gone"]),
    st.sampled_from(Via),
    st.integers(COMMITTED - 2 * COMING_BACK_US, NOW),
)
IDS = st.sampled_from([f"i{n}" for n in range(8)])


@given(
    st.dictionaries(IDS, SEATS),
    st.dictionaries(IDS, SEATS),
    st.dictionaries(IDS, st.integers(COMMITTED - 5, NOW)),
)
def test_it_is_complete_only_when_everybody_who_was_connected_has_confirmed_or_left(
    then: dict[str, Seat], now: dict[str, Seat], confirmed: dict[str, int]
) -> None:
    found = propagation(look(then, now, confirmed), "", 0)
    connected = {id_ for id_, seat in then.items() if seat.via in (Via.STREAM, Via.POLL)}
    assert connected <= found.standing.keys() <= then.keys()
    missing = {id_ for id_ in found.standing if id_ not in confirmed}
    assert found.complete == all(id_ in now and now[id_].via is Via.LEFT for id_ in missing)
    assert found.since_us.keys() == missing
    assert found.ms.max is None or found.ms.max >= 0
