"""The admin HTTP API, as far as the command line needs it. Everything that goes wrong becomes a Stop."""

import asyncio
import os
from typing import Any, Self
from urllib.parse import quote

import aiohttp

from wigwag.cli.connection import Server
from wigwag.cli.exits import ExitCode, Stop
from wigwag.cli.refusals import not_wigwag, refusal
from wigwag_proto.codec import decode, encode
from wigwag_proto.errors import Malformed

Plain = dict[str, Any]

CONNECT_TIMEOUT_S = 5.0
TIMEOUT_S = 15.0  # a server gives a commit 5 s before it answers that its store is away


class AdminClient:
    """Speaks to one environment of one server."""

    def __init__(self, server: Server, environment: str) -> None:
        self.server = server
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

    async def flags(self) -> list[Plain]:
        """Return all flags, by key."""
        listing = await self._request("GET", "/admin/flags")
        flags = listing.get("flags")
        if not isinstance(flags, list):
            raise not_wigwag(self.server, "the list of flags is not one")
        return [_as_in_force(flag, listing.get("emergencies")) for flag in flags if isinstance(flag, dict)]

    async def flag(self, key: str) -> Plain:
        """Return one flag. Raises NoSuchFlag."""
        return await self._request("GET", _path(key))

    async def put(self, key: str, body: Plain, before: Plain | None) -> Plain:
        """Create a flag, or replace its configuration as it was `before`. Raises FlagChanged when it is another now."""
        condition = {"If-None-Match": "*"} if before is None else {"If-Match": f'"{before.get("revision")}"'}
        return await self._request("POST", _path(key), body, condition)

    async def kill(self, key: str, reason: str) -> Plain:
        """Kill a flag and return it. Raises NoSuchFlag."""
        return await self._request("POST", _path(key) + "/kill", {"reason": reason} if reason else None)

    async def revive(self, key: str) -> Plain:
        """Lift the kill of a flag and return the flag. Raises NoSuchFlag."""
        return await self._request("POST", _path(key) + "/revive")

    async def delete(self, key: str) -> None:
        """Delete a flag. Raises NoSuchFlag."""
        await self._request("DELETE", _path(key))

    async def propagation(self, revision: int) -> Plain:
        """Return where a revision is in force."""
        return await self._request("GET", f"/admin/propagation/{revision}")

    async def instances(self, state: str | None, limit: int) -> Plain:
        """Return the client instances."""
        query = f"&state={quote(state)}" if state else ""
        return await self._request("GET", f"/admin/instances?limit={limit}{query}")

    async def snapshot(self) -> Plain:
        """Return what a server key sees. The key picks the environment."""
        return await self._request("GET", "/v1/snapshot")

    async def _request(
        self, method: str, path: str, body: Plain | None = None, condition: dict[str, str] | None = None
    ) -> Plain:
        params = {"environment": self.environment} if path.startswith("/admin") else {}
        data = None if body is None else encode(body)
        headers = {**({} if body is None else {"Content-Type": "application/json"}), **(condition or {})}
        try:
            async with self._session.request(
                method, self.server.url + path, params=params, data=data, headers=headers, allow_redirects=False
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
        if response.status == 204:
            return {}
        try:
            plain = decode(data)
        except Malformed:
            raise not_wigwag(self.server, f"it answers with {response.content_type}") from None
        if not isinstance(plain, dict):
            raise not_wigwag(self.server, "it answers with JSON that is no object")
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
