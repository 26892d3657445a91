"""One request to a receiver: bounded in time and in what is read, to a checked address, following nobody elsewhere."""

import os
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

import aiohttp

from wigwag_server.webhooks import sign
from wigwag_server.webhooks.addresses import Forbidden, PublicResolver, is_public, literal
from wigwag_server.webhooks.events import Event
from wigwag_server.webhooks.templates import body_of
from wigwag_server.webhooks.webhook import Webhook

TIMEOUT_S = 10.0
CONNECT_S = 5.0
# So much of an answer is read, to be shown to whoever set the webhook up; the rest is not.
READ_BYTES = 2048
AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class Result:
    """How an attempt ended. `status` is the receiver's, None where there was no answer."""

    ok: bool
    status: int | None
    error: str
    ms: int


class Deliverer:
    """Sends. Made once a server."""

    def __init__(self, *, allow_private: bool, timeout_s: float = TIMEOUT_S) -> None:
        self.allow_private = allow_private
        self._timeout_s = timeout_s
        self._session: aiohttp.ClientSession | None = None

    def _open(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            # A connection that is kept would be one to an address checked long ago.
            connector=aiohttp.TCPConnector(
                resolver=None if self.allow_private else PublicResolver(),
                use_dns_cache=False,
                force_close=True,
                limit=AT_ONCE,
            ),
            timeout=aiohttp.ClientTimeout(total=self._timeout_s, sock_connect=min(CONNECT_S, self._timeout_s)),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,  # a few bytes could be a great many
            trust_env=False,
        )

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    async def send(self, webhook: Webhook, event: Event) -> Result:
        """Make one attempt. What goes wrong is in the result."""
        begun_at = time.monotonic()
        status, error = None, ""
        try:
            status = await self._post(webhook, event)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as failure:
            error = _words(failure)
        ms = round((time.monotonic() - begun_at) * 1000)
        if status is not None and not 200 <= status < 300:
            error = f"the receiver answered {status}" + (
                ", and redirects are not followed" if status // 100 == 3 else ""
            )
        return Result(not error, status, error, ms)

    async def _post(self, webhook: Webhook, event: Event) -> int:
        address = literal(urlsplit(webhook.url).hostname or "")
        if address is not None and not self.allow_private and not is_public(address):
            raise Forbidden(f"{address} is a private address; --webhook-allow-private permits that")
        body = body_of(event, webhook.template)
        now = time.time()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "wigwag-webhooks",
            **sign.headers(webhook.secrets(now * 1000), event.id, int(now), body),
        }
        if self._session is None:
            self._session = self._open()
        async with self._session.post(webhook.url, data=body, headers=headers, allow_redirects=False) as response:
            await response.content.read(READ_BYTES)
            return response.status


def _words(failure: BaseException) -> str:
    """Say what went wrong, in one line of bounded length."""
    cause = failure.__cause__ or failure
    words = str(failure if not isinstance(cause, Forbidden) else cause)
    said = isinstance(cause, Forbidden) or isinstance(failure, aiohttp.ClientSSLError)
    if isinstance(failure, aiohttp.ClientConnectorError) and not said:
        # The library's own words are for whoever reads its code. Of TLS they say what is wrong.
        number = failure.os_error.errno or 0
        why = os.strerror(number) if number > 0 else failure.os_error.strerror or failure.os_error
        words = f"no connection to {failure.host}:{failure.port}: {why}"
    if isinstance(failure, TimeoutError):
        words = "the receiver did not answer in time"
    return " ".join((words or type(failure).__name__).split())[:300]
