"""Between bytes and plain objects (orjson), and between plain objects and the structs of the log (msgspec)."""

from typing import Any

import msgspec
import orjson

from wigwag_proto.commit import Commit
from wigwag_proto.errors import Malformed


def encode(plain: Any) -> bytes:
    """JSON without line breaks, whatever the strings in it hold."""
    return orjson.dumps(plain)


def decode(data: bytes | str) -> Any:
    """Read JSON. Raises Malformed."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise Malformed(f"not JSON: {error}") from error


def commit_to_plain(commit: Commit) -> dict[str, Any]:
    """Return the commit as it stands in a `patch`, in the stores' logs and in files."""
    plain: dict[str, Any] = {
        "revision": commit.revision,
        "prev": commit.prev,
        "head": commit.head,
        "at": commit.at,
        "changes": [{"kind": c.kind, "key": c.key, "value": c.value} for c in commit.changes],
    }
    if commit.absorbs:
        plain["absorbs"] = list(commit.absorbs)
    return plain


def commit_from_plain(plain: Any) -> Commit:
    """Read a commit; unknown fields are ignored. Raises Malformed."""
    try:
        return msgspec.convert(plain, Commit)
    except msgspec.ValidationError as error:
        raise Malformed(f"not a commit: {error}") from error
