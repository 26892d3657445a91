"""What stands in a relay where other servers have their store: it refuses, and says who would not."""

# ruff: noqa: ARG002 - the signatures are those of a store

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from http import HTTPStatus

from wigwag_proto.audit import AuditQuery, Recorded
from wigwag_proto.commit import Commit, Cursor, Epoch
from wigwag_proto.snapshot import Snapshot
from wigwag_server.problems import Problem
from wigwag_server.store.store import Answer, Begin, Head, NotInLog, Told


class Elsewhere(Problem):
    """A relay has nothing of its own: what was asked for is asked of its upstream (405)."""

    def __init__(self, upstream: str, what: str = "This") -> None:
        detail = f"This server is a relay of {upstream}, and changes nothing itself. Ask there: {what}"
        # RFC 9110, section 15.5.6: a 405 has this header; an empty one says that no method is taken.
        super().__init__(HTTPStatus.METHOD_NOT_ALLOWED, detail, headers={"Allow": ""}, upstream=upstream)


class NoStore:
    """Every method raises Elsewhere. `upstream` is the URL that it names."""

    def __init__(self, upstream: str) -> None:
        self._upstream = upstream

    async def environments(self) -> tuple[str, ...]:
        """Refuse."""
        raise Elsewhere(self._upstream)

    async def head(self, environment: str) -> Head:
        """Refuse."""
        raise Elsewhere(self._upstream)

    async def load(self, environment: str) -> Snapshot | None:
        """Refuse."""
        raise Elsewhere(self._upstream)

    async def commit(self, environment: str, epoch: Epoch, commit: Commit, entry: bytes | None = None) -> Answer:
        """Refuse."""
        raise Elsewhere(self._upstream)

    async def replicated(self, environment: str) -> None:
        """Refuse."""
        raise Elsewhere(self._upstream)

    async def settle(self, environment: str, offer: Snapshot | None, begin: Begin) -> Head:
        """Refuse."""
        raise Elsewhere(self._upstream)

    async def renew(self, environment: str, cursor: Cursor, epoch: Epoch) -> Head:
        """Refuse."""
        raise Elsewhere(self._upstream)

    async def commits_since(self, environment: str, cursor: Cursor) -> tuple[Commit, ...] | NotInLog:
        """Refuse."""
        raise Elsewhere(self._upstream)

    async def audit(self, environment: str, query: AuditQuery) -> tuple[Recorded, ...]:
        """Refuse."""
        raise Elsewhere(self._upstream)

    def feed(self, environment: str) -> AbstractAsyncContextManager[AsyncIterator[Told]]:
        """Refuse."""
        raise Elsewhere(self._upstream)

    async def close(self) -> None:
        """Nothing is open."""
