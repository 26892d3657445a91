"""A listener for any sort of proxy, with room for many connections that come at once."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TypeVar

from tests.support.proxy import Proxy

P = TypeVar("P", bound=Proxy)
# asyncio's own 100 is too few for hundreds of clients that reconnect: the system would drop some and answer others.
BACKLOG = 4096


@asynccontextmanager
async def listening(proxy: P) -> AsyncGenerator[P]:
    """Run a proxy on a free port, `proxy.port`, until the context is left."""
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0, backlog=BACKLOG)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        await proxy.close()
        await server.wait_closed()
