"""What an upload of code references says, checked whole. Pure."""

from typing import Any

import msgspec

from wigwag_proto.problems import Problems
from wigwag_server.admin.bodies import refuse
from wigwag_server.references.uploads import MOST_REFERENCES, Upload

FIELDS = ("repository", "commit", "branch", "link", "references")
USE_FIELDS = ("flag", "file", "line", "column", "call", "function", "within")
LONGEST_NAME = 200
LONGEST_FILE = 500
LONGEST_LINK = 1000
MOST_WITHIN = 20
MOST_VIOLATIONS = 50
LAST_LINE = 10_000_000


def read_upload(body: dict[str, Any], by: str) -> Upload:
    """Return what is to be stored. Raises Problem (422)."""
    problems = Problems()
    problems.is_object("", body, FIELDS, required=("repository", "commit", "references"))
    for name, longest, shortest in (
        ("repository", LONGEST_NAME, 1),
        ("commit", LONGEST_NAME, 1),
        ("branch", LONGEST_NAME, 0),
        ("link", LONGEST_LINK, 0),
    ):
        if name in body and problems.is_text(f"/{name}", body[name], longest, shortest):
            _is_printable(problems, f"/{name}", body[name])
    link = body.get("link", "")
    if isinstance(link, str) and link and not link.startswith(("http://", "https://")):
        problems.add("/link", "must be a URL that begins with http:// or https://")
    references = body.get("references", [])
    if problems.is_list("/references", references):
        if len(references) > MOST_REFERENCES:
            problems.add("/references", f"has {len(references):,} uses; at most {MOST_REFERENCES:,} fit")
        for index, use in enumerate(references[:MOST_REFERENCES]):
            if len(problems.found) > MOST_VIOLATIONS:
                break
            _check_use(problems, f"/references/{index}", use)
    refuse("Nothing was stored.", problems.found[:MOST_VIOLATIONS])
    return msgspec.convert({**body, "by": by}, Upload)


def _check_use(problems: Problems, at: str, use: Any) -> None:
    if not problems.is_object(at, use, USE_FIELDS, required=("flag", "file", "line")):
        return
    if "flag" in use and not (use["flag"] and _is_name(use["flag"])):
        problems.add(f"{at}/flag", "must be the key that code asks for; one that is made at run time is left out")
    for name, longest in (("file", LONGEST_FILE), ("call", LONGEST_NAME), ("function", LONGEST_FILE)):
        if name in use and problems.is_text(f"{at}/{name}", use[name], longest):
            _is_printable(problems, f"{at}/{name}", use[name])
    for name in ("line", "column"):
        value = use.get(name, 1)
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= LAST_LINE:
            problems.add(f"{at}/{name}", "must be a whole number from 1")
    within = use.get("within", [])
    if not isinstance(within, list) or len(within) > MOST_WITHIN or not all(_is_name(each) for each in within):
        problems.add(f"{at}/within", f"must be a list of at most {MOST_WITHIN} keys")


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= LONGEST_NAME and value.isprintable()


def _is_printable(problems: Problems, pointer: str, text: str) -> bool:
    return text.isprintable() or problems.add(pointer, "must have no control characters and no line breaks")
