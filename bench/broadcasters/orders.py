"""What the broadcasters in Python share: the port they are told of, and events from standard input.

The end of standard input ends them, so none outlives the benchmark that started it.
"""

import asyncio
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from wigwag_proto.codec import encode

HEADERS = {"Content-Type": "text/event-stream", "Cache-Control": "no-cache"}
BACKLOG = 4096


@dataclass(frozen=True, slots=True)
class Parts:
    """An event for libraries that put its text together themselves."""

    id: str
    event: str
    data: str


def listening() -> socket.socket:
    """Listen on a free port of loopback and say which. As many streams as the system allows may be open."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the benchmark, which then ends this
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    sock = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
    say(port=sock.getsockname()[1])
    return sock


async def obey(broadcast: Callable[[bytes], object]) -> None:
    """Call `broadcast` with each event, until there are no more to come."""
    lines = asyncio.StreamReader(limit=2**20)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(partial(asyncio.StreamReaderProtocol, lines), os.fdopen(0, "rb", buffering=0))
    while line := await lines.readline():
        at_ns = time.monotonic_ns()
        broadcast(bytes.fromhex(line.decode()))
        say(atNs=at_ns)


def parts(event: bytes) -> Parts:
    """Take an event apart again."""
    fields = dict(line.split(": ", 1) for line in event.decode().splitlines() if ": " in line)
    return Parts(fields.get("id", ""), fields.get("event", ""), fields.get("data", ""))


def say(**message: object) -> None:
    """Print one line of JSON."""
    sys.stdout.buffer.write(encode(message) + b"\n")
    sys.stdout.buffer.flush()
