"""A decision and every step that led to it, from records as they are: for those who ask why, not for the hot path."""

from collections.abc import Mapping
from typing import Any

import msgspec

from wigwag_proto.decision import Decision, Reason
from wigwag_proto.evaluate import LinkedFlag, decide
from wigwag_proto.flag import Flag, Kill
from wigwag_proto.links import flags_required_by, segments_named_by
from wigwag_proto.records import Records

DEEPEST_REQUIRES = 16


def explain(
    key: str,
    records: Records,
    attributes: Mapping[str, Any],
    *,
    kills: Mapping[str, Kill] | None = None,
    stale_for: float = 0.0,
) -> Decision:
    """Decide a flag for a context. `kills` are those in force that stand in no flag, `stale_for` is as for `decide`."""
    linked = link(key, records, kills or {})
    if linked is None:
        return Decision(flag=key, enabled=False, reason=Reason.UNKNOWN_FLAG, steps=("there is no such flag",))
    return decide(linked, attributes, stale_for)


def link(key: str, records: Records, kills: Mapping[str, Kill], above: tuple[str, ...] = ()) -> LinkedFlag | None:
    """Return a flag with what its decision depends on. One that is `above` it closes a cycle and counts as not there.

    That is how `Ruleset` links; a test holds the two equal.
    """
    flag = _in_force(records.flags.get(key), kills.get(key), key)
    if flag is None:
        return None
    wanted = flags_required_by(flag) - {key, *above} if len(above) < DEEPEST_REQUIRES else set()
    found = {each: link(each, records, kills, (*above, key)) for each in wanted}
    segments = {each: records.segments[each] for each in segments_named_by(flag) if each in records.segments}
    return LinkedFlag(flag, segments, {each: linked for each, linked in found.items() if linked is not None})


def _in_force(flag: Flag | None, kill: Kill | None, key: str) -> Flag | None:
    if kill is None or (flag is not None and flag.kill is not None):
        return flag
    return Flag(key=key, kill=kill) if flag is None else msgspec.structs.replace(flag, kill=kill)
