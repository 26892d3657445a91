"""Plain tables, and the times in them."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from rich.table import Table
from rich.text import Text

from wigwag.cli.output import plain


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Table:
    """Return a table. The first column is never cut, since people copy it; the others wrap."""
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for number, column in enumerate(columns):
        made.add_column(column, overflow="fold", no_wrap=number == 0)
    for row in rows:
        made.add_row(*(each if isinstance(each, Text) else Text(words(each)) for each in row))
    return made


def words(value: Any) -> str:
    """Return what stands in a cell."""
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return plain(", ".join(str(each) for each in value)) or "-"
    return plain(str(value))


def moment(ms: Any) -> str:
    """Return a time (Unix ms) as people here write it; a dash for none."""
    if not isinstance(ms, (int, float)) or isinstance(ms, bool) or ms <= 0:
        return "-"
    return f"{datetime.fromtimestamp(ms / 1000).astimezone():%Y-%m-%d %H:%M:%S}"
