"""What the demo shows: live lines on a terminal, plain ones elsewhere."""

import asyncio
import sys
from collections.abc import Callable

from rich.console import Console
from rich.live import Live
from rich.table import Table

from examples.demo.traffic import WINDOW_S

Counts = dict[str, tuple[int, int]]

REFRESH_S = 0.1
BAR = 20


class Screen:
    """Standard output. `complete` is set once everything was shown, so that Ctrl-C is a good end."""

    def __init__(self) -> None:
        self.terminal = sys.stdout.isatty()
        self.complete = False
        self._console = Console(highlight=False)

    def line(self, text: str = "") -> None:
        """Write plain text."""
        print(text, flush=True)

    async def watch(self, counts: Callable[[], Counts], seconds: float | None) -> None:
        """Show the counts as they change, for so long, or (None) until cancelled."""
        if not self.terminal:
            await asyncio.sleep(seconds or 0)
            for key, (on, off) in counts().items():
                self.line(f"  {key:<29}{on:>5} on {off:>5} off")
            return
        loop = asyncio.get_running_loop()
        end = None if seconds is None else loop.time() + seconds
        with Live(_table(counts()), console=self._console, auto_refresh=False) as live:
            while end is None or loop.time() < end:
                live.update(_table(counts()), refresh=True)
                await asyncio.sleep(REFRESH_S)


def _table(counts: Counts) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    for key, (on, off) in counts.items():
        share = on / (on + off) if on + off else 0.0
        bar = "█" * round(share * BAR)
        table.add_row(
            f"  {key}",
            f"[green]{on:>4} on[/]",
            f"[dim]{off:>4} off[/]",
            f"[green]{bar}[/][dim]{'░' * (BAR - len(bar))}[/]",
        )
    table.add_row(f"  [dim]the last {WINDOW_S:.0f} s[/]")
    return table
