"""Who watches an environment from outside of it: people with a page open, who are told what was changed."""

import asyncio
from collections import deque
from collections.abc import Mapping
from typing import Any

from wigwag_proto.commit import Commit, Epoch
from wigwag_proto.replica import ABSORPTION, REVIVAL

# So much is kept for a watcher that is slow, and so many keys of one commit are named: beyond that it is told to look
# at everything anew, which is what it would do anyway.
MOST_KEPT = 50
MOST_NAMED = 100
CHANGE, SYSTEM = "change", "system"
ALL: dict[str, Any] = {"keys": None}
# Of the server's own records, those that pages show. When a key was used and who has signed in, nobody is told.
SHOWN = frozenset({"approval", "environment", "key", "outbox", "references", "webhook"})

News = tuple[str, dict[str, Any]]


class Watching:
    """One watcher, and what it has not been told yet."""

    __slots__ = ("ended", "news", "waiting")

    def __init__(self) -> None:
        self.news = asyncio.Event()
        self.waiting: deque[News] = deque()
        self.ended = False

    def tell(self, event: str, data: dict[str, Any]) -> None:
        """Keep something for it."""
        if len(self.waiting) >= MOST_KEPT:
            self.waiting.clear()
            event, data = CHANGE, ALL
        self.waiting.append((event, data))
        self.news.set()

    def taken(self) -> list[News]:
        """Return what is kept, which is then told."""
        self.news.clear()
        told = list(self.waiting)
        self.waiting.clear()
        return told


class Changes:
    """Tells watchers. Follows an environment as a listener."""

    def __init__(self) -> None:
        self.watching: set[Watching] = set()

    def loaded(self) -> None:
        """Tell that anything may be another now."""
        self._tell(ALL)

    def committed(self, epoch: Epoch, commit: Commit) -> None:  # noqa: ARG002 - a listener's signature
        """Tell what was changed."""
        own = [change for change in commit.changes if change.kind not in (ABSORPTION, REVIVAL)]
        named = [{"kind": each.kind, "key": each.key, "deleted": each.value is None} for each in own]
        keys = None if len(named) > MOST_NAMED else named
        self._tell({"revision": commit.revision, "at": commit.at, "keys": keys})

    def emergencies_changed(self) -> None:
        """Tell that kills came or went without the store."""
        self._tell(ALL)

    def system_changed(self, kinds: list[str]) -> None:
        """Tell that the server's own records of these kinds were changed."""
        for each in self.watching:
            each.tell(SYSTEM, {"kinds": kinds})

    def end(self) -> None:
        """Let every watcher go."""
        for each in self.watching:
            each.ended = True
            each.news.set()

    def _tell(self, change: dict[str, Any]) -> None:
        for each in self.watching:
            each.tell(CHANGE, change)


class SystemChanges:
    """Tells the watchers of every environment what was changed in `_system`. Follows that as a listener."""

    def __init__(self, changes: Mapping[str, Changes]) -> None:
        self._changes = changes

    def loaded(self) -> None:
        """Tell that anything may be another now."""
        self._tell(SHOWN)

    def committed(self, epoch: Epoch, commit: Commit) -> None:  # noqa: ARG002 - a listener's signature
        """Tell what was changed, by kind: whose keys there are is not for everybody who may look at flags."""
        self._tell(frozenset(change.kind for change in commit.changes) & SHOWN)

    def _tell(self, kinds: frozenset[str]) -> None:
        for each in self._changes.values() if kinds else ():
            each.system_changed(sorted(kinds))
