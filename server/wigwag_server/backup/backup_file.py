"""The file of a backup: JSON lines, and at their end a checksum over all that came before.

    {"wigwag":"backup","format":1,"version":"0.1.0","at":1795394148686}
    {"environment":"production","cursor":"1795394148686.8a2a5c67:3:c3ee7e088544ca5f","at":1795394151112}
    {"record":"flag/checkout","value":{…}}
    {"sequence":1,"link":"…","entry":"…"}          an entry of the audit log, byte by byte, as text
    {"end":"<SHA-256>"}

Records and entries belong to the environment above them.
"""

import hashlib
from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import msgspec

from wigwag_proto.audit import Recorded
from wigwag_proto.codec import decode, encode
from wigwag_proto.commit import Cursor
from wigwag_proto.errors import Malformed, WigwagError

# A later release that writes something else counts on, and reads this one for good.
FORMAT = 1


class BadBackup(WigwagError):
    """The file is no backup, is damaged or cut short, or comes from a later release."""


class Begun(msgspec.Struct, frozen=True):
    """The log of an environment begins here, with the state at `cursor`, of `at` (Unix ms)."""

    environment: str
    cursor: Cursor
    at: int


class Record(msgspec.Struct, frozen=True):
    """A record of the state."""

    kind: str
    key: str
    value: Any


Line = Begun | Record | Recorded


class Writer:
    """Writes lines, and counts what it wrote."""

    def __init__(self, file: IO[bytes], *, version: str, at: int) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self._write({"wigwag": "backup", "format": FORMAT, "version": version, "at": at})

    def write(self, line: Line) -> None:
        """Write what a log holds."""
        match line:
            case Begun(environment, cursor, at):
                self._write({"environment": environment, "cursor": str(cursor), "at": at})
            case Record(kind, key, value):
                self._write({"record": f"{kind}/{key}", "value": value})
            case Recorded(sequence, link, data):
                self._write({"sequence": sequence, "link": link, **_entry(data)})

    def end(self) -> None:
        """Write the checksum: without it the file is none."""
        self._file.write(encode({"end": self._digest.hexdigest()}) + b"\n")

    def _write(self, plain: dict[str, Any]) -> None:
        line = encode(plain) + b"\n"
        self._digest.update(line)
        self._file.write(line)


def check(path: Path) -> int:
    """Read a backup to its end and return when it was made (Unix ms). Raises BadBackup, OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        made_at = _made_at(path, first := file.readline())
        digest.update(first)
        line = b""
        for line in file:
            if line.startswith(b'{"end":'):
                break
            digest.update(line)
        if not line.startswith(b'{"end":') or file.readline():
            raise BadBackup(f"{path} is cut short, or something was put after it: it has no end")
    if _plain(line).get("end") != digest.hexdigest():
        raise BadBackup(f"{path} is damaged: its checksum does not match")
    return made_at


def read(path: Path) -> Iterator[Line]:
    """Return the lines of a backup that was checked. Raises BadBackup, OSError."""
    with path.open("rb") as file:
        file.readline()
        for line in file:
            plain = _plain(line)
            if "end" in plain:
                return
            try:
                yield _line(plain)
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise BadBackup(f"{path} has a line that says nothing known: {line[:80]!r}") from error


def names_in(entries: Sequence[Recorded]) -> Iterator[tuple[int, str]]:
    """Return the sequence of each entry with each record that it is about, as the stores' index names it."""
    for recorded in entries:
        with suppress(Malformed):
            yield from ((recorded.sequence, f"{each.kind}/{each.key}") for each in recorded.entry().changes)


def _made_at(path: Path, first: bytes) -> int:
    plain = _plain(first)
    if plain.get("wigwag") != "backup":
        raise BadBackup(f'{path} is no backup; "wigwag-server backup" writes one')
    if not isinstance(plain.get("format"), int) or plain["format"] > FORMAT:
        raise BadBackup(
            f"{path} was written by wigwag {plain.get('version')} (format {plain.get('format')}); this one reads "
            f"up to format {FORMAT}: restore it with that release"
        )
    return int(plain.get("at", 0))


def _plain(line: bytes) -> dict[str, Any]:
    try:
        plain = decode(line)
    except Malformed:
        plain = None
    return plain if isinstance(plain, dict) else {}


def _entry(data: bytes) -> dict[str, str]:
    try:
        return {"entry": data.decode()}
    except UnicodeDecodeError:  # somebody has tampered with the log, which the chain shows, there as here
        return {"entry64": b64encode(data).decode()}


def _line(plain: dict[str, Any]) -> Line:
    if "environment" in plain:
        return Begun(plain["environment"], Cursor.parse(plain["cursor"]), int(plain["at"]))
    if "record" in plain:
        kind, _, key = plain["record"].partition("/")
        return Record(kind, key, plain["value"])
    data = b64decode(plain["entry64"]) if "entry64" in plain else plain["entry"].encode()
    return Recorded(int(plain["sequence"]), plain["link"], data)
