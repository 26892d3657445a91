"""Why somebody changes something: the `comment` of a write, for the audit log."""

import unicodedata
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from wigwag_proto.problems import Violation

COMMENT = "comment"
LONGEST_COMMENT = 1000
LINE_BREAKS = "\n\r\t"


def read_comment(request: web.Request, body: Mapping[str, Any], found: list[Violation]) -> str:
    """Return the comment in the body or, for requests without one, in the URL. What is wrong is added to `found`."""
    in_url = request.query.get(COMMENT)
    comment = body.get(COMMENT, "" if in_url is None else in_url)
    if COMMENT in body and in_url is not None:
        found.append(Violation(f"/{COMMENT}", "stands in the URL too; give it once"))
    elif not isinstance(comment, str) or len(comment) > LONGEST_COMMENT or not is_clean(comment):
        allowed = f"must be text of at most {LONGEST_COMMENT} characters, without control characters"
        found.append(Violation(f"/{COMMENT}", allowed))
    return str(comment)


def is_clean(text: str) -> bool:
    """Say whether a text has no control characters but line breaks and tabs. Joiners, as in emoji, are none."""
    return not any(unicodedata.category(each) in ("Cc", "Cs") for each in text if each not in LINE_BREAKS)
