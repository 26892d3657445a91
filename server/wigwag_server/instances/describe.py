"""What the roster says, as JSON for operators. Pure."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from wigwag_proto.commit import Cursor
from wigwag_proto.telemetry import Instance
from wigwag_server.instances.propagation import Propagation, Standing, is_alive
from wigwag_server.instances.roster import Look, Via

# So many are listed by name under each heading; the counts are of all.
NAMED = 500
# What people call a relay, by the id of its key.
RelayName = Callable[[str], str]


def to_name(verdict: Propagation) -> list[str]:
    """Return the ids of those who are to be named."""
    return [id_ for standing in Standing if standing is not Standing.CONFIRMED for id_ in verdict.ids(standing)[:NAMED]]


def describe(
    verdict: Propagation,
    look: Look,
    names: Mapping[str, Instance],
    environment: str,
    revision: int,
    *,
    relay_name: RelayName = str,
) -> dict[str, Any]:
    """Return where a revision is in force: in how many, since when, and by name where it is not."""
    ids = {standing: verdict.ids(standing) for standing in Standing}
    counts = {standing.value: len(found) for standing, found in ids.items()}
    committed_us = verdict.committed_us
    return {
        "environment": environment,
        "revision": revision,
        "complete": verdict.complete,
        "frozen": verdict.frozen,
        "committedAgoMs": None if committed_us is None else (look.now_us - committed_us) // 1000,
        "instances": len(verdict.standing) - counts[Standing.LEFT],
        "counts": counts,
        "ms": msgspec.to_builtins(verdict.ms),
        **{
            standing.value: [_named(verdict, look, names, id_, relay_name) for id_ in found[:NAMED]]
            for standing, found in ids.items()
            if standing is not Standing.CONFIRMED
        },
        "anonymousStreams": verdict.anonymous,
        "servers": verdict.servers,
    }


def describe_instances(
    look: Look, names: Mapping[str, Instance], ids: list[str], head: Cursor, relay_name: RelayName = str
) -> list[dict[str, Any]]:
    """Return what is known of these instances."""
    return [_instance(look, names, id_, head, relay_name) for id_ in ids]


def describe_servers(look: Look, relay_name: RelayName = str) -> list[dict[str, Any]]:
    """Return the servers that share the roster, and the relays."""
    return [
        {
            "id": seen.note.id,
            "name": seen.note.name,
            "relays": _relays(seen.note.id, relay_name),
            "alive": is_alive(look, seen.note.id),
            "heardAgoMs": _ago_ms(look, seen.at_us),
            "streams": seen.note.streams,
            "anonymousStreams": seen.note.anonymous,
        }
        for seen in sorted(look.servers.values(), key=lambda seen: seen.note.name)
    ]


def describe_tripped(look: Look, ids: Iterable[str]) -> dict[str, int]:
    """Return of each flag in how many of these instances its circuit is tripped."""
    return dict(sorted(Counter(flag for id_ in ids for flag in look.tripped.get(id_, ())).items()))


def state_of(look: Look, id_: str) -> str:
    """Return in a word how an instance is connected."""
    seat = look.seats[id_]
    if seat.via in (Via.STREAM, Via.POLL) and not is_alive(look, seat.server):
        return Standing.UNKNOWN.value
    return seat.via.value


def is_current(look: Look, id_: str, head: Cursor) -> bool:
    """Say whether an instance is known to have the newest state in force."""
    applied = look.applied.get(id_)
    if applied is None:
        return False
    cursor = Cursor.parse(applied.cursor)
    return (cursor.epoch, cursor.revision) >= (head.epoch, head.revision)


def who(names: Mapping[str, Instance], id_: str) -> dict[str, Any]:
    """Return who an instance is; its id alone where nothing else is known any more."""
    instance = names.get(id_) or Instance(id=id_)
    return {"name": instance.name if id_ in names else id_, **msgspec.to_builtins(instance)}


def _named(
    verdict: Propagation, look: Look, names: Mapping[str, Instance], id_: str, relay_name: RelayName
) -> dict[str, Any]:
    applied = look.applied.get(id_)
    server = look.seats[id_].server if id_ in look.seats else None
    return {
        **who(names, id_),
        "server": server,
        "relays": _relays(server or "", relay_name),
        "revision": Cursor.parse(applied.cursor).revision if applied else None,
        "sinceAgoMs": _ago_ms(look, verdict.since_us[id_]),
    }


def _instance(
    look: Look, names: Mapping[str, Instance], id_: str, head: Cursor, relay_name: RelayName
) -> dict[str, Any]:
    seat, applied = look.seats[id_], look.applied.get(id_)
    cursor = Cursor.parse(applied.cursor) if applied else None
    return {
        **who(names, id_),
        "state": state_of(look, id_),
        "server": seat.server,
        "relays": _relays(seat.server, relay_name),
        "sinceAgoMs": _ago_ms(look, seat.since_us),
        "revision": cursor.revision if cursor else None,
        "current": is_current(look, id_, head),
        "appliedAgoMs": _ago_ms(look, applied.at_us) if applied else None,
        "tripped": [
            {"flag": flag, "sinceAgoMs": _ago_ms(look, at_us)}
            for flag, at_us in sorted(look.tripped.get(id_, {}).items())
        ],
    }


def _relays(server: str, relay_name: RelayName) -> list[str]:
    """Return the relays between the store and a server, the one nearest to the store first.

    Each puts the id of the key that it was asked with in front of what it passes on.
    """
    return [relay_name(key_id) for key_id in server.split(".")[:-1]]


def _ago_ms(look: Look, at_us: int) -> int:
    return max(0, look.now_us - at_us) // 1000
