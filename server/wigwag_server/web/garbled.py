"""Connections that have sent what is not HTTP: nothing more of them is read, and nothing of it is kept.

By itself the HTTP library takes each further piece of such a connection for one more bad request. It makes an exception
of it, whose traceback holds the piece until the garbage collector comes by: of 8 MB of nonsense, 8 MB stay for a while.
"""

from typing import Any

from aiohttp import web
from aiohttp.http import RawRequestMessage


class Runner(web.AppRunner):
    """An AppRunner that makes connections of the kind below."""

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        return _Server(made.request_handler, request_factory=made.request_factory, **self._kwargs)


class _Server(web.Server):
    def __call__(self) -> web.RequestHandler:
        return _Connection(self, loop=self._loop, **self._kwargs)


class _Connection(web.RequestHandler):
    __slots__ = ("_garbled",)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._garbled = False

    def data_received(self, data: bytes) -> None:
        """Read on, unless what came before was not HTTP. The answer to that, 400, ends the connection."""
        if self._garbled:
            return
        super().data_received(data)
        last = self._messages[-1][0] if self._messages else None
        if last is not None and not isinstance(last, RawRequestMessage):
            self._garbled = True
            last.exc.with_traceback(None)  # which holds the piece, and by way of it itself
