"""What a picture must not show of the machine it was taken on: its clock, its name, its addresses.

The server and the clients in the pictures are real. They are only told another time, so that flags have been there for
weeks, and another host name; and the names of receivers of webhooks lead to this process.
"""

import socket
import time
from datetime import UTC, datetime
from typing import Any

NOW = datetime(2026, 11, 24, 14, 25, tzinfo=UTC)


class Clock:
    """The clock of the wall, which can be set: forward only, since a log does not go back."""

    def __init__(self) -> None:
        self._wall_s, self._monotonic_ns = time.time, time.monotonic_ns
        self._ahead_s = 0.0

    def install(self) -> None:
        """Take the place of the clock of this process. Timers go on by the real one."""
        time.time = self.time
        time.monotonic_ns = self.monotonic_ns

    def set(self, hours: float) -> None:
        """Make it so many hours before NOW."""
        self._ahead_s = NOW.timestamp() - hours * 3600 - self._wall_s()

    def time(self) -> float:
        """Return Unix time in seconds."""
        return self._wall_s() + self._ahead_s

    def monotonic_ns(self) -> int:
        """Return what goes along with it: the store's own clock, which dates what apps report."""
        return self._monotonic_ns() + round(self._ahead_s * 1e9)


class Names:
    """Names of hosts: the one that this process says it runs on, and where others are to be found."""

    def __init__(self) -> None:
        self.host = "web-1"
        self._ports: dict[str, int] = {}
        self._getaddrinfo: Any = socket.getaddrinfo

    def install(self) -> None:
        """Answer for the names that are known here, and for no others."""
        socket.gethostname = lambda: self.host
        socket.getaddrinfo = self._found

    def lead(self, name: str, port: int) -> None:
        """Have a name lead to a port of this machine."""
        self._ports[name] = port

    def _found(self, host: Any, port: Any, *rest: Any, **options: Any) -> Any:
        there = self._ports.get(str(host))
        return self._getaddrinfo(*((host, port) if there is None else ("127.0.0.1", there)), *rest, **options)
