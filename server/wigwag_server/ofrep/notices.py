"""Telling OFREP's event streams that there is something to fetch.

Such a stream carries no flags. Whoever listens fetches, so only what changes its answers is told: a change of a flag
that a browser may see, or of what such a flag depends on.
"""

import asyncio
from collections.abc import Iterable

from wigwag_proto.codec import encode
from wigwag_proto.commit import Commit, Cursor, Epoch
from wigwag_proto.replica import Ancestry, Replica
from wigwag_proto.sse import encode_event
from wigwag_server.ofrep.evaluator import Evaluator


class Listening:
    """One open event stream. What it has not been told yet is one thing: that there is something."""

    __slots__ = ("browser", "ended", "key_id", "news")

    def __init__(self, key_id: str, *, browser: bool) -> None:
        self.key_id = key_id
        self.browser = browser
        self.news = asyncio.Event()
        self.news.set()  # browsers reconnect without saying so: each connection begins with a fetch
        self.ended = False

    def end(self) -> None:
        """Let the stream end."""
        self.ended = True
        self.news.set()


class Notices:
    """The event streams of one environment. Follows it as a listener, after the evaluator."""

    def __init__(self, replica: Replica, evaluator: Evaluator) -> None:
        self.listening: set[Listening] = set()
        self._replica = replica
        self._evaluator = evaluator
        self._visible: set[str] = set()

    def loaded(self) -> None:
        """Tell everybody."""
        self._visible = set(self._evaluator.visible(to_browsers=True))
        self._tell(self.listening)

    def committed(self, epoch: Epoch, commit: Commit) -> None:  # noqa: ARG002 - a listener's signature
        """Tell those whose answers may have changed."""
        affected = self._evaluator.affected(commit.changes)
        before = affected & self._visible
        now = {key for key in affected if self._evaluator.find(key, to_browsers=True) is not None}
        self._visible = (self._visible - affected) | now
        if affected:
            self._tell(each for each in self.listening if before or now or not each.browser)

    def emergencies_changed(self) -> None:
        """Tell everybody."""
        self._tell(self.listening)

    def end(self, key_id: str | None = None) -> None:
        """End the streams of a key; without one, all."""
        for each in self.listening:
            if key_id is None or each.key_id == key_id:
                each.end()

    def event(self) -> bytes:
        """Return the one event there is. Its etag is the state that it tells of, which clients send when they fetch."""
        cursor = self._replica.cursor
        data = {"type": "refetchEvaluation", "etag": str(cursor), "lastModified": self._replica.at // 1000}
        return encode_event("message", encode(data), str(cursor))

    def is_behind(self, cursor: Cursor) -> bool:
        """Say whether the state that a client was told of is still to come."""
        return self._replica.ancestry(cursor) is Ancestry.AHEAD

    @staticmethod
    def _tell(listening: Iterable[Listening]) -> None:
        for each in listening:
            each.news.set()
