"""What the roster says, as JSON for operators. Pure."""

from collections.abc import Mapping
from typing import Any

import msgspec

from wigwag_proto.commit import Cursor
from wigwag_proto.telemetry import Instance
from wigwag_server.instances.propagation import Propagation, Standing, is_alive
from wigwag_server.instances.roster import Look, Via

# So many are listed by name under each heading; the counts are of all.
NAMED = 500


def to_name(verdict: Propagation) -> list[str]:
    """Return the ids of those who are to be named."""
    return [id_ for standing in Standing if standing is not Standing.CONFIRMED for id_ in verdict.ids(standing)[:NAMED]]


def describe(
    verdict: Propagation, look: Look, names: Mapping[str, Instance], environment: str, revision: int
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
            standing.value: [_named(verdict, look, names, id_) for id_ in found[:NAMED]]
            for standing, found in ids.items()
            if standing is not Standing.CONFIRMED
        },
        "anonymousStreams": verdict.anonymous,
        "servers": verdict.servers,
    }


def describe_instances(look: Look, names: Mapping[str, Instance], ids: list[str], head: Cursor) -> list[dict[str, Any]]:
    """Return what is known of these instances."""
    return [_instance(look, names, id_, head) for id_ in ids]


def describe_servers(look: Look) -> list[dict[str, Any]]:
    """Return the servers that share the roster."""
    return [
        {
            "id": seen.note.id,
            "name": seen.note.name,
            "alive": is_alive(look, seen.note.id),
            "heardAgoMs": _ago_ms(look, seen.at_us),
            "streams": seen.note.streams,
            "anonymousStreams": seen.note.anonymous,
        }
        for seen in sorted(look.servers.values(), key=lambda seen: seen.note.name)
    ]


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


def _named(verdict: Propagation, look: Look, names: Mapping[str, Instance], id_: str) -> dict[str, Any]:
    applied = look.applied.get(id_)
    return {
        **who(names, id_),
        "server": look.seats[id_].server if id_ in look.seats else None,
        "revision": Cursor.parse(applied.cursor).revision if applied else None,
        "sinceAgoMs": _ago_ms(look, verdict.since_us[id_]),
    }


def _instance(look: Look, names: Mapping[str, Instance], id_: str, head: Cursor) -> dict[str, Any]:
    seat, applied = look.seats[id_], look.applied.get(id_)
    cursor = Cursor.parse(applied.cursor) if applied else None
    return {
        **who(names, id_),
        "state": state_of(look, id_),
        "server": seat.server,
        "sinceAgoMs": _ago_ms(look, seat.since_us),
        "revision": cursor.revision if cursor else None,
        "current": is_current(look, id_, head),
        "appliedAgoMs": _ago_ms(look, applied.at_us) if applied else None,
    }


def _ago_ms(look: Look, at_us: int) -> int:
    return max(0, look.now_us - at_us) // 1000
