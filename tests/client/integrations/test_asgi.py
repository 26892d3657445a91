"""Flags in ASGI applications: bare ones, Starlette's and FastAPI's."""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI, Request
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from tests.client.integrations.flags import BLUE, HALF, PREMIUM, client_of, endings, uses
from tests.support.server import running
from tests.support.waiting import until
from wigwag import Context, FlagClient, Source, WatchedFlags, WigwagError
from wigwag.integrations import asgi
from wigwag.integrations.fastapi import RequestFlags, flag_gate, request_flags
from wigwag.integrations.starlette import FlagsMiddleware, lifespan, requires_flag
from wigwag_proto.flag import Kill


def http_of(app: Any, *, raises: bool = True) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=raises)
    return httpx.AsyncClient(transport=transport, base_url="http://app")


def of_headers(connection: HTTPConnection) -> Context:
    return Context(connection.headers.get("X-User"), plan=connection.headers.get("X-Plan"))


def starlette_app(client: FlagClient, *routes: Any, **options: Any) -> Starlette:
    given = {"client": client, "context": of_headers, **options}
    return Starlette(routes=list(routes), middleware=[Middleware(FlagsMiddleware, **given)])


async def page(request: Request) -> Response:
    return JSONResponse(request.state.flags.is_enabled("f"))


# A bare application


def of_scope(scope: asgi.Scope) -> Mapping[str, Any]:
    return {"plan": dict(scope["headers"]).get(b"x-plan", b"").decode()}


async def bare(scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
    flags: WatchedFlags = scope["state"]["flags"]
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": json.dumps(flags.is_enabled("f")).encode()})


async def test_an_application_without_a_framework_has_its_flags_in_the_state_of_the_scope() -> None:
    client = client_of(f=PREMIUM)
    async with http_of(asgi.FlagsMiddleware(bare, client, context=of_scope)) as http:
        assert (await http.get("/", headers={"X-Plan": "premium"})).json() is True
        assert (await http.get("/", headers={"X-Plan": "free"})).json() is False
    assert endings(client) == {("f", True): (1, 0, 0), ("f", False): (1, 0, 0)}
    assert uses(client) == {"f": 2}


async def test_the_state_that_a_server_shares_between_requests_is_left_alone() -> None:
    shared = {"db": "open"}
    seen: list[Any] = []

    async def app(scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        seen.append(dict(scope["state"]))

    async def nothing(*_: Any) -> Any:
        return None

    given: asgi.Scope = {"type": "http", "state": shared}
    await asgi.FlagsMiddleware(app, client_of())(given, nothing, nothing)
    assert shared == {"db": "open"}
    assert given == {"type": "http", "state": shared}
    assert seen[0].keys() == {"db", "flags"}


async def test_other_scopes_pass_through() -> None:
    seen: list[str] = []

    async def app(scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        seen.append(f"{scope['type']} {'state' in scope}")

    async def nothing(*_: Any) -> Any:
        return None

    await asgi.FlagsMiddleware(app, client_of())({"type": "lifespan"}, nothing, nothing)
    assert seen == ["lifespan False"]


def test_without_the_middleware_it_is_said_what_is_missing() -> None:
    for request in ({}, {"state": {}}, {"state": {"flags": 1}}, object(), None):
        with pytest.raises(WigwagError, match="FlagsMiddleware"):
            asgi.flags_of(request)


async def test_a_lifespan_for_an_application_that_has_none() -> None:
    client = client_of()
    events = iter(["lifespan.startup", "lifespan.shutdown"])
    sent: list[tuple[str, bool]] = []

    async def receive() -> asgi.Message:
        return {"type": next(events)}

    async def send(message: asgi.Message) -> None:
        sent.append((message["type"], client._feed.loop is not None))

    await asgi.ClientLifespan(bare, client)({"type": "lifespan"}, receive, send)
    assert sent == [("lifespan.startup.complete", True), ("lifespan.shutdown.complete", False)]


# Starlette


async def test_the_lifespan_starts_and_stops_the_client_and_runs_the_apps_own(tmp_path: Path) -> None:
    async with running(f"sqlite:{tmp_path}/wigwag.db") as server:
        await server.put("f", enabled=True)
        client = server.client()
        order: list[str] = []

        @asynccontextmanager
        async def own(app: Starlette) -> AsyncGenerator[Mapping[str, Any]]:
            order.append(f"app, flags by {client.status.source}")
            yield {"db": "open"}
            order.append(f"app ends, flags by {client.status.source}")

        app = starlette_app(client, Route("/", page))
        async with lifespan(client, own)(app) as state:
            assert state == {"db": "open"}
            async with http_of(app) as http:
                assert (await http.get("/")).json() is True
                await server.kill("f")
                await until(lambda: not client.is_enabled("f"), "the kill")
                assert (await http.get("/")).json() is False
        assert order == ["app, flags by stream", "app ends, flags by stream"]
        assert client._feed.loop is None
        async with lifespan(client)(app) as state:
            assert state is None
            assert client.status.source is Source.STREAM


async def test_concurrent_requests_never_see_each_others_context() -> None:
    async def slow(request: Request) -> Response:
        found = []
        for _ in range(5):
            await asyncio.sleep(0)
            found.append(request.state.flags.is_enabled("f"))
        return JSONResponse(found)

    async with http_of(starlette_app(client_of(f=PREMIUM), Route("/", slow))) as http:

        async def ask(plan: str) -> None:
            assert (await http.get("/", headers={"X-Plan": plan})).json() == [plan == "premium"] * 5

        await asyncio.gather(*(ask("premium" if n % 2 else "free") for n in range(60)))


async def test_the_context_may_be_async_and_its_failure_is_an_empty_one(caplog: pytest.LogCaptureFixture) -> None:
    async def context(connection: HTTPConnection) -> Context:
        await asyncio.sleep(0)
        return Context(connection.headers["X-User"])  # KeyError without

    async def both(request: Request) -> Response:
        flags = request.state.flags
        return JSONResponse([flags.is_enabled("on"), flags.explain("half").reason.value])

    app = starlette_app(client_of(on=True, half=HALF), Route("/", both), context=context)
    async with http_of(app) as http:
        assert (await http.get("/", headers={"X-User": "u"})).json() == [True, "ROLLOUT"]
        assert (await http.get("/")).json() == [True, "NO_BUCKET_KEY"]
    assert "the context failed" in caplog.text


async def test_the_outcome_of_a_request_is_counted_for_the_flags_that_decided() -> None:
    def ends(outcome: Any) -> Any:
        async def endpoint(request: Request) -> Response:
            request.state.flags.is_enabled("f")
            if isinstance(outcome, BaseException):
                raise outcome
            return Response(status_code=outcome)

        return endpoint

    client = client_of(f=True, unasked=True)
    for outcome, status, counted in (
        (204, 204, (1, 0, 0)),
        (404, 404, (1, 0, 0)),
        (503, 503, (0, 1, 0)),
        (ZeroDivisionError(), 500, (0, 1, 0)),
    ):
        async with http_of(starlette_app(client, Route("/", ends(outcome))), raises=False) as http:
            assert (await http.get("/")).status_code == status
        assert endings(client) == {("f", True): counted}
    asking = asyncio.create_task(http_of(starlette_app(client, Route("/", ends(asyncio.CancelledError())))).get("/"))
    await asyncio.wait({asking})
    assert endings(client) == {("f", True): (0, 0, 1)}


async def test_a_stream_counts_the_time_until_it_began() -> None:
    client = client_of(f=True)
    now = [0.0]
    client._monotonic = lambda: now[0]

    async def app(scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        scope["state"]["flags"].is_enabled("f")
        now[0] += 0.2
        await send({"type": "http.response.start", "status": 200})
        now[0] += 100
        await send({"type": "http.response.body", "body": b""})

    async with http_of(asgi.FlagsMiddleware(app, client)) as http:
        await http.get("/")
    (row,) = client._ruleset.drain_runs()
    assert round(row.seconds, 6) == 0.2


class Socket:
    """The other side of a web socket: what it is sent, and what it says next."""

    def __init__(self, app: Any, path: str, **headers: str) -> None:
        self.said: asyncio.Queue[Any] = asyncio.Queue()
        self.heard: asyncio.Queue[Any] = asyncio.Queue()
        raw = [(name.replace("_", "-").lower().encode(), value.encode()) for name, value in headers.items()]
        scope = {"type": "websocket", "path": path, "headers": raw, "query_string": b"", "subprotocols": []}
        self.said.put_nowait({"type": "websocket.connect"})
        self.task = asyncio.create_task(app(scope, self.said.get, self.heard.put))

    async def ask(self) -> Any:
        self.said.put_nowait({"type": "websocket.receive", "text": "?"})
        return json.loads((await self.heard.get())["text"])


async def ask_and_tell(websocket: WebSocket) -> None:
    await websocket.accept()
    async for _ in websocket.iter_text():
        await websocket.send_json(websocket.state.flags.is_enabled("f"))


async def test_a_web_socket_keeps_its_flags_and_sees_kills() -> None:
    client = client_of(f=True)
    socket = Socket(starlette_app(client, WebSocketRoute("/", ask_and_tell)), "/")
    assert (await socket.heard.get())["type"] == "websocket.accept"
    assert await socket.ask() is True
    client._ruleset.load({"flag": {"f": {}}}, 99)
    assert await socket.ask() is True
    client._ruleset.kill_out_of_band({"f": Kill(by="ops", at=0)})
    assert await socket.ask() is False
    socket.said.put_nowait({"type": "websocket.disconnect", "code": 1000})
    await socket.task
    assert endings(client) == {("f", True): (1, 0, 0)}


# Gates


@requires_flag("beta")
async def beta(request: Request) -> Response:
    return PlainTextResponse("beta")


@requires_flag("beta")
def beta_in_a_thread(request: Request) -> Response:
    return PlainTextResponse("beta")


@requires_flag("beta", redirect="/waiting-list")
async def invited(request: Request) -> Response:
    return PlainTextResponse("beta")


class Endpoint(HTTPEndpoint):
    @requires_flag("beta")
    async def get(self, request: Request) -> Response:
        return PlainTextResponse("beta" if request.method == "GET" else "?")


def fastapi_app(client: FlagClient) -> FastAPI:
    app = FastAPI()
    app.add_middleware(FlagsMiddleware, client=client, context=of_headers)

    @app.get("/beta")
    @requires_flag("beta")
    async def without_request(n: int = 1) -> str:
        return "beta" * n

    @app.get("/thread")
    @requires_flag("beta")
    def with_request(request: Request, n: int = 1) -> str:
        assert request.url.path == "/thread"
        return "beta" * n

    @app.get("/invited")
    @requires_flag("beta", redirect="/waiting-list")
    async def with_flags(flags: RequestFlags, **_: Any) -> str:
        return "beta" if flags.is_enabled("beta") else "?"

    router = APIRouter(prefix="/router", dependencies=[flag_gate("beta")])

    @router.get("/")
    async def in_router(n: int = 1) -> str:
        return "beta" * n

    app.include_router(router)
    return app


async def test_a_gate_opens_a_starlette_route_to_those_for_whom_the_flag_is_on() -> None:
    routes = [Route("/beta", beta), Route("/thread", beta_in_a_thread), Route("/class", Endpoint)]
    client = client_of(beta=PREMIUM)
    async with http_of(starlette_app(client, *routes, Route("/invited", invited))) as http:
        absent = (await http.get("/no-such-route")).text
        for path in ("/beta", "/thread", "/class"):
            assert (await http.get(path, headers={"X-Plan": "premium"})).text == "beta"
            closed = await http.get(path)
            assert (closed.status_code, closed.text) == (404, absent)
        sent = await http.get("/invited")
        assert (sent.status_code, sent.headers["Location"]) == (302, "/waiting-list")
        assert (await http.get("/invited", headers={"X-Plan": "premium"})).text == "beta"
    assert endings(client) == {("beta", True): (4, 0, 0), ("beta", False): (4, 0, 0)}


async def test_a_gate_opens_a_fastapi_route_whatever_its_parameters() -> None:
    async with http_of(app := fastapi_app(client_of(beta=PREMIUM))) as http:
        for path in ("/beta", "/thread", "/router/"):
            assert (await http.get(path, params={"n": 2}, headers={"X-Plan": "premium"})).json() == "betabeta"
            assert (await http.get(path)).status_code == 404
        assert (await http.get("/router/", params={"n": "no number"})).status_code == 404
        assert (await http.get("/invited?_=1")).headers["Location"] == "/waiting-list"
        assert (await http.get("/invited?_=1", headers={"X-Plan": "premium"})).json() == "beta"
        for path in ("/beta", "/thread"):
            parameters = app.openapi()["paths"][path]["get"]["parameters"]
            assert [each["name"] for each in parameters] == ["n"]


async def test_a_gate_before_a_web_socket_does_not_accept_it() -> None:
    @requires_flag("beta")
    async def gated(websocket: WebSocket) -> None:
        await ask_and_tell(websocket)

    app = starlette_app(client_of(beta=PREMIUM, f=True), WebSocketRoute("/", gated))
    closed = Socket(app, "/")
    assert (await closed.heard.get())["type"] == "websocket.close"
    await closed.task
    opened = Socket(app, "/", X_Plan="premium")
    assert (await opened.heard.get())["type"] == "websocket.accept"
    assert await opened.ask() is True
    opened.said.put_nowait({"type": "websocket.disconnect", "code": 1000})
    await opened.task


def test_a_gate_on_a_class_says_where_it_belongs() -> None:
    with pytest.raises(TypeError, match="methods"):
        requires_flag("beta")(Endpoint)


async def test_fastapi_hands_the_flags_of_the_request_to_an_endpoint() -> None:
    app = FastAPI()
    app.add_middleware(FlagsMiddleware, client=client_of(f=PREMIUM), context=of_headers)

    @app.get("/short")
    async def short(flags: RequestFlags) -> bool:
        return flags.is_enabled("f")

    @app.get("/long")
    def long(flags: Annotated[WatchedFlags, Depends(request_flags)]) -> bool:
        return flags.is_enabled("f")

    async with http_of(app) as http:
        for path in ("/short", "/long"):
            assert (await http.get(path, headers={"X-Plan": "premium"})).json() is True
            assert (await http.get(path)).json() is False


# The header


async def several(request: Request) -> Response:
    for key in ("f", "nope\r\nSet-Cookie: a=b", "blue"):
        request.state.flags.variant(key)
    return Response(headers={"X-Own": "kept"})


async def test_decisions_are_shown_to_the_trusted_alone() -> None:
    def trusts(connection: HTTPConnection) -> bool:
        return connection.headers["X-Secret"] == "s"  # KeyError without

    client = client_of(f=True, blue=BLUE)
    async with http_of(starlette_app(client, Route("/", several), show_decisions=trusts)) as http:
        assert "Wigwag-Decisions" not in (await http.get("/")).headers
        assert "Wigwag-Decisions" not in (await http.get("/", headers={"X-Secret": "x"})).headers
        answer = await http.get("/", headers={"X-Secret": "s"})
        assert answer.headers["X-Own"] == "kept"
        assert answer.headers["Wigwag-Decisions"] == (
            "f=on;reason=STATIC, nope%0D%0ASet-Cookie%3A%20a%3Db=default;reason=UNKNOWN_FLAG, "
            "blue=on;reason=STATIC;variant=blue%2C%20or%0D%0Anot"
        )
    async with http_of(starlette_app(client, Route("/", several))) as http:
        assert "Wigwag-Decisions" not in (await http.get("/", headers={"X-Secret": "s"})).headers
