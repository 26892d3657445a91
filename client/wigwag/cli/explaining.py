"""`wigwag explain`: why a flag is on or off for somebody."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from wigwag.cli.arguments import Key
from wigwag.cli.call import Call, command
from wigwag.cli.documents import read_document
from wigwag.cli.exits import ExitCode, Stop
from wigwag.cli.flag_words import compact
from wigwag.cli.output import plain, say, say_json
from wigwag.cli.times import here, read_moment

Plain = dict[str, Any]


@command
async def explain(
    call: Call,
    key: Key,
    attributes: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME=VALUE]…", help="The context. A value is JSON where it is JSON, else text."),
    ] = None,
    *,
    as_of: Annotated[
        str | None,
        typer.Option(
            "--as-of", metavar="WHEN", help="As it was at a revision, or at a time: 14:03, 2026-01-31T12:00:00Z."
        ),
    ] = None,
    draft: Annotated[
        Path | None, typer.Option(metavar="FILE", help="As this configuration would have it; YAML or JSON.")
    ] = None,
) -> None:
    """Say whether a flag is on for somebody, and why.

    For example: wigwag explain checkout userId=ann plan=premium
    """
    body: Plain = {"context": dict(map(read_pair, attributes or ()))}
    if as_of is not None:
        body["asOf"] = read_moment(as_of, here())
    if draft is not None:
        body["draft"] = read_document(draft)
    async with call.admin() as admin:
        decision = await admin.post("flags", key, "explain", body=body)
    if call.options.as_json:
        return say_json(decision)
    when = f" as of {body['asOf']}" if as_of else " by the draft" if draft else ""
    say(f"{key} in {call.environment}{when} is {'on' if decision.get('enabled') else 'off'}: {decision.get('reason')}")
    variant = decision.get("variant")
    if isinstance(variant, dict):
        say(f"variant {plain(str(variant.get('name')))}: {compact(variant.get('value'))}")
    for number, step in enumerate(decision.get("steps") or (), 1):
        say(f"  {number}. {plain(str(step))}")
    return None


def read_pair(text: str) -> tuple[str, Any]:
    """Read `plan=premium`. Raises Stop."""
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise Stop(f"{text!r} is not NAME=VALUE, such as plan=premium", ExitCode.USAGE)
    try:
        return name, json.loads(value, parse_constant=_no_json)
    except ValueError:
        return name, value


def _no_json(constant: str) -> Any:
    raise ValueError(constant)  # NaN and Infinity are no JSON: text, then
