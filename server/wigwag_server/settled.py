"""Since when nothing was changed of a flag that decides, by the audit log.

The past of a flag at one revision of it is always the same, so it is looked up once. How much is looked up at a time is
bounded: who asks about ten thousand flags is not to wait for ten thousand looks into the log.
"""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from wigwag_proto.audit import AuditQuery, Entry
from wigwag_proto.differences import same_json
from wigwag_proto.errors import WigwagError
from wigwag_server.environment import Environment

# Edits of these leave every decision as it was.
DECIDES_NOTHING = frozenset(
    {
        *("key", "description", "owner", "tags", "kind", "expectedLifeDays", "archived", "clientVisible"),
        *("createdAt", "updatedAt", "revision"),
    }
)
PAGE = 50
MOST_PAGES = 4
MOST_LOOKS = 300  # in one request; the rest is looked up by those that follow
MOST_KEPT = 20_000
TIMEOUT_S = 2.0


class Settled:
    """Made once a server."""

    def __init__(self) -> None:
        self._since: dict[tuple[str, str], tuple[Any, int]] = {}

    async def since(self, environment: Environment, flags: Iterable[tuple[str, Mapping[str, Any]]]) -> dict[str, int]:
        """Return since when (Unix ms) nothing that decides was changed of these flags, where that is known."""
        found: dict[str, int] = {}
        looks = 0
        try:
            async with asyncio.timeout(TIMEOUT_S):
                for key, flag in flags:
                    mark = flag.get("revision"), flag.get("updatedAt")
                    known = self._since.get((environment.name, key))
                    if known is None or known[0] != mark:
                        if looks >= MOST_LOOKS:
                            continue
                        looks += 1
                        known = mark, await _look(environment, key, flag)
                        self._keep((environment.name, key), known)
                    found[key] = known[1]
        except (WigwagError, TimeoutError):
            pass
        return found

    def _keep(self, name: tuple[str, str], known: tuple[Any, int]) -> None:
        if len(self._since) >= MOST_KEPT:
            self._since.pop(next(iter(self._since)))
        self._since[name] = known


async def _look(environment: Environment, key: str, flag: Mapping[str, Any]) -> int:
    entries: list[Entry] = []
    before = None
    for _ in range(MOST_PAGES):
        page = await environment.audit(AuditQuery(kind="flag", key=key, limit=PAGE, before=before))
        entries += [each.entry() for each in page]
        since, sure = settled_since(key, flag, entries)
        if sure or not page:
            return since
        before = page[-1].sequence
    return since


def settled_since(key: str, flag: Mapping[str, Any], entries: Iterable[Entry]) -> tuple[int, bool]:
    """Return since when nothing that decides was changed, and whether more entries could not make it earlier. Pure.

    `entries` touch the flag, newest first. Where they end, or do not fit together, it is so at least since then.
    """
    updated = flag.get("updatedAt")
    since = updated if isinstance(updated, int) else 0
    value: Any = flag
    for entry in entries:
        touched = entry.touching("flag", key)
        if touched is None:
            continue
        if not _same(touched.after, value):
            return since, True
        since = entry.at
        if not _same(touched.before, value):
            return since, True
        value = touched.before
    return since, False


def _same(one: Any, other: Any) -> bool:
    """Say whether two plain flags decide alike, as far as their fields tell."""
    if not isinstance(one, Mapping) or not isinstance(other, Mapping):
        return False
    return same_json(_deciding(one), _deciding(other))


def _deciding(flag: Mapping[str, Any]) -> dict[str, Any]:
    fields = {name: value for name, value in flag.items() if name not in DECIDES_NOTHING}
    return {**fields, "kill": fields.get("kill") is not None}
