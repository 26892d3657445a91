"""All flags as a table."""

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from wigwag.cli.flag_words import Plain, ago, percent, state, targeting
from wigwag.cli.output import plain

# Columns of a terminal. rich would take the room from the last column, which is cut first if nobody reckons.
FIXED = 31  # STATE, ROLLOUT, UPDATED and what is between them
SHORTEST = 12
ROOM_FOR_OWNER = 100
STYLES = {"on": "green", "off": "dim", "KILLED": "bold red"}


def flag_table(flags: Sequence[Plain], now_ms: int, width: int) -> Table:
    """Return the table. The keys are never cut, since people copy them; what is long otherwise gives way."""
    owned = width >= ROOM_FOR_OWNER and any(flag.get("owner") for flag in flags)
    owner = width // 6
    room = width - FIXED - (owner + 2 if owned else 0)
    longest = max((len(str(flag.get("key"))) for flag in flags), default=0)
    keys = max(SHORTEST, min(longest, room - SHORTEST))
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("FLAG", overflow="fold", max_width=keys)
    table.add_column("STATE", no_wrap=True)
    table.add_column("ROLLOUT", no_wrap=True, justify="right")
    table.add_column("TARGETING", max_width=max(SHORTEST, room - keys))
    if owned:
        table.add_column("OWNER", max_width=owner)
    table.add_column("UPDATED", no_wrap=True)
    for flag in flags:
        cells = [
            Text(plain(str(flag.get("key")))),
            Text(state(flag), style=STYLES[state(flag)]),
            Text(percent(flag)),
            Text(targeting(flag), no_wrap=True, overflow="ellipsis"),
            *([Text(plain(str(flag.get("owner") or "")), no_wrap=True, overflow="ellipsis")] if owned else []),
            Text(ago(flag.get("updatedAt", 0), now_ms), style="dim"),
        ]
        table.add_row(*cells)
    return table


def counts(flags: Sequence[Plain], environment: str) -> str:
    """Return the line under the table."""
    killed = sum(flag.get("kill") is not None for flag in flags)
    number = f"{len(flags)} flag{'' if len(flags) == 1 else 's'}"
    return f"{number} ({killed} killed) in {environment}" if killed else f"{number} in {environment}"
