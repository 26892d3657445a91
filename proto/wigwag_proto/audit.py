"""The audit log: what a store keeps of every commit besides the commit itself, chained so that tampering shows.

Each entry has a place in the log (`sequence`, from 1) and a `link`: a hash over the link before it and the digest of
its own bytes. Whoever alters, removes or swaps an entry would have to find bytes of the same SHA-256, or redo every
later link, which shows to anybody who has noted one of them. The link itself is SHA-1 because that is what a script
in Redis can compute; its input is two digests and nothing that anybody can choose, so the known collisions of SHA-1,
which need a free choice of many bytes, do not help.
"""

import hashlib
import re
from collections.abc import Iterable
from typing import Any

import msgspec

from wigwag_proto.codec import decode, encode
from wigwag_proto.commit import Commit
from wigwag_proto.errors import Malformed

FIRST_LINK = "0" * 40
LINE = re.compile(rb'\{"sequence":([0-9]{1,18}),"link":"([0-9a-f]{40})","entry":(.*)\}', re.DOTALL)


class Author(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks for a change, from where, and why.

    `key_id` is the id of the key that was used, `address` the peer's, `request` the id of the request in the log.
    `approved_by` is the second person, where an environment asks for one; `exempt` says that it does, and that this
    change is of the sort that does not wait for one.
    """

    name: str
    key_id: str = ""
    address: str = ""
    comment: str = ""
    request: str = ""
    approved_by: str = ""
    exempt: bool = False


# What the server does by itself: a kill that runs out, emergencies that are committed.
WIGWAG = Author(name="wigwag")


class Touched(msgspec.Struct, frozen=True):
    """A record before and after a commit, as plain objects; None where it was not there."""

    kind: str
    key: str
    before: Any
    after: Any


class Entry(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What happened: who did what to which records, when (Unix ms), from where, and why.

    `revision` and `head` are those of the commit. `action` is a dotted name such as `flag.kill`.
    """

    revision: int
    head: str
    at: int
    action: str
    by: str
    key_id: str = ""
    address: str = ""
    comment: str = ""
    request: str = ""
    approved_by: str = ""
    exempt: bool = False
    changes: tuple[Touched, ...] = ()

    def touching(self, kind: str, key: str) -> Touched | None:
        """Return what it did to a record, None for nothing."""
        return next((each for each in self.changes if (each.kind, each.key) == (kind, key)), None)


class Recorded(msgspec.Struct, frozen=True):
    """An entry as it lies in the log. `data` is its JSON, byte by byte what the digest was made of."""

    sequence: int
    link: str
    data: bytes

    def entry(self) -> Entry:
        """Read it. Raises Malformed."""
        try:
            return msgspec.convert(decode(self.data), Entry)
        except msgspec.ValidationError as error:
            raise Malformed(f"audit entry {self.sequence} cannot be read: {error}") from error


class AuditQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which part of the log: newest first, at most `limit`, older than `before` (a sequence).

    With `after` it is oldest first, newer than that sequence. With `kind` and `key`, only what touched that record.
    """

    limit: int = 100
    before: int | None = None
    after: int | None = None
    kind: str | None = None
    key: str | None = None

    @property
    def name(self) -> str | None:
        """The record that is asked for, as the stores' index names it."""
        return None if self.kind is None else f"{self.kind}/{self.key}"


def make_entry(action: str, author: Author, commit: Commit, touched: Iterable[Touched]) -> Entry:
    """Return the entry of a commit."""
    return Entry(
        revision=commit.revision,
        head=commit.head,
        at=commit.at,
        action=action,
        by=author.name,
        key_id=author.key_id,
        address=author.address,
        comment=author.comment,
        request=author.request,
        approved_by=author.approved_by,
        exempt=author.exempt,
        changes=tuple(touched),
    )


def entry_data(entry: Entry) -> bytes:
    """Return the bytes that are stored, and hashed."""
    return encode(msgspec.to_builtins(entry))


def digest(data: bytes) -> str:
    """Return what goes into the link for an entry."""
    return hashlib.sha256(data).hexdigest()


def next_link(link: str, data: bytes) -> str:
    """Return the link of the entry that follows the one with `link`."""
    return hashlib.sha1(f"{link}{digest(data)}".encode(), usedforsecurity=False).hexdigest()


def broken_at(recorded: Iterable[Recorded], link: str | None = None) -> int | None:
    """Return the sequence of the first entry, oldest first, that does not fit the one before it; None: all do.

    `link` is that of the entry before the first. Without it the first is taken at its word, unless it is number 1.
    """
    expected = 1 if link == FIRST_LINK else None
    for each in recorded:
        if expected is not None and each.sequence != expected:
            return expected
        before = FIRST_LINK if each.sequence == 1 else link
        if before is not None and next_link(before, each.data) != each.link:
            return each.sequence
        link, expected = each.link, each.sequence + 1
    return None


def audit_line(recorded: Recorded) -> bytes:
    """Return an entry as a line of an export. The entry stands last, byte by byte as it is stored: see `parse_line`."""
    return b'{"sequence":%d,"link":"%b","entry":%b}\n' % (recorded.sequence, recorded.link.encode(), recorded.data)


def parse_line(line: bytes) -> Recorded:
    """Read a line of an export, with exactly the bytes that the link was made of. Raises Malformed."""
    match = LINE.fullmatch(line.strip())
    if match is None:
        raise Malformed("this is no line of an exported audit log")
    return Recorded(int(match[1]), match[2].decode(), match[3])
