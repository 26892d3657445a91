"""Which entries of an audit log somebody asks for. Pure."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from http import HTTPStatus

import msgspec

from wigwag_proto.audit import Entry
from wigwag_proto.problems import unknown_name
from wigwag_server.admin.times import LATEST_MS, point_ms
from wigwag_server.problems import Problem

PARAMETERS = ("environment", "who", "action", "kind", "key", "from", "to", "limit", "before", "format")
FORMATS = ("json", "ndjson")
MOST = 1000


class Search(msgspec.Struct, frozen=True, kw_only=True):
    """The entries asked for: all that meet everything given here. `since` and `until` are Unix times in ms.

    `who` is a name or the id of a key, `action` a name or a shell pattern such as `flag.*`.
    """

    who: str = ""
    action: str = ""
    kind: str | None = None
    key: str | None = None
    since: int = 0
    until: int = LATEST_MS
    limit: int = 100
    before: int | None = None
    lines: bool = False

    def matches(self, entry: Entry) -> bool:
        """Say whether an entry is asked for; `kind` and `key` are the store's to look up."""
        return (
            (not self.who or self.who in (entry.by, entry.key_id, entry.approved_by))
            and (not self.action or fnmatchcase(entry.action, self.action))
            and self.since <= entry.at < self.until
        )


def read_search(query: Mapping[str, str], *, lines: bool) -> Search:
    """Read the query of a request; `lines` says whether its headers ask for lines. Raises Problem (422)."""
    wrong = [(name[:100], unknown_name("parameter", name, PARAMETERS)) for name in query if name not in PARAMETERS]
    kind, key = query.get("kind"), query.get("key")
    if kind is not None and key is None:
        wrong.append(("key", "goes together with kind: give the key of the record"))
    times = {name: _time(query, name, wrong) for name in ("from", "to")}
    limit = _number(query, "limit", wrong, most=MOST)
    before = _number(query, "before", wrong, most=10**15)
    form = query.get("format")
    if form is not None and form not in FORMATS:
        wrong.append(("format", unknown_name("format", form, FORMATS)))
    if wrong:
        found = [{"parameter": name, "detail": detail} for name, detail in wrong]
        detail = "The URL has parameters that this route does not understand. They are listed under errors."
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, violations=found)
    return Search(
        who=query.get("who", ""),
        action=query.get("action", ""),
        kind=None if key is None else kind or "flag",
        key=key,
        since=times["from"] or 0,
        until=LATEST_MS if times["to"] is None else times["to"],
        limit=limit or 100,
        before=before,
        lines=form == "ndjson" or (form is None and lines),
    )


def _time(query: Mapping[str, str], name: str, wrong: list[tuple[str, str]]) -> int | None:
    text = query.get(name)
    if text is None:
        return None
    found = point_ms(int(text) if text.isascii() and text.isdecimal() and len(text) < 16 else text)
    if found is None:
        wrong.append((name, "must be a time: 2030-01-31T12:00:00Z, or Unix milliseconds"))
    return found


def _number(query: Mapping[str, str], name: str, wrong: list[tuple[str, str]], *, most: int) -> int | None:
    text = query.get(name)
    if text is None:
        return None
    if text.isascii() and text.isdecimal() and len(text) < 17 and 1 <= int(text) <= most:
        return int(text)
    wrong.append((name, f"must be a whole number from 1 to {most:,}"))
    return None
