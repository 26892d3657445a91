"""Flags as a parameter of a FastAPI endpoint. Needs the extra `starlette`, and FastAPI.

@app.get("/")
async def page(flags: RequestFlags): ...
"""

from typing import Annotated

from fastapi import Depends

from wigwag.flags import WatchedFlags
from wigwag.integrations.starlette import FlagsMiddleware, lifespan, request_flags, requires_flag

__all__ = ["FlagsMiddleware", "RequestFlags", "lifespan", "request_flags", "requires_flag"]

RequestFlags = Annotated[WatchedFlags, Depends(request_flags)]
