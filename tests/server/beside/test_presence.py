"""What a server notes of its instances, on its way into the roster of each kind."""

import asyncio

from wigwag_proto.replica import Replica
from wigwag_proto.telemetry import Instance, instance_header
from wigwag_server.instances.presence import Presence
from wigwag_server.instances.roster import Roster

CURSOR = "1700000000000.aaaa:7:head"


def present(roster: Roster, limit: int = 10) -> Presence:
    return Presence(Replica("production"), roster, lambda: None, limit=limit)


def opened(presence: Presence, id_: str) -> None:
    header = instance_header(Instance(id=id_, label="shop", host="web", pid=7, sdk="raw/1"))
    presence.opened(header, CURSOR)


async def test_who_comes_while_others_are_written_down_keeps_what_it_has_in_force(roster: Roster) -> None:
    presence = present(roster)
    await presence.flush("server", "host:1")  # from here on the roster knows the server
    opened(presence, "instance1")
    writing = asyncio.create_task(presence.flush("server", "host:1"))
    await asyncio.sleep(0)  # the seats are on their way to the store by now
    opened(presence, "instance2")
    await writing
    await presence.flush("server", "host:1")
    applied = (await roster.look("production")).applied
    assert {id_: each.cursor for id_, each in applied.items()} == {"instance1": CURSOR, "instance2": CURSOR}
