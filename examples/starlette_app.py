"""An example: flags in a Starlette application.

export WIGWAG_URL=http://127.0.0.1:8420 WIGWAG_KEY=ww_server_…
uvicorn --factory examples.starlette_app:build_app --port 8080
curl -H 'X-User: ann' http://127.0.0.1:8080/
"""

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from wigwag import Context, FlagClient
from wigwag.integrations.starlette import FlagsMiddleware, lifespan, requires_flag


async def visitor(connection: HTTPConnection) -> Context:
    """Say who asks. A real app takes this from its session, or asks its database."""
    return Context(connection.headers.get("X-User"), plan=connection.headers.get("X-Plan", "free"))


async def front_page(request: Request) -> Response:
    """Decide what this visitor gets."""
    return JSONResponse({"new_checkout": request.state.flags.is_enabled("new_checkout")})


@requires_flag("beta")
async def beta(request: Request) -> Response:
    """Be there only for whom the flag is on."""
    return JSONResponse({"welcome": request.headers.get("X-User")})


def build_app() -> Starlette:
    """Put the app together. WIGWAG_URL and WIGWAG_KEY say where the flags are."""
    client = FlagClient()
    return Starlette(
        routes=[Route("/", front_page), Route("/beta", beta)],
        lifespan=lifespan(client),
        middleware=[Middleware(FlagsMiddleware, client=client, context=visitor)],
    )
