"""The log: cursors, changes and commits.

An environment is a log of commits. A cursor `epoch:revision:head` names one state of it: the epoch is the history,
the revision the position in it, and the head a random id that tells two states of equal revision apart.
"""

import re
from typing import Any, Self

import msgspec

from wigwag_proto.errors import MalformedCursor

CURSOR_PATTERN = re.compile(r"([0-9]{1,15})\.([A-Za-z0-9]{1,32}):([0-9]{1,15}):([A-Za-z0-9]{1,32})")


class Epoch(msgspec.Struct, frozen=True, order=True):
    """One history of an environment: the Unix time in ms of its making, and a random part.

    A history that replaces another has a greater generation, even where the clock says otherwise.
    """

    generation: int
    nonce: str

    def __str__(self) -> str:
        """Return the form used on the wire."""
        return f"{self.generation}.{self.nonce}"


class Cursor(msgspec.Struct, frozen=True):
    """Names a state of a log. It is the SSE id, the ETag, and what files and confirmations carry."""

    epoch: Epoch
    revision: int
    head: str

    def __str__(self) -> str:
        """Return the form used on the wire."""
        return f"{self.epoch.generation}.{self.epoch.nonce}:{self.revision}:{self.head}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the form used on the wire. Raises MalformedCursor."""
        match = CURSOR_PATTERN.fullmatch(text)
        if match is None:
            raise MalformedCursor(f"{text[:80]!r} is not a cursor of the form generation.nonce:revision:head")
        generation, nonce, revision, head = match.groups()
        return cls(Epoch(int(generation), nonce), int(revision), head)

    @property
    def rank(self) -> tuple[int, int]:
        """What decides which of two states is the later one: generation, then revision."""
        return self.epoch.generation, self.revision


class Change(msgspec.Struct, frozen=True):
    """A record set to a whole new value, or removed (`value` is None). `kind` is `flag`, `segment`, `key`, …

    The value is whatever plain object the log holds: one that cannot be read as its kind concerns the reader of
    that kind, and must not keep the other changes of the commit from being applied.
    """

    kind: str
    key: str
    value: Any


class Commit(msgspec.Struct, frozen=True):
    """Changes that apply together or not at all. `at` is the committer's Unix time in ms.

    `prev` is the head it was made on and `head` the random id that the committer chose for the state after it.
    `absorbs` names the emergencies that this commit has put into the log: with it they end, everywhere.
    """

    revision: int
    prev: str
    head: str
    at: int
    changes: tuple[Change, ...]
    absorbs: tuple[str, ...] = ()
