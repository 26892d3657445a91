"""One open stream, as the hub sees it: where it is, and a transport to write to.

No queue and no task: what a slow reader has not had yet is in the ring, and only the cursor last sent is kept here.
Nor a request and a parser: once the head of the response is out, a connection is the protocol of its own transport.
"""

import asyncio
from collections import deque
from collections.abc import Callable

from wigwag_proto.commit import Cursor

# A stream with this much unsent gets nothing more until it has read on.
UNSENT_BYTES = 256 * 1024
SLICE_BYTES = 64 * 1024
END_S = 1.0  # how long the reader may take for the last bytes of a stream that ends


def frame(data: bytes) -> bytes:
    """Return one chunk of the chunked transfer coding (RFC 9112, section 7.1)."""
    return b"%x\r\n%b\r\n" % (len(data), data)


class Connection(asyncio.Protocol):
    """A stream. `cursor` is what it has been sent, `opened_at` is when its request came (monotonic seconds).

    `key_id` is the id of the key that opened it. `on_lost` is told when there is nobody to write to any more. There may
    be ten thousand of these, so they are kept small: nothing is made before it is needed.
    """

    __slots__ = (
        "_backlog",
        "_buffered",
        "_on_lost",
        "_paused",
        "_progress_at",
        "_transport",
        "beats_at",
        "chunked",
        "cursor",
        "expires_at",
        "key_id",
        "open",
        "opened_at",
        "uninformed",
        "writable",
    )

    def __init__(
        self,
        transport: asyncio.Transport,
        *,
        chunked: bool,
        opened_at: float,
        key_id: str = "",
        on_lost: Callable[["Connection"], None] | None = None,
    ) -> None:
        self.cursor: Cursor | None = None
        self.key_id = key_id
        self.opened_at = opened_at
        self.beats_at = opened_at  # when the next heartbeat is due
        self.expires_at = float("inf")  # when it is sent away, to be opened again
        self.uninformed = False  # of the emergencies now in force
        self.chunked = chunked
        self.open = True
        self.writable = True  # whether the next event may be written now
        self._on_lost = on_lost
        self._transport = transport
        self._backlog: deque[memoryview] | None = None  # waits to be written; a snapshot in it is shared with others
        self._paused = False
        self._progress_at = opened_at
        self._buffered = 0
        transport.set_write_buffer_limits(high=UNSENT_BYTES)
        transport.set_protocol(self)

    # What the transport tells.

    def data_received(self, data: bytes) -> None:
        """Ignore it: a client has nothing to say on a stream."""

    def pause_writing(self) -> None:
        """Take note that the reader does not keep up."""
        self._paused = True
        self.writable = False

    def resume_writing(self) -> None:
        """Take note that it has caught up."""
        self._paused = False
        self.writable = self.open and not self._backlog

    def connection_lost(self, _: Exception | None) -> None:
        """Take note that the client has gone."""
        self.open = self.writable = False
        self._backlog = None
        if self._on_lost is not None:
            self._on_lost(self)

    # What the hub does.

    @property
    def unsent(self) -> int:
        """The bytes that the reader has not taken yet; those of a large event that waits in slices not counted."""
        return self._transport.get_write_buffer_size()

    def idle(self) -> bool:
        """Whether everything that was written is out."""
        return not self._backlog and self.unsent == 0

    def write(self, chunk: bytes) -> None:
        """Write bytes that are framed already, to a stream that is writable."""
        self._transport.write(chunk)

    def send(self, event: bytes) -> None:
        """Write one event of whatever size; a large one goes out in slices, as the reader takes them."""
        if self.writable and len(event) <= SLICE_BYTES:
            self._transport.write(frame(event) if self.chunked else event)
            return
        if self._backlog is None:
            self._backlog = deque()
        self._backlog.append(memoryview(event))
        self.pump()

    def pump(self) -> None:
        """Go on with a large event as far as the reader has room."""
        backlog = self._backlog
        if backlog is None or not self.open:
            return
        while backlog and self.unsent < SLICE_BYTES:
            event = backlog.popleft()
            piece, rest = bytes(event[:SLICE_BYTES]), event[SLICE_BYTES:]
            self._transport.write(frame(piece) if self.chunked else piece)
            if rest:
                backlog.appendleft(rest)
        if not backlog:
            self._backlog = None
        self.writable = not backlog and not self._paused

    def stuck_s(self, now: float) -> float:
        """Return for how long the reader has taken nothing although there was something to take."""
        buffered = self.unsent
        if buffered < self._buffered or buffered == 0:
            self._progress_at = now
        self._buffered = buffered
        return now - self._progress_at

    def finish(self) -> None:
        """End the response, and the connection as soon as the reader has the last of it, or after `END_S`."""
        if not self.open:
            return
        self.open = self.writable = False
        if self.chunked:
            self._transport.write(b"0\r\n\r\n")
        self._transport.close()
        if self.unsent:
            asyncio.get_running_loop().call_later(END_S, self._transport.abort)

    def abort(self) -> None:
        """Drop the connection with whatever is unsent."""
        self.open = self.writable = False
        self._transport.abort()
