"""An example: flags in an aiohttp application.

    WIGWAG_URL=http://127.0.0.1:8420 WIGWAG_KEY=ww_server_… python -m examples.aiohttp_app --port 8080
    curl -H 'X-User: ann' http://127.0.0.1:8080/

`setup` starts and stops the client with the app, and gives each request its flags: bound to who asks, and to one state
of all flags for as long as the request lasts.
"""

import argparse

from aiohttp import web

from wigwag import Context, FlagClient
from wigwag.integrations.aiohttp import requires_flag, setup


def visitor(request: web.Request) -> Context:
    """Say who asks. A real app takes this from its session."""
    return Context(request.headers.get("X-User"), plan=request.headers.get("X-Plan", "free"))


async def front_page(request: web.Request) -> web.Response:
    """Decide what this visitor gets."""
    return web.json_response({"new_checkout": request["flags"].is_enabled("new_checkout")})


@requires_flag("beta")
async def beta(request: web.Request) -> web.Response:
    """Be there only for whom the flag is on."""
    return web.json_response({"welcome": request.headers.get("X-User")})


def build_app() -> web.Application:
    """Put the app together. WIGWAG_URL and WIGWAG_KEY say where the flags are."""
    app = web.Application()
    setup(app, FlagClient(), context=visitor)
    app.router.add_get("/", front_page)
    app.router.add_get("/beta", beta)
    return app


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Flags in an aiohttp application.")
    parser.add_argument("--port", type=int, default=8080)
    web.run_app(build_app(), host="127.0.0.1", port=parser.parse_args().port, access_log=None)
