"""A snapshot as a file: a line that says what follows and its checksum, then the snapshot as JSON."""

import hashlib

from wigwag_proto.codec import decode, encode
from wigwag_proto.errors import Malformed, MalformedFile
from wigwag_proto.snapshot import Snapshot, snapshot_from_plain, snapshot_to_plain

MAGIC = b"wigwag-snapshot 1 "


def encode_file(snapshot: Snapshot) -> bytes:
    """Return the whole file."""
    body = encode(snapshot_to_plain(snapshot))
    return b"%s%s\n%s" % (MAGIC, hashlib.sha256(body).hexdigest().encode(), body)


def decode_file(data: bytes) -> Snapshot:
    """Read a whole file. Raises MalformedFile: half a snapshot is none."""
    first, _, body = data.partition(b"\n")
    if not first.startswith(MAGIC):
        raise MalformedFile("not a wigwag snapshot file, or one of another version")
    if first.removeprefix(MAGIC).decode(errors="replace") != hashlib.sha256(body).hexdigest():
        raise MalformedFile("the checksum does not match: the file is damaged or cut short")
    try:
        return snapshot_from_plain(decode(body))
    except Malformed as error:
        raise MalformedFile(str(error)) from error
