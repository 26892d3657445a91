"""An example: a shop whose front page asks three flags on every request.

    WIGWAG_URL=http://127.0.0.1:8420 WIGWAG_KEY=ww_server_… python -m examples.shop --port 8080
    curl 'http://127.0.0.1:8080/?user=user_123&plan=premium&beta=true'

One `FlagClient` serves the whole process. A look-up asks nobody: it decides in memory, by flags that the server
pushes here whenever somebody changes one.
"""

import argparse
import socket
from collections.abc import AsyncIterator

from aiohttp import web

from wigwag import Context, FlagClient

FLAGS = web.AppKey("flags", FlagClient)


async def flag_client(app: web.Application) -> AsyncIterator[None]:
    """Follow the flags for as long as the app runs. WIGWAG_URL and WIGWAG_KEY say which."""
    async with FlagClient() as flags:
        app[FLAGS] = flags
        yield


def visitor(request: web.Request) -> Context:
    """Say who asks. A real shop takes this from its session; here the query or headers tell."""
    query, headers = request.query, request.headers
    return Context(
        query.get("user", headers.get("X-User-Id")),
        plan=query.get("plan", headers.get("X-Plan", "free")),
        betaTester=query.get("beta", headers.get("X-Beta-Tester")) == "true",
    )


async def front_page(request: web.Request) -> web.Response:
    """Decide what this visitor gets."""
    flags, who = request.app[FLAGS], visitor(request)
    page = {
        "new_recommendation_algorithm": flags.is_enabled("new_recommendation_algorithm", who),
        "advanced_analytics": flags.is_enabled("advanced_analytics", who),
        "experimental_feature": flags.is_enabled("experimental_feature", who),
    }
    return web.json_response(page)


def build_app() -> web.Application:
    """Put the shop together."""
    app = web.Application()
    app.cleanup_ctx.append(flag_client)
    app.router.add_get("/", front_page)
    return app


def main() -> None:
    """Serve the shop on loopback; port 0 takes any free one."""
    parser = argparse.ArgumentParser(description="A shop that asks feature flags.")
    parser.add_argument("--port", type=int, default=8080)
    listening = socket.create_server(("127.0.0.1", parser.parse_args().port))
    web.run_app(build_app(), sock=listening, access_log=None)


if __name__ == "__main__":
    main()
