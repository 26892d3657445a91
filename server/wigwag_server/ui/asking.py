"""How a page asks the admin API: by the route, as any other client, only without a socket in between.

So a page can do nothing that the API cannot, and whatever the API checks (rights, scope, a second person) holds here.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from yarl import URL

from wigwag_proto.codec import decode, encode
from wigwag_server.auth.guard import CSRF_HEADER
from wigwag_server.auth.sessions import SESSION


@dataclass(frozen=True, slots=True)
class Answer:
    """What the API said."""

    status: int
    body: Any
    cursor: str = ""


async def ask(
    request: web.Request,
    method: str,
    path: str,
    query: Mapping[str, Any] | None = None,
    *,
    body: Any = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Ask on behalf of whoever has signed in. `path` is plain, not quoted.

    A form of ours has been checked before: this is what vouches for it. Raises what the route raises: Problem,
    Waiting, StoreUnavailable.
    """
    await asyncio.sleep(0)  # a page asks for much in a row: whoever kills meanwhile is not to wait for all of it
    sent = dict(headers or {})
    if (session := request.get(SESSION)) is not None:
        sent[CSRF_HEADER] = session.csrf()
    inner = request.clone(method=method, rel_url=URL.build(path=path).with_query(query or {}), headers=sent)
    if body is not None:
        inner._read_bytes = encode(body)  # noqa: SLF001 - a request without a socket has no public way to a body
    match = await request.app.router.resolve(inner)
    match.add_app(request.app)
    match.freeze()
    inner._match_info = match  # noqa: SLF001 - nor to its route
    response = await match.handler(inner)
    assert isinstance(response, web.Response), "what pages ask for is no stream"
    data = response.body
    plain = decode(bytes(data)) if isinstance(data, (bytes, bytearray)) and data else None
    return Answer(response.status, plain, response.headers.get("Wigwag-Cursor", ""))
