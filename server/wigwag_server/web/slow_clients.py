"""What clients may take their time for, and what they may not send at all.

Nothing of a request is kept for ever: the head has to come in `idle_s` (which the HTTP library sees to), the body in
`body_s`, and an answer has to be taken, or the kernel gives the connection up.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from aiohttp import StreamReader, web

from wigwag_server.problems import Problem
from wigwag_server.services import SERVICES

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
USER_TIMEOUT = getattr(socket, "TCP_USER_TIMEOUT", None)  # Linux


class SlowBody(TimeoutError):
    """The body did not come in time. The HTTP library, which waits for the rest, takes a TimeoutError for an end."""


@web.middleware
async def slow_clients(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Bound the time of a request from outside, and refuse bodies that would have to be unpacked."""
    times = request.app[SERVICES].settings.request_times
    _limit_unread(request, times.unread_s)
    if not request.can_read_body:
        return await handler(request)
    if request.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
        # A few bytes could be a great many, and no body that is taken here is large.
        raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Send the body as it is, without a Content-Encoding.")
    timer = asyncio.get_running_loop().call_later(times.body_s, _give_up, request.content)
    try:
        return await handler(request)
    except SlowBody:
        detail = f"The body did not come within {times.body_s:g} seconds. Nothing was done."
        raise Problem(HTTPStatus.REQUEST_TIMEOUT, detail, headers={"Connection": "close"}) from None
    finally:
        timer.cancel()


def _give_up(body: StreamReader) -> None:
    if not body.is_eof():
        body.set_exception(SlowBody("the body did not come in time"))


def _limit_unread(request: web.Request, unread_s: float) -> None:
    """Have the kernel drop a connection whose peer takes nothing for so long, although there is something to take."""
    connection = request.get_extra_info("socket")
    if USER_TIMEOUT is not None and connection is not None and connection.family != socket.AF_UNIX:
        connection.setsockopt(socket.IPPROTO_TCP, USER_TIMEOUT, round(unread_s * 1000))
