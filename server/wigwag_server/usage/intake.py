"""Counts on their way into the store: those of many clients together, each acknowledged once it is there."""

import asyncio
from collections.abc import Mapping
from http import HTTPStatus

from wigwag_proto.errors import StoreUnavailable
from wigwag_proto.telemetry import Telemetry
from wigwag_server.catalog import Catalog
from wigwag_server.problems import Problem
from wigwag_server.usage.series import batch_of
from wigwag_server.usage.usage_store import Batch, UsageStore

LINGER_S = 0.05
# So many reports wait at most; whoever comes then is asked to come back.
WAITING = 2000


class Intake:
    """Made once a server. `run` writes what is waiting."""

    def __init__(self, store: UsageStore, catalogs: Mapping[str, Catalog]) -> None:
        self.store = store
        self._catalogs = catalogs
        # Decisions by environment, flag and whether it was on, as they were reported here since the start.
        self.decided: dict[tuple[str, str, bool], int] = {}
        self._waiting: list[tuple[str, Batch, asyncio.Future[None]]] = []
        self._news = asyncio.Event()

    async def take(self, environment: str, report: Telemetry) -> None:
        """Return once the counts of a report are in the store. Raises StoreUnavailable, Problem (503)."""
        batch = batch_of(report, self._catalogs[environment].records.flags)
        if not batch.counts and not batch.unknown:
            return
        if len(self._waiting) >= WAITING:
            detail = "Too many reports are waiting for the store. Send this one again later."
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, headers={"Retry-After": "10"})
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((environment, batch, done))
        self._news.set()
        await done
        for row in report.usage:
            if row.flag in self._catalogs[environment].records.flags:  # which bounds how many there are
                key = environment, row.flag, row.enabled
                self.decided[key] = self.decided.get(key, 0) + row.count

    async def run(self) -> None:
        """Write what is waiting, many together. Runs until cancelled."""
        try:
            while True:
                await self._news.wait()
                await asyncio.sleep(LINGER_S)
                self._news.clear()
                waiting, self._waiting = self._waiting, []
                for environment in dict.fromkeys(environment for environment, _, _ in waiting):
                    await self._write(environment, [each for each in waiting if each[0] == environment])
        finally:
            _fail(self._waiting, StoreUnavailable("this server stops"))

    async def _write(self, environment: str, waiting: list[tuple[str, Batch, asyncio.Future[None]]]) -> None:
        try:
            await self.store.add(environment, [batch for _, batch, _ in waiting])
        except BaseException as error:
            _fail(waiting, error if isinstance(error, Exception) else StoreUnavailable("this server stops"))
            if not isinstance(error, StoreUnavailable):
                raise
        else:
            for _, _, done in waiting:
                if not done.done():
                    done.set_result(None)


def _fail(waiting: list[tuple[str, Batch, asyncio.Future[None]]], error: Exception) -> None:
    for _, _, done in waiting:
        if not done.done():
            done.set_exception(error)
            done.exception()  # whoever waited may have hung up
