"""What somebody wrote as JSON into a form, as the body of a write. Pure."""

from typing import Any

from wigwag_proto.codec import decode
from wigwag_proto.errors import Malformed


def read_draft(text: str, comment: str) -> dict[str, Any]:
    """Return the configuration, with the comment if there is one. Raises Malformed."""
    body = decode(text.encode(errors="replace"))
    if not isinstance(body, dict):
        raise Malformed("not a JSON object")
    return {**body, "comment": comment} if comment else body
