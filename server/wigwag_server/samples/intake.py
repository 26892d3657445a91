"""Samples on their way into the store, from clients that send some in environments that take some."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress

import msgspec

from wigwag_proto.errors import StoreUnavailable
from wigwag_proto.samples import LARGEST_SAMPLE, SAMPLES_LIMIT, samples_header
from wigwag_proto.telemetry import Telemetry
from wigwag_server.catalog import Catalog
from wigwag_server.samples.sample_store import SampleStore, Taken

# So many samples are asked for with all reports of a server together, one from each client at least.
ASKED_FOR = 2000
WAITING = 2000  # at most; the oldest make room
LINGER_S = 0.2
REFRESH_S = 10.0  # how soon a server hears that another one has made a key, or dropped it


class Sampling:
    """Made once a server. `run` writes what is waiting, and keeps the keys up to date."""

    def __init__(self, store: SampleStore, catalogs: Mapping[str, Catalog], takes: Callable[[str], bool]) -> None:
        """`takes` says whether an environment takes samples."""
        self.store = store
        self.takes = takes
        self._catalogs = catalogs
        self._keys: dict[str, bytes] = {}
        self._waiting: deque[tuple[str, Taken]] = deque(maxlen=WAITING)
        self._news = asyncio.Event()
        self._refresh_at = 0.0

    def header(self, environment: str, streams: int) -> str | None:
        """Return what asks a client for samples; None where none are taken, or the key is not known yet."""
        if not self.takes(environment):
            self._keys.pop(environment, None)
            return None
        key = self._keys.get(environment)
        if key is None:
            self._refresh_at = 0.0
            self._news.set()
            return None
        return samples_header(max(1, min(SAMPLES_LIMIT, ASKED_FOR // max(1, streams))), key)

    def take(self, environment: str, report: Telemetry) -> None:
        """Take in the samples of a report: of flags that there are, and with the key of now. Nobody waits for it."""
        key = self._keys.get(environment)
        if not report.samples or key is None or report.samples_key != key.hex() or not self.takes(environment):
            return
        flags = self._catalogs[environment].records.flags
        for sample in report.samples:
            data = msgspec.json.encode(sample)
            if sample.flag in flags and len(data) <= LARGEST_SAMPLE:
                self._waiting.append((environment, Taken(sample.flag, data)))
        self._news.set()

    async def forget(self, environment: str) -> None:
        """Drop what there is of an environment. Raises StoreUnavailable."""
        self._keys.pop(environment, None)
        await self.store.forget(environment)

    async def run(self) -> None:
        """Write what is waiting. Runs until cancelled."""
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), REFRESH_S)
            self._news.clear()
            await self._refresh()
            await asyncio.sleep(LINGER_S)
            waiting = list(self._waiting)
            self._waiting.clear()
            for environment in dict.fromkeys(name for name, _ in waiting):
                if self.takes(environment):
                    with suppress(StoreUnavailable):  # they are samples
                        await self.store.add(environment, [each for name, each in waiting if name == environment])

    async def _refresh(self) -> None:
        now = time.monotonic()
        if now < self._refresh_at:
            return
        self._refresh_at = now + REFRESH_S
        for environment in list(self._catalogs):
            if self.takes(environment):
                with suppress(StoreUnavailable):
                    self._keys[environment] = await self.store.key(environment)
