"""What a change does to flags and segments, in words. Pure.

The API tells it in two forms: field by field with `before` and `after` (also lists of what was `added` and `removed`),
or as an object with a member for each field. Both are read here.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from wigwag.cli.flag_words import LISTS, NAMES, compact, value_words
from wigwag.cli.output import plain

Plain = Mapping[str, Any]

SIGNS = {"added": "+", "created": "+", "removed": "-", "deleted": "-"}
# Beyond this a list of changes tells only how many more there are: --json has all.
MOST_ITEMS = 10


def change_lines(changes: Sequence[Plain]) -> Iterator[str]:
    """Yield a line for each record that changes, and one for each field of it."""
    for change in changes:
        what = str(change.get("change") or change.get("what") or "changed")
        name = plain(str(change.get("key")))
        kind = "" if change.get("kind") in (None, "flag") else f"{change['kind']} "
        yield f"{SIGNS.get(what, '~')} {kind}{name}: {what}"
        if what not in ("removed", "deleted"):
            yield from (f"    {line}" for line in field_lines(change))


def field_lines(change: Plain) -> Iterator[str]:
    """Yield a line for each field that a change touches."""
    fields = change.get("fields")
    if isinstance(fields, Mapping):
        new = change.get("change") == "added"
        for field, each in fields.items():
            yield _field(str(field), each, new=new)
        return
    for each in change.get("changes") or ():
        yield _field(str(each.get("field")), each, new=change.get("what") == "created")


def total(changes: Sequence[Plain]) -> str:
    """Return how many records are added, changed and removed."""
    counts: dict[str, int] = {}
    for change in changes:
        sign = SIGNS.get(str(change.get("change") or change.get("what")), "~")
        counts[sign] = counts.get(sign, 0) + 1
    words = [
        f"{counts[sign]} {word}" for sign, word in (("+", "new"), ("~", "changed"), ("-", "removed")) if sign in counts
    ]
    return ", ".join(words) or "nothing"


def _field(field: str, each: Plain, *, new: bool) -> str:
    name = LISTS.get(field, NAMES.get(field, field))
    if "added" in each or "removed" in each:
        return f"{name}: {_moves(each.get('added') or (), each.get('removed') or ())}"
    before, after = each.get("before"), each.get("after")
    if (
        isinstance(before, list)
        and isinstance(after, list)
        and all(isinstance(item, str) for item in [*before, *after])
    ):
        moves = _moves([item for item in after if item not in before], [item for item in before if item not in after])
        return f"{name}: {moves or 'in another order'}"
    if new:
        return f"{name}: {_value(field, after)}"
    return f"{name}: {_value(field, before)} → {_value(field, after)}"


def _value(field: str, value: Any) -> str:
    """Return a value; what a newer server may send is shown as it is."""
    try:
        return value_words(field, value)
    except (TypeError, AttributeError, ValueError):
        return compact(value)


def _moves(added: Sequence[Any], removed: Sequence[Any]) -> str:
    moves = [f"+{plain(str(item))}" for item in added] + [f"-{plain(str(item))}" for item in removed]
    more = f" and {len(moves) - MOST_ITEMS} more" if len(moves) > MOST_ITEMS else ""
    return " ".join(moves[:MOST_ITEMS]) + more
