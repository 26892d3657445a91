"""The file of a snapshot: read as it was written, or not at all."""

import hashlib

import pytest

from wigwag_proto.commit import Cursor
from wigwag_proto.errors import MalformedFile
from wigwag_proto.snapshot import Snapshot
from wigwag_proto.snapshot_file import decode_file, encode_file

SNAPSHOT = Snapshot("production", Cursor.parse("1.aa:1:bb"), 7, {"flag": {"f": {"key": "f"}}, "segment": {}})
FILE = encode_file(SNAPSHOT)


def test_a_file_is_read_as_it_was_written() -> None:
    assert decode_file(FILE) == SNAPSHOT
    first, body = FILE.split(b"\n", 1)
    assert first == b"wigwag-snapshot 1 " + hashlib.sha256(body).hexdigest().encode()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not a wigwag snapshot file"),
        (FILE.replace(b"snapshot 1", b"snapshot 2", 1), "of another version"),
        (FILE[:-1], "damaged or cut short"),
        (FILE.replace(b'"at":7', b'"at":8'), "damaged or cut short"),
        (b"wigwag-snapshot 1 \xff\n{}", "damaged or cut short"),
        (b"wigwag-snapshot 1 " + hashlib.sha256(b"{}").hexdigest().encode() + b"\n{}", "not a snapshot"),
    ],
)
def test_half_a_file_is_none(data: bytes, message: str) -> None:
    with pytest.raises(MalformedFile, match=message):
        decode_file(data)
