"""The admin HTTP API, as far as the command line needs it. Everything that goes wrong becomes a Stop."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Self
from urllib.parse import quote, unquote

import aiohttp
from yarl import URL

from wigwag.cli.connection import Server
from wigwag.cli.exits import ExitCode, Proposed, Stop
from wigwag.cli.output import note
from wigwag.cli.output import plain as plain_text
from wigwag.cli.refusals import not_wigwag, refusal
from wigwag_proto.codec import decode, encode
from wigwag_proto.errors import Malformed

Plain = dict[str, Any]
# What goes into the URL; a name may be there more than once.
Query = Sequence[tuple[str, str]]

CONNECT_TIMEOUT_S = 5.0
LONG_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S, sock_read=30.0)
LARGEST_PAGE = 1000
TIMEOUT_S = 15.0  # a server gives a commit 5 s before it answers that its store is away


class AdminClient:
    """Speaks to one environment of one server. `warn` is told what the server warns of."""

    def __init__(self, server: Server, environment: str, *, warn: Callable[[str], None] = note) -> None:
        self.server = server
        self._warn = warn
        self.environment = environment
        self._session = aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {server.secret}"},
            timeout=aiohttp.ClientTimeout(total=TIMEOUT_S, sock_connect=CONNECT_TIMEOUT_S),
        )

    async def __aenter__(self) -> Self:
        """Return the client."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the connection."""
        await self._session.close()

    async def flags(self, query: Query = (), limit: int | None = None) -> list[Plain]:
        """Return the flags that a search finds, by key: all of them, or the first `limit`."""
        found: list[Plain] = []
        async for listing in self._pages("/admin/flags", query, limit):
            flags = _records(self.server, listing, "flags")
            found += [_as_in_force(flag, listing.get("emergencies")) for flag in flags]
        return found[:limit]

    async def segments(self, query: Query = (), limit: int | None = None) -> list[Plain]:
        """Return the segments that a search finds, by key."""
        found: list[Plain] = []
        async for listing in self._pages("/admin/segments", query, limit):
            found += _records(self.server, listing, "segments")
        return found[:limit]

    async def flag(self, key: str) -> Plain:
        """Return one flag. Raises NoSuchFlag."""
        return await self._request("GET", _path(key))

    async def put(self, key: str, body: Plain, before: Plain | None, comment: str = "") -> Plain:
        """Create a flag, or replace its configuration as it was `before`. Raises FlagChanged when it is another now."""
        return await self._request("POST", _path(key), _commented(body, comment), condition(before))

    async def put_segment(self, key: str, body: Plain, before: Plain | None) -> Plain:
        """Create a segment, or replace it as it was `before`. Raises FlagChanged when it is another now."""
        return await self._request("POST", admin_path("segments", key), body, condition(before))

    async def kill(self, key: str, reason: str, until: Any = None, query: Query = ()) -> Plain:
        """Kill a flag and return it. Raises NoSuchFlag."""
        body = {name: value for name, value in (("reason", reason), ("until", until)) if value}
        return await self._request("POST", _path(key) + "/kill", body or None, query=query)

    async def revive(self, key: str, comment: str = "") -> Plain:
        """Lift the kill of a flag and return the flag. Raises NoSuchFlag."""
        return await self._request("POST", _path(key) + "/revive", _commented({}, comment) or None)

    async def delete(self, key: str, comment: str = "") -> None:
        """Delete a flag. Raises NoSuchFlag."""
        await self._request(
            "DELETE", _path(key), query=[("confirm", key), *([("comment", comment)] if comment else [])]
        )

    async def trial_of_deletion(self, key: str) -> Plain:
        """Say what deleting a flag would do; the server warns where code still asks for it. Raises NoSuchFlag."""
        return await self._request("DELETE", _path(key), query=[("dryRun", "true")])

    async def get(self, *path: str, query: Query = (), of_server: bool = False) -> Plain:
        """Ask about what is at a path. `of_server` says that it is about no single environment."""
        return await self._request("GET", admin_path(*path), query=query, of_server=of_server)

    async def post(
        self,
        *path: str,
        body: Plain | None = None,
        query: Query = (),
        of_server: bool = False,
        match: Plain | None = None,
    ) -> Plain:
        """Do something. `match` is the record as it is to be still."""
        headers = condition(match) if match is not None else {}
        return await self._request("POST", admin_path(*path), body, headers, query=query, of_server=of_server)

    async def patch(self, *path: str, body: Plain, of_server: bool = False) -> Plain:
        """Change some fields of something."""
        return await self._request("PATCH", admin_path(*path), body, of_server=of_server)

    async def replace(self, *path: str, body: Plain, of_server: bool = False) -> Plain:
        """Put something in place of what is there."""
        return await self._request("PUT", admin_path(*path), body, of_server=of_server)

    async def remove(self, *path: str, query: Query = (), of_server: bool = False) -> None:
        """Delete something."""
        await self._request("DELETE", admin_path(*path), query=query, of_server=of_server)

    async def lines(self, *path: str, query: Query = ()) -> AsyncIterator[bytes]:
        """Yield the lines of a long answer as they come, without what ends them."""
        url = URL(self.server.url + admin_path(*path), encoded=True)
        params = [("environment", self.environment), *query]
        headers = {"Accept": "application/x-ndjson"}
        try:
            async with self._session.get(
                url, params=params, headers=headers, timeout=LONG_TIMEOUT, allow_redirects=False
            ) as response:
                if response.status != 200:
                    self._answer(response, await response.read())
                rest = b""
                async for chunk in response.content.iter_any():  # its own lines may be 64 KiB at most
                    *whole, rest = (rest + chunk).split(b"\n")
                    for line in whole:
                        yield line
                if rest:
                    yield rest
        except TimeoutError:
            raise self._unreachable("GET", "it stopped in the middle of its answer") from None
        except (aiohttp.ClientError, OSError) as error:
            raise self._unreachable("GET", _reason(error)) from None

    async def propagation(self, revision: int) -> Plain:
        """Return where a revision is in force."""
        return await self._request("GET", f"/admin/propagation/{revision}")

    async def instances(self, state: str | None, limit: int) -> Plain:
        """Return the client instances."""
        query = f"&state={quote(state)}" if state else ""
        return await self._request("GET", f"/admin/instances?limit={limit}{query}")

    async def login_link(self) -> Plain:
        """Make a link that signs a browser in, as the holder of the token."""
        return await self._request("POST", "/admin/login-links")

    async def snapshot(self) -> Plain:
        """Return what a server key sees. The key picks the environment."""
        return await self._request("GET", "/v1/snapshot")

    async def _pages(self, path: str, query: Query, limit: int | None) -> AsyncIterator[Plain]:
        """Yield the parts of a list, until there are no more or `limit` records are there."""
        after: Query = ()
        wanted = limit
        while True:
            size = [] if wanted is None else [("limit", str(min(wanted, LARGEST_PAGE)))]
            listing = await self._request("GET", path, query=[*query, *size, *after])
            yield listing
            there = sum(len(each) for each in (listing.get("flags"), listing.get("segments")) if isinstance(each, list))
            wanted = None if wanted is None else wanted - there
            if not there or not isinstance(listing.get("next"), str) or (wanted is not None and wanted <= 0):
                return
            after = [("after", listing["next"])]

    async def _request(
        self,
        method: str,
        path: str,
        body: Plain | None = None,
        condition: dict[str, str] | None = None,
        *,
        query: Query = (),
        of_server: bool = False,
    ) -> Plain:
        own = [("environment", self.environment)] if path.startswith("/admin") and not of_server else []
        params = [*own, *query]
        url = URL(self.server.url + path, encoded=True)
        data = None if body is None else encode(body)
        headers = {**({} if body is None else {"Content-Type": "application/json"}), **(condition or {})}
        try:
            async with self._session.request(
                method, url, params=params, data=data, headers=headers, allow_redirects=False
            ) as response:
                return self._answer(response, await response.read())
        except aiohttp.ConnectionTimeoutError:
            raise self._unreachable(method, f"no connection within {CONNECT_TIMEOUT_S:.0f} s", sent=False) from None
        except TimeoutError:
            raise self._unreachable(method, f"no answer within {TIMEOUT_S:.0f} s") from None
        except aiohttp.InvalidURL:
            raise Stop(f"{self.server.url!r} ({self.server.origin}) is not a URL", ExitCode.USAGE) from None
        except (aiohttp.ClientError, OSError) as error:
            raise self._unreachable(method, _reason(error), sent=_was_sent(error)) from None

    def _answer(self, response: aiohttp.ClientResponse, data: bytes) -> Plain:
        if 300 <= response.status < 400:
            target = response.headers.get("Location", "elsewhere")
            raise Stop(f"{self.server.url} ({self.server.origin}) redirects to {target}: give that server as --url")
        if response.status >= 400:
            raise refusal(self.server, self.environment, response.status, response.content_type, data)
        if "Wigwag-Warning" in response.headers:
            self._warn(f"wigwag: {plain_text(unquote(response.headers['Wigwag-Warning']))}")
        if response.status == 204:
            return {}
        try:
            plain = decode(data)
        except Malformed:
            raise not_wigwag(self.server, f"it answers with {response.content_type}") from None
        if not isinstance(plain, dict):
            raise not_wigwag(self.server, "it answers with JSON that is no object")
        if response.status == 202 and isinstance(plain.get("approval"), dict):
            raise _proposed(plain, self.environment)
        return plain

    def _unreachable(self, method: str, why: str, *, sent: bool = True) -> Stop:
        """Say that there was no answer; and that the change may have been made, where that is possible."""
        message = f"no server can be reached at {self.server.url} ({self.server.origin}): {why}."
        if method != "GET" and sent:
            message += " It is not certain whether the change was made. Doing it again does no harm."
        else:
            message += " Is it running, and is the address right?"
        return Stop(message, ExitCode.UNREACHABLE)


def _as_in_force(flag: Plain, emergencies: Any) -> Plain:
    """Return the flag with the kill of an emergency that is in force on the server that was asked."""
    for each in emergencies if isinstance(emergencies, list) and flag.get("kill") is None else ():
        if isinstance(each, dict) and flag.get("key") in each.get("keys", ()):
            return {**flag, "kill": {name: each.get(name) for name in ("by", "reason", "at")}}
    return flag


def admin_path(*parts: str) -> str:
    """Return a path of the admin API, whatever is in its parts."""
    return "/admin/" + "/".join(quote(part, safe="") for part in parts)


def condition(before: Plain | None) -> dict[str, str]:
    """Return the header that ties a write to what was read before; None: that there was nothing."""
    return {"If-None-Match": "*"} if before is None else {"If-Match": f'"{before.get("revision")}"'}


def _commented(body: Plain, comment: str) -> Plain:
    return {**body, "comment": comment} if comment else body


def _records(server: Server, listing: Plain, name: str) -> list[Plain]:
    records = listing.get(name)
    if not isinstance(records, list):
        raise not_wigwag(server, f"the list of {name} is not one")
    return [record for record in records if isinstance(record, dict)]


def _proposed(answer: Plain, environment: str) -> Proposed:
    number = answer["approval"].get("id")
    return Proposed(
        f"nothing has changed yet: {environment} asks for a second person. Somebody else approves it by: "
        f"wigwag approvals approve {number}",
        answer,
    )


def _path(key: str) -> str:
    return f"/admin/flags/{key}"  # a checked key needs no quoting


def _was_sent(error: Exception) -> bool:
    return not isinstance(error, aiohttp.ClientConnectorError)


def _reason(error: Exception) -> str:
    """Say it as an operating system does, without the library's own wording around it."""
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(cause, OSError) and cause.errno is not None and cause.errno > 0:
        return os.strerror(cause.errno)
    if isinstance(cause, OSError) and cause.strerror:
        return str(cause.strerror)
    if isinstance(error, aiohttp.ServerDisconnectedError | asyncio.IncompleteReadError):
        return "it hung up without an answer"
    return str(error) or type(error).__name__
