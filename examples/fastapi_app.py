"""An example: flags in a FastAPI application.

export WIGWAG_URL=http://127.0.0.1:8420 WIGWAG_KEY=ww_server_…
uvicorn --factory examples.fastapi_app:build_app --port 8080
curl -H 'X-User: ann' http://127.0.0.1:8080/
"""

from typing import Annotated

from fastapi import APIRouter, FastAPI, Header
from starlette.requests import HTTPConnection

from wigwag import Context, FlagClient
from wigwag.integrations.fastapi import FlagsMiddleware, RequestFlags, flag_gate, lifespan

router = APIRouter()
beta_router = APIRouter(prefix="/beta", dependencies=[flag_gate("beta")])  # there only for whom the flag is on


def visitor(connection: HTTPConnection) -> Context:
    """Say who asks. A real app takes this from its session."""
    return Context(connection.headers.get("X-User"), plan=connection.headers.get("X-Plan", "free"))


@router.get("/")
async def front_page(flags: RequestFlags) -> dict[str, bool]:
    """Decide what this visitor gets."""
    return {"new_checkout": flags.is_enabled("new_checkout")}


@beta_router.get("")
async def beta(x_user: Annotated[str | None, Header()] = None) -> dict[str, str | None]:
    """Greet."""
    return {"welcome": x_user}


def build_app() -> FastAPI:
    """Put the app together. WIGWAG_URL and WIGWAG_KEY say where the flags are."""
    client = FlagClient()
    app = FastAPI(lifespan=lifespan(client))
    app.add_middleware(FlagsMiddleware, client=client, context=visitor)
    app.include_router(router)
    app.include_router(beta_router)
    return app
