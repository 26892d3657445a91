"""A proxy on a link that works but takes its time."""

import asyncio
from contextlib import suppress

from tests.support.proxy import Proxy


class SlowProxy(Proxy):
    """Holds every chunk back for `delay_s`, in both directions."""

    delay_s = 0.0

    async def _pass(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, name: str) -> None:
        with suppress(OSError):
            while data := await source.read(self.chunk_bytes):
                await asyncio.sleep(self.delay_s)
                if passed := getattr(self, name)(data):
                    sink.write(passed)
                    await sink.drain()
        self._writers.discard(sink)
        sink.transport.abort()
