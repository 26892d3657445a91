"""What a person types while a command runs."""

import asyncio
import sys


async def typed_line() -> str:
    """Return the next line from the terminal.

    The event loop waits for it: a plain `input` would hold the loop up, and Ctrl-C would not be heard until Enter.
    """
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    try:
        loop.add_reader(sys.stdin, ready.set)
    except RuntimeError:  # an event loop that cannot watch a terminal, as on Windows
        return sys.stdin.readline()
    try:
        await ready.wait()
    finally:
        loop.remove_reader(sys.stdin)
    return sys.stdin.readline()
