"""Flags as a parameter of a FastAPI endpoint, and gates. Needs the extra `starlette`, and FastAPI.

@app.get("/", dependencies=[flag_gate("beta")])
async def page(flags: RequestFlags): ...
"""

from typing import Annotated, Any

from fastapi import Depends
from starlette.requests import HTTPConnection

from wigwag.integrations.starlette import FlagsMiddleware, lifespan, pass_gate, request_flags, requires_flag
from wigwag.watched import WatchedFlags

__all__ = ["FlagsMiddleware", "RequestFlags", "flag_gate", "lifespan", "request_flags", "requires_flag"]

RequestFlags = Annotated[WatchedFlags, Depends(request_flags)]


def flag_gate(key: str, *, redirect: str | None = None) -> Any:
    """Return a dependency that opens a route, or a whole router, only to those for whom a flag is on.

    It does what `requires_flag` does, and comes before the parameters are checked: who is not let in gets 404, or is
    redirected, and never reads what the parameters should have been.
    """

    def gate(connection: HTTPConnection) -> None:
        pass_gate(connection, key, redirect)

    return Depends(gate)
