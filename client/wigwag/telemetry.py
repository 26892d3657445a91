"""Sends the reports of one run of a client. Nothing that decides waits for it, and nothing that it meets is raised."""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

import aiohttp
import msgspec

from wigwag.reports import Report, Reports
from wigwag.sampler import Sampler
from wigwag_proto.http_feed_io import LONGEST_RETRY_AFTER_S, Upstream, abandon_session
from wigwag_proto.samples import SAMPLES_HEADER, read_samples_header
from wigwag_proto.telemetry import Instance, OutcomeRow, encode_telemetry
from wigwag_proto.telemetry import Telemetry as Body
from wigwag_proto.usage import UsageCount

logger = logging.getLogger(__name__)

FAREWELL_S = 1.0
PATH = "/v1/telemetry"
# Answers that are about the time or the key, not about the report; all others between 400 and 499 are final.
LATER = (401, 403, 404, 405, 408, 425, 429)
REFUSED = (401, 403, 404, 405)  # an older server has no such route


@dataclass(frozen=True, slots=True)
class Sources:
    """Where reports come from. `usage` drains in steps; `outcomes` drains how the code behind flags fared.

    `tripped` returns the flags whose circuit is tripped, with the monotonic second since when.
    `sampler` takes samples of contexts; None: the app does not allow it.
    """

    usage: Callable[[], Iterator[list[UsageCount]]]
    outcomes: Callable[[], list[OutcomeRow]] = list
    sampler: Sampler | None = None
    tripped: Callable[[], dict[str, float]] = dict


class Telemetry:
    """Confirms kills and reports counts, until closed. Lives on one event loop."""

    def __init__(self, upstream: Upstream, instance: Instance, sources: Sources, *, every_s: float) -> None:
        self.reports = Reports(instance, time.monotonic(), random.Random(), every_s=every_s)  # noqa: S311 - jitter
        self._upstream = upstream
        self._sources = sources
        self._session: aiohttp.ClientSession | None = None
        self._news = asyncio.Event()
        self._sending = asyncio.Lock()
        self._complained = False

    def applied(self, cursor: str, *, urgent: bool, spread_s: float) -> None:
        """Note that a state is in force from now on."""
        self.reports.applied(cursor, time.monotonic(), urgent=urgent, spread_s=spread_s)
        if urgent:
            self._news.set()

    def circuits_changed(self) -> None:
        """Note that a circuit has tripped or closed."""
        self.reports.circuits_changed(time.monotonic())
        self._news.set()

    async def run(self) -> None:
        """Report what there is, when it is due. Runs until cancelled."""
        self._session = aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {self._upstream.key}"},
            timeout=aiohttp.ClientTimeout(
                total=self._upstream.request_timeout_s, sock_connect=self._upstream.connect_timeout_s
            ),
        )
        while True:
            delay_s = self.reports.due_at - time.monotonic()
            if delay_s > 0:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._news.wait(), delay_s)
                self._news.clear()
            else:
                await self._report()

    async def farewell(self) -> None:
        """Report the last counts, and that there will be no more. Gives up after a second, or where it cannot work."""
        if self._session is None or self._session.closed or self.reports.failing:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(FAREWELL_S):
                await self._report(closing=True)

    async def close(self) -> None:
        """Close the connection."""
        if self._session is not None:
            await self._session.close()

    def abandon(self) -> None:
        """Touch nothing of it any more."""
        if self._session is not None:
            abandon_session(self._session)

    async def _report(self, *, closing: bool = False) -> None:
        async with self._sending:
            now = time.monotonic()
            if self.reports.empty and (closing or self.reports.counting_due(now)):
                await self._drain(now)
            while (report := self._next(closing=closing)) is not None:
                await self._send(report)
                if not closing or report.body.closing or self.reports.failing:
                    break

    def _next(self, *, closing: bool) -> Report | None:
        return self.reports.next(time.monotonic(), closing=closing, tripped=self._sources.tripped())

    async def _drain(self, now: float) -> None:
        counts: list[UsageCount] = []
        for some in self._sources.usage():
            counts += some
            await asyncio.sleep(0)
        self.reports.add(counts, self._sources.outcomes(), now)

    async def _send(self, report: Report) -> None:
        assert self._session is not None
        headers = {"Content-Type": "application/json"}
        try:
            async with self._session.post(
                self._upstream.at(PATH),
                data=encode_telemetry(self._sampled(report)),
                headers=headers,
                allow_redirects=False,
            ) as response:
                self._answered(report, response)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            self._failed(report, error, in_doubt=False)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            self._failed(report, error, in_doubt=True)
        except asyncio.CancelledError:
            if report.batch is not None:
                report.batch.in_doubt = True
            raise

    def _sampled(self, report: Report) -> Body:
        """Return what is sent. Samples go along once: they are lost where the report is, since others come."""
        sampler = self._sources.sampler
        drained = sampler.drain() if sampler is not None and report.batch is not None else None
        if drained is None or not drained[1]:
            return report.body
        salt, samples = drained
        return msgspec.structs.replace(report.body, samples=samples, samples_key=salt.hex())

    def _answered(self, report: Report, response: aiohttp.ClientResponse) -> None:
        now, status = time.monotonic(), response.status
        if status in (200, 202, 204):
            self.reports.sent(report, now)
            if self._sources.sampler is not None:
                self._sources.sampler.ask(read_samples_header(response.headers.get(SAMPLES_HEADER)))
            self._complained = False
        elif 400 <= status < 500 and status not in LATER:
            logger.warning("the server refuses a report of this client (HTTP %d), which is dropped", status)
            self.reports.dropped(report, now)
        else:
            after = response.headers.get("Retry-After", "")
            self.reports.failed(
                report,
                now,
                refused=status in REFUSED,
                in_doubt=status >= 500,
                retry_after_s=min(float(after), LONGEST_RETRY_AFTER_S) if after.isdecimal() else 0.0,
            )
            self._complain(f"HTTP {status}")

    def _failed(self, report: Report, error: BaseException, *, in_doubt: bool) -> None:
        self.reports.failed(report, time.monotonic(), refused=False, in_doubt=in_doubt, retry_after_s=0.0)
        self._complain(str(error) or type(error).__name__)

    def _complain(self, why: str) -> None:
        """Say it once: the flags are not concerned."""
        if not self._complained:
            logger.info("reports of this client do not arrive (%s); they are tried again", why)
        self._complained = True
