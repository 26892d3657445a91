"""One open stream, as the hub sees it: where it is, and a transport to write to.

No queue and no task: what a slow reader has not had yet is in the ring, and only the cursor last sent is kept here.
"""

import asyncio
from collections import deque

from wigwag_proto.commit import Cursor

# A stream with this much unsent gets nothing more until it has read on.
UNSENT_BYTES = 256 * 1024
SLICE_BYTES = 64 * 1024


def frame(data: bytes) -> bytes:
    """Return one chunk of the chunked transfer coding (RFC 9112, section 7.1)."""
    return b"%x\r\n%b\r\n" % (len(data), data)


class Connection:
    """A stream. `cursor` is what it has been sent, `opened_at` is when its request came (monotonic seconds).

    `key_id` is the id of the key that opened it.
    """

    __slots__ = (
        "_backlog",
        "_buffered",
        "_progress_at",
        "_transport",
        "chunked",
        "closed",
        "cursor",
        "expires_at",
        "key_id",
        "opened_at",
        "uninformed",
    )

    def __init__(self, transport: asyncio.Transport, *, chunked: bool, opened_at: float, key_id: str = "") -> None:
        self.cursor: Cursor | None = None
        self.key_id = key_id
        self.opened_at = opened_at
        self.expires_at = float("inf")  # when it is sent away, to be opened again
        self.uninformed = False  # of the emergencies now in force
        self.chunked = chunked
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._transport = transport
        self._backlog: deque[memoryview] = deque()  # what waits to be written; a snapshot in it is shared with others
        self._progress_at = opened_at
        self._buffered = 0

    @property
    def unsent(self) -> int:
        """The bytes that the reader has not taken yet; those of a large event that waits in slices not counted."""
        return self._transport.get_write_buffer_size()

    def writable(self) -> bool:
        """Whether the next event may be written now."""
        return not self._backlog and self.unsent < UNSENT_BYTES

    def idle(self) -> bool:
        """Whether everything that was written is out."""
        return not self._backlog and self.unsent == 0

    def gone(self) -> bool:
        """Whether there is nobody to write to any more."""
        return self._transport.is_closing() or self.closed.done()

    def write(self, chunk: bytes) -> None:
        """Write bytes that are framed already."""
        self._transport.write(chunk)

    def send(self, event: bytes) -> None:
        """Write one event of whatever size; a large one goes out in slices, as the reader takes them."""
        self._backlog.append(memoryview(event))
        self.pump()

    def pump(self) -> None:
        """Go on with a large event as far as the reader has room."""
        while self._backlog and self.unsent < SLICE_BYTES:
            event = self._backlog.popleft()
            piece, rest = bytes(event[:SLICE_BYTES]), event[SLICE_BYTES:]
            self._transport.write(frame(piece) if self.chunked else piece)
            if rest:
                self._backlog.appendleft(rest)

    def stuck_s(self, now: float) -> float:
        """Return for how long the reader has taken nothing although there was something to take."""
        buffered = self.unsent
        if buffered < self._buffered or buffered == 0:
            self._progress_at = now
        self._buffered = buffered
        return now - self._progress_at

    def finish(self) -> None:
        """Let the request handler end the response."""
        if not self.closed.done():
            self.closed.set_result(None)

    def abort(self) -> None:
        """Drop the connection with whatever is unsent."""
        self._transport.abort()
        self.finish()
