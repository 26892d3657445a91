"""`make demo`: a server, an app that asks it, and a kill that you can watch arrive.

python -m examples.demo [--store redis://127.0.0.1:6379/0]
"""

import argparse
import asyncio
import signal
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from examples.demo.children import DemoFailed, Place, server_child, shop_child
from examples.demo.screen import Screen
from examples.demo.story import tell
from wigwag_proto.errors import WigwagError


def main() -> None:
    """Run the demo. Exit status 0 when all of it worked, 1 when something did not."""
    parser = argparse.ArgumentParser(prog="python -m examples.demo", description="See a kill arrive.")
    parser.add_argument("--store", help="redis://HOST:PORT/DB in place of a temporary SQLite file")
    store = parser.parse_args().store
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    screen = Screen()
    try:
        _run(store, screen)
    except KeyboardInterrupt:
        screen.line("\nStopped.")
        sys.exit(0 if screen.complete else 130)


def _run(store: str | None, screen: Screen) -> None:
    """Give the story its processes. Whatever happens in it, none of them outlives this."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wigwag-demo-")))
        try:
            server = stack.enter_context(server_child(folder, store))
            shop = stack.enter_context(shop_child(folder, server))
            asyncio.run(tell(Place(server, shop, store), screen))
        except (DemoFailed, WigwagError, OSError) as error:
            screen.line(f"\nThe demo failed: {error}")
            for log in sorted(folder.glob("*.log")):
                screen.line(f"\n--- {log.stem} said:\n{log.read_text(errors='replace').rstrip()}")
            sys.exit(1)


if __name__ == "__main__":
    main()
