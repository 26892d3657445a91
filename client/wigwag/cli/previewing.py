"""What `wigwag set --preview` says."""

from typing import Any

from wigwag.cli.call import Call
from wigwag.cli.output import draw, note, plain, say, say_json
from wigwag.cli.tables import moment, table

Plain = dict[str, Any]


def tell_preview(call: Call, found: Plain) -> None:
    """Say what a change would do, which was not made."""
    if call.options.as_json:
        return say_json(found)
    say(plain(str(found.get("detail"))))
    moves = found.get("moves") or []
    if moves:
        rows = [(each["count"], _words(each["from"]), _words(each["to"]), _what(each)) for each in moves]
        draw(table(["CONTEXTS", "NOW", "THEN", ""], rows))
        note(f"Sampled from {moment(found.get('since'))} to {moment(found.get('until'))}.")
    if found.get("neededBy"):
        note(f"Flags that require it may change too: {', '.join(map(plain, found['neededBy']))}")
    return note("Nothing was changed.")


def _words(answer: Plain) -> str:
    variant = answer.get("variant")
    return ("on" if answer.get("enabled") else "off") + (f", variant {plain(variant)}" if variant is not None else "")


def _what(move: Plain) -> str:
    return "another value" if move.get("value") else "" if move.get("changed") else "as now"
