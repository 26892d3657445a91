"""What the middleware adds to a request, beside the bare app.

    python -m bench.integrations [--json] [--rounds 60]

Each app answers a constant, without flags and with 0, 1 and 5 of them asked in the handler. The apps are called
directly, without sockets, in rounds that take turns; a figure is the median of the rounds. Beside them stands one
whole request to the bare aiohttp app, over a loopback connection that is kept open: what the added time is to be
compared with. The client goes by 1,000 flags in memory; nothing here waits for a network.
"""

import argparse
import asyncio
import gc
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any
from unittest import mock

from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import Route

from bench import harness
from wigwag import Context, FlagClient
from wigwag.integrations import asgi, starlette
from wigwag.integrations.aiohttp import setup

ASKED = [f"asked-{n}" for n in range(5)]
PER_ROUND = 200
FRAMEWORKS = ("aiohttp", "ASGI", "Starlette")
COLUMNS = ("bare", "no flag", "1 flag", "5 flags")

Call = Callable[[], Awaitable[Any]]


def client() -> FlagClient:
    """Return a client with 1,000 flags; those that are asked have a rule and a rollout."""
    asked = {
        "enabled": True,
        "rules": [{"attribute": "plan", "operator": "equals", "value": "premium"}],
        "rolloutPercentage": 50,
    }
    flags = {f"other-{n}": {"enabled": n % 2 == 0} for n in range(1000 - len(ASKED))}
    return FlagClient.from_dict({**flags, **dict.fromkeys(ASKED, asked)})


# The apps, each as something to await for one request. `asks` None: the app has no middleware.


def aiohttp_call(asks: int | None) -> Call:
    """Return a call of aiohttp's application, with the hook that runs before the headers go out."""
    keys = ASKED[: asks or 0]

    async def handler(request: web.Request) -> web.Response:
        for key in keys:
            request["flags"].is_enabled(key)
        return web.Response(text="ok")

    app = web.Application()
    if asks is not None:
        setup(app, client(), context=lambda request: Context(request.headers["X-User"], plan="premium"))
    app.router.add_get("/", handler)
    app.freeze()
    made = make_mocked_request("GET", "/", {"X-User": "u1"}, app=app, transport=mock.Mock())

    async def call() -> None:
        response = await app._handle(made)  # noqa: SLF001  # what aiohttp's server calls for a request
        await made._prepare_hook(response)  # noqa: SLF001  # and before the headers

    return call


async def bare_asgi(scope: Any, receive: Any, send: Any) -> None:  # noqa: ARG001  # ASGI
    """Answer."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})


def asgi_call(asks: int | None) -> Call:
    """Return a call of an ASGI application without a framework."""
    keys = ASKED[: asks or 0]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for key in keys:
            scope["state"]["flags"].is_enabled(key)
        await bare_asgi(scope, receive, send)

    def context(scope: asgi.Scope) -> Context:
        return Context(dict(scope["headers"])[b"x-user"].decode(), plan="premium")

    return _called(app if asks is None else asgi.FlagsMiddleware(app, client(), context=context))


def starlette_call(asks: int | None) -> Call:
    """Return a call of a Starlette application."""
    keys = ASKED[: asks or 0]

    async def page(request: Request) -> Response:
        for key in keys:
            request.state.flags.is_enabled(key)
        return Response("ok")

    def context(connection: HTTPConnection) -> Context:
        return Context(connection.headers["x-user"], plan="premium")

    ours = Middleware(starlette.FlagsMiddleware, client=client(), context=context)
    return _called(Starlette(routes=[Route("/", page)], middleware=[] if asks is None else [ours]))


def _called(app: Any) -> Call:
    async def receive() -> Any:
        return {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:  # noqa: ARG001  # ASGI
        return None

    async def call() -> None:
        scope = {
            "type": "http",
            "method": "GET",
            "path": "/",
            "root_path": "",
            "query_string": b"",
            "headers": [(b"host", b"app"), (b"x-user", b"u1")],
        }
        await app(scope, receive, send)

    return call


# Measuring


async def whole_request(rounds: int) -> float:
    """Return the µs of one request to the bare aiohttp app over a loopback connection that is kept open."""

    async def handler(request: web.Request) -> web.Response:  # noqa: ARG001  # aiohttp
        return web.Response(text="ok")

    app = web.Application()
    app.router.add_get("/", handler)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    reader, writer = await asyncio.open_connection("127.0.0.1", runner.addresses[0][1])
    figures = []
    for _ in range(rounds):
        begun = time.perf_counter()
        for _ in range(PER_ROUND):
            writer.write(b"GET / HTTP/1.1\r\nHost: app\r\nX-User: u1\r\n\r\n")
            await reader.readuntil(b"\r\n\r\nok")
        figures.append((time.perf_counter() - begun) / PER_ROUND * 1e6)
    writer.close()
    await runner.cleanup()
    return statistics.median(figures)


async def one_round(call: Call) -> float:
    """Return the µs of one call, over a round."""
    begun = time.perf_counter()
    for _ in range(PER_ROUND):
        await call()
    return (time.perf_counter() - begun) / PER_ROUND * 1e6


async def measured(rounds: int) -> tuple[dict[str, list[float]], float]:
    """Return the µs of each framework, by column, and of a whole request."""
    makers = dict(zip(FRAMEWORKS, (aiohttp_call, asgi_call, starlette_call), strict=True))
    calls = [(name, make(asks)) for name, make in makers.items() for asks in (None, 0, 1, 5)]
    for _, call in calls:
        await one_round(call)
    gc.collect()
    gc.disable()
    try:
        taken = [[await one_round(call) for _, call in calls] for _ in range(rounds)]
        medians = [statistics.median(column) for column in zip(*taken, strict=True)]
        whole = await whole_request(max(5, rounds // 4))
    finally:
        gc.enable()
    figures: dict[str, list[float]] = {name: [] for name in FRAMEWORKS}
    for (name, _), median in zip(calls, medians, strict=True):
        figures[name].append(round(median, 2))
    return figures, round(whole, 1)


def main() -> None:
    """Run the benchmark and print it."""
    parser = argparse.ArgumentParser(description="What the middleware adds to a request.")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rounds", type=int, default=60)
    options = parser.parse_args(sys.argv[1:])
    core = harness.pin_to_one_core()
    figures, whole = asyncio.run(measured(options.rounds))
    result = harness.report(
        "integrations",
        packages=("wigwag", "aiohttp", "starlette"),
        unit="µs per request, median of the rounds",
        core=core,
        rounds=options.rounds,
        columns=COLUMNS,
        calls=figures,
        wholeRequest=whole,
    )
    harness.show(
        result,
        as_json=options.json,
        tables=[
            harness.table("µs per call of the app", ["", *COLUMNS], [[name, *row] for name, row in figures.items()]),
            harness.table(
                "added µs, and as a share of a whole aiohttp request over loopback",
                ["", *(name for column in COLUMNS[1:] for name in (column, "%"))],
                [
                    [name, *(cell for us in row[1:] for cell in (us - row[0], 100 * (us - row[0]) / whole))]
                    for name, row in figures.items()
                ],
                caption=f"a whole request: {whole} µs",
            ),
        ],
    )


if __name__ == "__main__":
    main()
