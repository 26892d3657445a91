"""One flag as a page."""

from collections.abc import Iterator
from datetime import datetime

from rich.console import Group
from rich.table import Table
from rich.text import Text

from wigwag.cli.flag_table import STYLES
from wigwag.cli.flag_words import (
    DEFAULTS,
    LISTS,
    Plain,
    ago,
    is_default,
    kill_words,
    percent,
    rules,
    state,
    value_words,
)
from wigwag.cli.output import plain
from wigwag_proto.validate import FLAG_FIELDS

OWN_ROWS = ("enabled", "whitelist", "blacklist", "tags", "rules", "rolloutPercentage", "description", "owner")
SHOWN_OF_A_LIST = 20


def flag_page(flag: Plain, now_ms: int) -> Group:
    """Return the page: the state first, then what decides, then the bookkeeping."""
    title = Text.assemble(
        (plain(str(flag.get("key"))), "bold"), "  ", (state(flag), STYLES[state(flag)]), style="default"
    )
    grid = Table.grid(padding=(0, 3, 0, 0))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, words in _rows(flag, now_ms):
        grid.add_row(f"  {name}", Text(words))
    return Group(title, grid)


def _rows(flag: Plain, now_ms: int) -> Iterator[tuple[str, str]]:
    if flag.get("kill") is not None:
        yield "killed", f"{ago(flag['kill'].get('at', 0), now_ms)} {kill_words(flag['kill'])}"
    yield "switch", value_words("enabled", flag.get("enabled"))
    yield "rollout", f"{percent(flag)} by {plain(str(flag.get('bucketBy', DEFAULTS['bucketBy'])))}"
    yield "only if", rules(flag.get("rules") or []) or "no condition"
    for field in ("whitelist", "blacklist"):
        yield LISTS[field], _listed(flag.get(field) or [])
    for field in FLAG_FIELDS:
        if field not in OWN_ROWS and field != "bucketBy" and not is_default(field, flag):
            yield field, value_words(field, flag[field])
    for field in ("description", "owner"):
        if flag.get(field):
            yield field, plain(str(flag[field]))
    if flag.get("tags"):
        yield "tags", _listed(flag["tags"])
    for field, name in (("createdAt", "created"), ("updatedAt", "updated")):
        yield name, _moment(flag.get(field, 0), now_ms)
    yield "revision", str(flag.get("revision", 0))


def _listed(items: list[str]) -> str:
    if not items:
        return "nobody"
    shown = ", ".join(plain(str(item)) for item in items[:SHOWN_OF_A_LIST])
    more = len(items) - SHOWN_OF_A_LIST
    return f"{shown} and {more} more (--json has all)" if more > 0 else shown


def _moment(then_ms: int, now_ms: int) -> str:
    then = datetime.fromtimestamp(then_ms / 1000).astimezone()
    return f"{then:%Y-%m-%d %H:%M:%S %Z} ({ago(then_ms, now_ms)})"
