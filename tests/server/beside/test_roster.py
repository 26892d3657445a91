"""The contract of a roster, run over every implementation."""

import pytest

from tests.server.beside.conftest import LIMIT
from wigwag_proto.telemetry import Instance
from wigwag_server.instances import redis_roster, sqlite_roster
from wigwag_server.instances import roster as roster_module
from wigwag_server.instances.roster import Changes, Confirmation, Roster, ServerNote, Tripped, Via

EPOCH = "1700000000000.aaaa"
ONE, TWO = ServerNote("one", "host:1", 3, 1), ServerNote("two", "host:2", 0, 0)


def cursor(revision: int, epoch: str = EPOCH) -> str:
    return f"{epoch}:{revision}:head{revision}"


def instance(number: int) -> Instance:
    return Instance(id=f"instance{number}", label="shop", host="web", pid=number)


def seated(*numbers: int, via: Via = Via.STREAM) -> Changes:
    return Changes(seated=[(instance(number), via) for number in numbers])


async def test_a_server_is_known_from_its_first_sign_of_life_to_its_farewell(roster: Roster) -> None:
    assert await roster.update("production", ONE, Changes()) is False
    assert await roster.update("production", ONE, Changes()) is True
    look = await roster.look("production")
    assert look.servers["one"].note == ONE
    assert 0 <= look.now_us - look.servers["one"].at_us < 20_000_000
    await roster.farewell("production", "one")
    assert (await roster.look("production")).servers == {}


async def test_who_is_seated_is_there_by_name_and_in_one_place(roster: Roster) -> None:
    await roster.update("production", ONE, seated(1, 2))
    await roster.update("production", TWO, seated(2, via=Via.POLL))
    seats = (await roster.look("production")).seats
    assert {id_: (seat.server, seat.via) for id_, seat in seats.items()} == {
        "instance1": ("one", Via.STREAM),
        "instance2": ("two", Via.POLL),
    }
    assert await roster.names("production", ["instance1", "nobody"]) == {"instance1": instance(1)}
    assert (await roster.look("staging")).seats == {}


async def test_an_instance_is_lost_only_by_the_server_that_has_it_and_left_for_all(roster: Roster) -> None:
    await roster.update("production", ONE, seated(1, 2, 3))
    await roster.update("production", TWO, seated(2))
    await roster.update("production", ONE, Changes(lost=["instance1", "instance2"]))
    seats = (await roster.look("production")).seats
    assert [seats[f"instance{n}"].via for n in (1, 2, 3)] == [Via.LOST, Via.STREAM, Via.STREAM]
    await roster.update("production", TWO, Changes(left=["instance3", "never_seen"]))
    await roster.update("production", ONE, Changes(lost=["instance3"]))
    seats = (await roster.look("production")).seats
    assert seats["instance3"].via is Via.LEFT
    assert len(seats) == 3


async def test_the_roster_is_frozen_once_and_dated_to_whoever_heard_first(roster: Roster) -> None:
    await roster.update("production", ONE, seated(1, 2))
    await roster.freeze("production", EPOCH, 7, 1_000)
    await roster.update("production", ONE, Changes(seated=[(instance(3), Via.STREAM)], left=["instance1"]))
    late = (await roster.look("production", 7)).frozen
    await roster.freeze("production", EPOCH, 7, 5_000_000)
    early = (await roster.look("production", 7)).frozen
    await roster.freeze("production", EPOCH, 7, 0)
    last = (await roster.look("production", 7)).frozen
    assert late is not None
    assert early is not None
    assert last is not None
    assert set(last.seats) == {"instance1", "instance2"}
    assert last.seats["instance1"].via is Via.STREAM
    assert (last.epoch, last.revision) == (EPOCH, 7)
    assert early.committed_us == last.committed_us < late.committed_us
    assert (await roster.look("production", 8)).frozen is None


async def test_a_server_adds_whom_it_had_when_another_one_froze(roster: Roster) -> None:
    await roster.update("production", ONE, seated(1))
    await roster.freeze("production", EPOCH, 7, 0)
    await roster.update("production", TWO, seated(2, 3))
    await roster.freeze("production", EPOCH, 7, 0, ["instance2"])
    frozen = (await roster.look("production", 7)).frozen
    assert frozen is not None
    assert set(frozen.seats) == {"instance1", "instance2"}


async def test_a_confirmation_is_of_every_revision_up_to_it_and_the_first_counts(roster: Roster) -> None:
    await roster.update("production", ONE, seated(1, 2, 3))
    for revision in (5, 7):
        await roster.freeze("production", EPOCH, revision, 1_000_000)
    await roster.confirm("production", [Confirmation("instance1", cursor(7), 400_000)])
    await roster.confirm(
        "production", [Confirmation("instance1", cursor(8), 0), Confirmation("instance2", cursor(6), 0)]
    )
    await roster.confirm("production", [Confirmation("instance3", cursor(9, "1800000000000.bbbb"), 0)])
    five, seven = [(await roster.look("production", revision)).frozen for revision in (5, 7)]
    assert five is not None
    assert seven is not None
    assert set(five.confirmed) == {"instance1", "instance2"}
    assert set(seven.confirmed) == {"instance1"}
    assert 500_000 <= seven.confirmed["instance1"] - seven.committed_us < 1_000_000


async def test_what_an_instance_has_in_force_is_kept_and_never_goes_back(roster: Roster) -> None:
    await roster.update("production", ONE, seated(1))
    await roster.confirm("production", [Confirmation("instance1", cursor(7), 0)])
    first = (await roster.look("production")).applied["instance1"]
    await roster.confirm("production", [Confirmation("instance1", cursor(6), 0)])
    await roster.confirm("production", [Confirmation("instance1", cursor(7), 0)])
    assert (await roster.look("production")).applied == {"instance1": first}
    assert first.cursor == cursor(7)
    await roster.confirm("production", [Confirmation("instance1", cursor(1, "1800000000000.bbbb"), 0)])
    assert (await roster.look("production")).applied["instance1"].cursor == cursor(1, "1800000000000.bbbb")


async def test_who_confirmed_before_the_roster_was_frozen_is_told_by_what_it_has(roster: Roster) -> None:
    await roster.update("production", ONE, seated(1, 2))
    await roster.confirm("production", [Confirmation("instance1", cursor(7), 0)])
    await roster.freeze("production", EPOCH, 7, 0)
    look = await roster.look("production", 7)
    assert look.frozen is not None
    assert look.frozen.confirmed == {}
    assert look.applied["instance1"].cursor == cursor(7)


async def test_only_the_latest_revisions_stay_tracked(roster: Roster) -> None:
    await roster.update("production", ONE, seated(1))
    for revision in range(1, roster_module.TRACKED + 3):
        await roster.freeze("production", EPOCH, revision, 0)
    looks = [(await roster.look("production", revision)).frozen is not None for revision in (1, 2, 3)]
    assert looks == [False, False, True]


async def test_a_revision_of_two_histories_is_that_of_the_newer_one(roster: Roster) -> None:
    await roster.update("production", ONE, seated(1))
    await roster.freeze("production", EPOCH, 7, 1_000_000)
    await roster.freeze("production", "1800000000000.bbbb", 7, 0)
    frozen = (await roster.look("production", 7)).frozen
    assert frozen is not None
    assert frozen.epoch == "1800000000000.bbbb"


async def test_more_instances_than_the_limit_are_not_taken_in(roster: Roster) -> None:
    await roster.update("production", ONE, seated(*range(LIMIT + 10)))
    await roster.confirm("production", [Confirmation(f"stranger{n:04}", cursor(1), 0) for n in range(LIMIT + 10)])
    look = await roster.look("production")
    assert len(look.seats) == LIMIT
    assert len(look.applied) <= LIMIT
    await roster.update("production", TWO, seated(0))
    assert (await roster.look("production")).seats["instance0"].server == "two"


async def test_what_is_over_is_forgotten(roster: Roster, monkeypatch: pytest.MonkeyPatch) -> None:
    await roster.update("production", ONE, seated(1, 2, 3))
    await roster.update("production", ONE, Changes(lost=["instance1"], left=["instance2"]))
    await roster.confirm("production", [Confirmation("instance2", cursor(1), 0)])
    await roster.freeze("production", EPOCH, 7, 0)
    await roster.reap("production")
    look = await roster.look("production", 7)
    assert (len(look.seats), len(look.servers), look.frozen is not None) == (3, 1, True)
    for module in (redis_roster, sqlite_roster):
        for name in ("FORGET_DEAD_US", "FORGET_LOST_US", "FORGET_LEFT_US", "TRACKED_US"):
            monkeypatch.setattr(module, name, -1)
    await roster.reap("production")
    look = await roster.look("production", 7)
    assert (look.seats, look.servers, look.applied, look.frozen) == ({}, {}, {}, None)
    assert await roster.names("production", ["instance1", "instance3"]) == {}


async def test_more_than_fits_into_one_call_is_written_whole(roster: Roster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_roster, "AT_ONCE", 7)
    monkeypatch.setattr(redis_roster, "CONFIRMED_AT_ONCE", 7)
    await roster.update("production", ONE, seated(*range(20)))
    await roster.freeze("production", EPOCH, 7, 0)
    await roster.confirm("production", [Confirmation(f"instance{n}", cursor(7), 0) for n in range(20)])
    frozen = (await roster.look("production", 7)).frozen
    assert frozen is not None
    assert len(frozen.confirmed) == 20


async def test_circuits_are_known_of_who_has_a_seat_until_they_close(roster: Roster) -> None:
    await roster.update("production", ONE, seated(1, 2))
    await roster.trip("production", [Tripped("instance1", {"checkout": 1_000}), Tripped("nobody", {"checkout": 0})])
    await roster.trip("production", [Tripped("instance2", {"checkout": 0, "search": 0})])
    look = await roster.look("production")
    assert {id_: set(flags) for id_, flags in look.tripped.items()} == {
        "instance1": {"checkout"},
        "instance2": {"checkout", "search"},
    }
    assert look.tripped["instance1"]["checkout"] < look.tripped["instance2"]["checkout"] <= look.now_us
    assert (await roster.look("staging")).tripped == {}
    await roster.trip("production", [Tripped("instance2", {})])
    assert set((await roster.look("production")).tripped) == {"instance1"}
