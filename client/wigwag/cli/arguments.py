"""Arguments and options that take more than a type, checked before anything is sent."""

import time
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import typer

from wigwag.cli.flag_edit import CLEARABLE, read_percent, read_rule
from wigwag.cli.proof import read_timeout
from wigwag.cli.times import read_until
from wigwag_proto.validate import check_key

T = TypeVar("T")


def _checked_key(key: str) -> str:
    wrong = check_key(key)
    if wrong is not None:
        raise typer.BadParameter(wrong)
    return key


def _checked_keys(keys: list[str] | None) -> list[str] | None:
    for key in keys or ():
        _checked_key(key)
    return keys


def _reader(read: Callable[[str], T]) -> Callable[[str], T]:
    """Turn a ValueError into a message that names the option."""

    def parse(text: str) -> T:
        try:
            return read(text)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None

    return parse


def _clearable(text: str) -> str:
    if text not in CLEARABLE:
        raise typer.BadParameter(f"{text!r} is none of {', '.join(CLEARABLE)}")
    return text


Key = Annotated[str, typer.Argument(metavar="KEY", callback=_checked_key, help="The flag's key.", show_default=False)]
Keys = Annotated[
    list[str] | None,
    typer.Argument(metavar="KEY…", callback=_checked_keys, help="Keys of flags.", show_default=False),
]
Until = Annotated[
    Any,
    typer.Option(
        "--until",
        metavar="TIME",
        parser=_reader(lambda text: read_until(text, round(time.time() * 1000))),
        help="The kill ends by itself then: 30m, 2h, or 2030-01-31T12:00:00Z.",
        show_default=False,
    ),
]
Timeout = Annotated[
    float | None,
    typer.Option("--timeout", metavar="TIME", parser=_reader(read_timeout), help="For so long.  [default: 10s]"),
]
Percent = Annotated[
    float | None,
    typer.Option("--rollout", metavar="PERCENT", parser=_reader(read_percent), help="Share of users, 0 to 100."),
]
Rules = Annotated[
    list[Any] | None,
    typer.Option(
        "--rule",
        metavar="RULE",
        parser=_reader(read_rule),
        help="Only for whom this matches, and all other rules: 'plan equals premium'. The value is JSON where it is "
        "JSON, else text.  (repeatable)",
    ),
]
Clear = Annotated[
    list[str] | None,
    typer.Option(
        "--clear",
        metavar="LIST",
        parser=_clearable,
        help=f"Empty a list first: {', '.join(CLEARABLE)}.  (repeatable)",
    ),
]
Comment = Annotated[str, typer.Option("--comment", metavar="TEXT", help="Why, for the audit log.", show_default=False)]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show what would change.", show_default=False)]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.", show_default=False)]
Limit = Annotated[
    int | None, typer.Option("--limit", metavar="NUMBER", min=1, help="At most so many.", show_default=False)
]
Search = Annotated[
    str, typer.Option("--search", "-q", metavar="TEXT", help="Words that must be in it.", show_default=False)
]
Revision = Annotated[int, typer.Argument(metavar="REVISION", min=0, help="Of the environment.", show_default=False)]
SegmentKey = Annotated[
    str, typer.Argument(metavar="KEY", callback=_checked_key, help="The segment's key.", show_default=False)
]
