"""The hub with connections of its own, on real sockets: who is written what, and in how large steps."""

import asyncio
import socket
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.support.waiting import until
from wigwag_proto.commit import Change, Commit, Cursor, Epoch
from wigwag_proto.events import Emergencies, Hello, Patch, Put, Sync, decode_event
from wigwag_proto.follower import Follower
from wigwag_proto.replica import Replica
from wigwag_proto.snapshot import Emergency, Snapshot
from wigwag_proto.sse import SseParser
from wigwag_server.hub.connection import Connection
from wigwag_server.hub.hub import BATCH, BEAT_DELAY, Hub

EPOCH = Epoch(100, "e")


def commit(revision: int) -> Commit:
    return Commit(revision, f"h{revision - 1}", f"h{revision}", revision, (Change("flag", "f", {"enabled": True}),))


class Site:
    """A hub that runs, and the far ends of its streams."""

    def __init__(self, heartbeat_s: float) -> None:
        self.replica = Replica("production")
        self.replica.load(Snapshot("production", Cursor(EPOCH, 1, "h1"), 1, {}))
        self.hub = Hub(Follower(self.replica), "server", heartbeat_s=heartbeat_s)
        self.hub.loaded()
        self.far: list[socket.socket] = []

    async def join(self, cursor: str | None = None) -> Connection:
        near, far = socket.socketpair()
        far.setblocking(False)
        self.far.append(far)
        transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=near)
        connection = Connection(transport, chunked=True, opened_at=time.monotonic(), on_lost=self.hub.leave)
        self.hub.join(connection, cursor)
        return connection

    def commit(self, *revisions: int) -> None:
        """Have the replica apply commits, and only then tell the hub, as a follower does that had to read them."""
        for revision in revisions:
            self.replica.apply(EPOCH, commit(revision))
        for revision in revisions:
            self.hub.committed(EPOCH, commit(revision))

    def events(self, stream: int = 0) -> list[object]:
        """Return what a stream has been sent since this was last asked."""
        data = self.far[stream].recv(1 << 20)
        parser = SseParser()
        events: list[object] = []
        while data:
            size, _, data = data.partition(b"\r\n")
            length = int(size, 16)
            events += [decode_event(event) for event in parser.feed(data[:length])]
            data = data[length + 2 :]
        return events

    def heard(self, stream: int = 0) -> list[int]:
        """Return the revisions that a stream was brought to by what it has been sent so far."""
        revisions = []
        for event in self.events(stream):
            match event:
                case Patch(_, made):
                    revisions.append(made.revision)
                case Put(snapshot):
                    revisions.append(snapshot.cursor.revision)
        return revisions


@asynccontextmanager
async def running_site(heartbeat_s: float = 60.0) -> AsyncGenerator[Site]:
    made = Site(heartbeat_s)
    running = asyncio.create_task(made.hub.run())
    try:
        yield made
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        for connection in list(made.hub.connections):
            connection.abort()
        await until(lambda: not made.hub.connections, "the end of the streams")
        for far in made.far:
            far.close()


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with running_site() as made:
        yield made


async def test_a_lone_commit_goes_out_before_anything_else_happens(site: Site) -> None:
    connection = await site.join()
    site.commit(2)
    assert connection.cursor is site.replica.cursor
    assert site.heard() == [1, 2]


async def test_commits_that_are_reported_one_by_one_after_all_were_applied_reach_everyone(site: Site) -> None:
    connections = [await site.join() for _ in range(3)]
    site.commit(2, 3, 4)
    await until(lambda: all(each.cursor is site.replica.cursor for each in connections), "all")
    assert [site.heard(stream) for stream in range(3)] == [[1, 2, 3, 4]] * 3


async def test_what_comes_during_a_fan_out_reaches_also_those_who_were_written_to_before(site: Site) -> None:
    connections = [await site.join() for _ in range(2 * BATCH + 10)]
    site.commit(2)
    reached = [each.cursor is site.replica.cursor for each in connections]
    assert reached.count(True) == BATCH  # one step, and then it is the turn of others
    site.commit(3)
    site.commit(4)
    await until(lambda: all(each.cursor is site.replica.cursor for each in connections), "all")
    assert all(site.heard(stream) == [1, 2, 3, 4] for stream in range(len(connections)))
    # Those who came after the news got it all in one write; nobody needed more than two.
    assert site.hub.counts.deliveries == len(connections) + BATCH


async def test_a_stream_that_ends_during_a_fan_out_is_passed_over(site: Site) -> None:
    connections = [await site.join() for _ in range(BATCH + 10)]
    site.commit(2)
    waiting = [each for each in connections if each.cursor is not site.replica.cursor]
    waiting[0].abort()
    waiting[1].finish()
    await until(lambda: all(each.cursor is site.replica.cursor for each in waiting[2:]), "the others")
    assert [waiting[0].open, waiting[1].open] == [False, False]
    await until(lambda: len(site.hub.connections) == len(connections) - 2, "both to be forgotten")


async def test_streams_in_different_places_get_what_each_has_missed(site: Site) -> None:
    site.commit(2, 3, 4)
    places = [await site.join(f"{EPOCH}:{revision}:h{revision}") for revision in (1, 2, 3, 4)]
    assert [site.heard(stream) for stream in range(4)] == [[2, 3, 4], [3, 4], [4], []]
    site.commit(5)
    assert all(each.cursor is site.replica.cursor for each in places)
    assert [site.heard(stream) for stream in range(4)] == [[5]] * 4


async def test_an_emergency_goes_to_everyone_and_lets_others_have_their_turn(site: Site) -> None:
    connections = [await site.join() for _ in range(2 * BATCH + 10)]
    site.replica.add_emergencies([Emergency("e1", ("checkout",), "ann", "payments fail", 1)])
    declared = site.hub.emergencies_changed()
    assert (declared.told, declared.done) == (BATCH, False)  # one step, and then it is the turn of others
    site.replica.end_emergencies(["e1"])
    called_off = site.hub.emergencies_changed(("e1",))
    assert called_off.told == 0  # nobody may hear of the end first
    assert await site.hub.told(called_off) == declared.told == len(connections)
    for stream in range(len(connections)):
        heard = [each for each in site.events(stream) if isinstance(each, Emergencies)]
        assert [([one.id for one in each.emergencies], each.ended) for each in heard] == [(["e1"], ()), ([], ("e1",))]


async def test_emergencies_that_change_during_an_announcement_go_out_together_after_it(site: Site) -> None:
    connections = [await site.join() for _ in range(BATCH + 10)]
    made = [Emergency(f"e{number}", ("checkout",), "ann", "payments fail", number) for number in range(5)]
    announced = []
    for each in made:
        site.replica.add_emergencies([each])
        announced.append(site.hub.emergencies_changed())
        if each is not made[-1]:
            site.replica.end_emergencies([each.id])
            announced.append(site.hub.emergencies_changed((each.id,)))
    assert announced[0].told == BATCH
    await until(lambda: announced[-1].done, "the last announcement")
    for one in announced:
        assert await site.hub.told(one) == len(connections)
    ended = tuple(each.id for each in made[:-1])
    for stream in range(len(connections)):
        heard = [each for each in site.events(stream) if isinstance(each, Emergencies)]
        assert [([one.id for one in each.emergencies], each.ended) for each in heard] == [(["e0"], ()), (["e4"], ended)]


async def test_a_stream_that_catches_up_during_an_announcement_hears_nothing_older_after_it(site: Site) -> None:
    connections = [await site.join() for _ in range(2 * BATCH)]
    for stream in range(len(connections)):
        site.events(stream)
    site.replica.add_emergencies([Emergency("e1", ("checkout",), "ann", "payments fail", 1)])
    site.replica.end_emergencies(["e1"])
    site.hub.emergencies_changed(("e1",))
    site.replica.add_emergencies([Emergency("e2", ("checkout",), "ann", "payments fail", 2)])
    last = site.hub.emergencies_changed()
    for each in connections:  # as if none had been writable when e1 was declared, and all were again
        each.uninformed = True
        site.hub._fall_behind(each)
        site.hub._look_after(each, time.monotonic())
    await site.hub.told(last)
    await until(lambda: not any(each.uninformed for each in connections), "all to be told")
    for stream in range(len(connections)):
        heard = [[one.id for one in each.emergencies] for each in site.events(stream) if isinstance(each, Emergencies)]
        assert heard == sorted(heard), "e2 was lifted for a moment"


async def test_heartbeats_make_way_for_a_fan_out_but_not_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_site(heartbeat_s=1.0) as site:
        connection = await site.join()
        due_at = connection.beats_at
        monkeypatch.setattr(site.hub, "_busy", lambda: True)  # a fan-out that does not come to an end
        await until(lambda: connection.beats_at != due_at, "a heartbeat")
        assert time.monotonic() >= due_at + BEAT_DELAY * site.hub.heartbeat_s
        assert [type(each) for each in site.events()][:4] == [Hello, Put, Sync, Sync]


async def test_an_emergency_goes_out_before_commits_that_are_waiting(site: Site) -> None:
    connections = [await site.join() for _ in range(BATCH + 10)]
    site.commit(2)
    site.replica.add_emergencies([Emergency("e1", ("checkout",), "ann", "payments fail", 1)])
    await site.hub.told(site.hub.emergencies_changed())
    await until(lambda: all(each.cursor is site.replica.cursor for each in connections), "all")
    heard = [[type(each) for each in site.events(stream)] for stream in range(len(connections))]
    assert heard.count([Hello, Put, Sync, Patch, Emergencies]) == BATCH  # those had the commit at once
    assert heard.count([Hello, Put, Sync, Emergencies, Patch]) == len(connections) - BATCH
