"""Flags in aiohttp applications, over real sockets."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestClient, TestServer

from tests.client.integrations.flags import BLUE, HALF, PREMIUM, client_of, endings, uses
from tests.support.server import running
from tests.support.waiting import until
from wigwag import Context, FlagClient, Source, WigwagError
from wigwag.integrations.aiohttp import CLIENT, flags_of, requires_flag, setup
from wigwag_proto.flag import Kill

Client = TestClient[web.Request, web.Application]


def of_headers(request: web.Request) -> Context:
    return Context(request.headers.get("X-User"), plan=request.headers.get("X-Plan"))


@asynccontextmanager
async def serving(
    client: FlagClient, *routes: web.RouteDef, middlewares: Any = (), **options: Any
) -> AsyncGenerator[Client]:
    app = web.Application(middlewares=middlewares)
    setup(app, client, **{"context": of_headers, **options})
    app.add_routes(routes)
    async with TestClient(TestServer(app)) as http:
        yield http


async def page(request: web.Request) -> web.Response:
    return web.json_response(request["flags"].is_enabled("f"))


def fails_with(error: Callable[[], BaseException]) -> Any:
    async def fails(request: web.Request) -> web.Response:
        request["flags"].is_enabled("f")
        raise error()

    return fails


async def test_the_client_starts_and_stops_with_the_app_and_a_kill_arrives(tmp_path: Path) -> None:
    async with running(f"sqlite:{tmp_path}/wigwag.db") as server:
        await server.put("f", enabled=True)
        client = server.client()
        async with serving(client, web.get("/", page)) as http:
            assert client.status.source is Source.STREAM
            assert http.app is not None
            assert http.app[CLIENT] is client
            assert await (await http.get("/")).json() is True
            await server.kill("f")
            await until(lambda: not client.is_enabled("f"), "the kill")
            assert await (await http.get("/")).json() is False
        assert client._feed.loop is None  # closed: a fresh run stands ready


async def test_the_context_is_made_once_a_request_and_may_be_async() -> None:
    made: list[str] = []

    async def context(request: web.Request) -> dict[str, Any]:
        made.append(request.path)
        await asyncio.sleep(0)
        return {"plan": request.headers["X-Plan"]}

    async def twice(request: web.Request) -> web.Response:
        flags = flags_of(request)
        return web.json_response([flags.is_enabled("f"), flags.is_enabled("f")])

    async with serving(client_of(f=PREMIUM), web.get("/", twice), context=context) as http:
        assert await (await http.get("/", headers={"X-Plan": "premium"})).json() == [True, True]
        assert await (await http.get("/", headers={"X-Plan": "free"})).json() == [False, False]
    assert made == ["/", "/"]


@pytest.mark.parametrize("broken", ["raises", "gives nonsense"])
async def test_a_context_that_cannot_be_made_is_an_empty_one(broken: str, caplog: pytest.LogCaptureFixture) -> None:
    def context(request: web.Request) -> Any:
        if broken == "raises":
            raise LookupError("no session")
        return 5

    async def both(request: web.Request) -> web.Response:
        return web.json_response([flags_of(request).is_enabled(key) for key in ("on", "half")])

    async with serving(client_of(on=True, half=HALF), web.get("/", both), context=context) as http:
        for _ in range(3):
            assert await (await http.get("/")).json() == [True, False]
    assert len([record for record in caplog.records if "the context failed" in record.getMessage()]) == 1


async def test_the_context_function_may_answer_itself() -> None:
    def context(request: web.Request) -> Context:
        raise web.HTTPUnauthorized

    async with serving(client_of(f=True), web.get("/", page), context=context) as http:
        assert (await http.get("/")).status == 401


async def test_two_look_ups_in_a_request_agree_though_the_flag_changes_between() -> None:
    client = FlagClient.from_dict({"f": True, "g": True})

    async def look(request: web.Request) -> web.Response:
        before = request["flags"].is_enabled("f"), request["flags"].is_enabled("g")
        client._ruleset.load({"flag": {"f": {}, "g": {"enabled": True}}}, 99)
        client._ruleset.kill_out_of_band({"g": Kill(by="ops", at=0)})
        return web.json_response([*before, request["flags"].is_enabled("f"), request["flags"].is_enabled("g")])

    async with serving(client, web.get("/", look)) as http:
        assert await (await http.get("/")).json() == [True, True, True, False]  # a kill shows through


async def test_concurrent_requests_never_see_each_others_context() -> None:
    async def slow(request: web.Request) -> web.Response:
        flags = request["flags"]
        found = [flags.explain("f").enabled]
        for _ in range(5):
            await asyncio.sleep(0)
            found.append(request["flags"].is_enabled("f"))
        return web.json_response(found)

    async with serving(client_of(f=PREMIUM), web.get("/", slow)) as http:

        async def ask(plan: str) -> None:
            answer = await http.get("/", headers={"X-Plan": plan})
            assert await answer.json() == [plan == "premium"] * 6

        await asyncio.gather(*(ask("premium" if n % 2 else "free") for n in range(60)))


@pytest.mark.parametrize(
    ("handler", "status", "counted"),
    [
        (page, 200, (1, 0, 0)),
        (fails_with(web.HTTPNotFound), 404, (1, 0, 0)),
        (fails_with(lambda: web.HTTPFound("/x")), 302, (1, 0, 0)),
        (fails_with(web.HTTPBadGateway), 502, (0, 1, 0)),
        (fails_with(ZeroDivisionError), 500, (0, 1, 0)),
    ],
)
async def test_the_outcome_of_a_request_is_counted_for_the_flags_that_decided(
    handler: Any, status: int, counted: tuple[int, ...]
) -> None:
    client = client_of(f=True, unasked=True)
    async with serving(client, web.get("/", handler)) as http:
        assert (await http.get("/", allow_redirects=False)).status == status
    assert endings(client) == {("f", True): counted}
    assert uses(client) == {"f": 1}


async def test_a_visitor_who_hangs_up_is_no_error_of_the_code() -> None:
    client = client_of(f=True)
    asked = asyncio.Event()

    async def hang(request: web.Request) -> web.Response:
        request["flags"].is_enabled("f")
        asked.set()
        await asyncio.Event().wait()
        return web.Response()

    app = web.Application()
    setup(app, client)
    app.router.add_get("/", hang)
    runner = web.AppRunner(app, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    async with ClientSession() as session:
        asking = asyncio.create_task(session.get(f"http://127.0.0.1:{runner.addresses[0][1]}/"))
        await asked.wait()
        asking.cancel()
        await asyncio.wait({asking})
    await until(lambda: client._ruleset.runs._rows != {}, "the run to be over")
    assert endings(client) == {("f", True): (0, 0, 1)}
    await runner.cleanup()


async def test_a_stream_counts_the_time_until_it_began() -> None:
    client = client_of(f=True)
    now = [0.0]
    client._monotonic = lambda: now[0]

    async def stream(request: web.Request) -> web.StreamResponse:
        request["flags"].is_enabled("f")
        now[0] += 0.2
        response = web.StreamResponse()
        await response.prepare(request)
        now[0] += 100
        await response.write(b"x")
        return response

    async with serving(client, web.get("/", stream)) as http:
        assert await (await http.get("/")).text() == "x"
    (row,) = client._ruleset.drain_runs()
    assert round(row.seconds, 6) == 0.2


async def test_a_web_socket_keeps_its_flags_and_sees_kills() -> None:
    client = client_of(f=True)

    async def socket(request: web.Request) -> web.WebSocketResponse:
        response = web.WebSocketResponse()
        await response.prepare(request)
        async for _ in response:
            await response.send_json(request["flags"].is_enabled("f"))
        return response

    async with serving(client, web.get("/", socket)) as http, http.ws_connect("/") as ws:
        await ws.send_str("?")
        assert await ws.receive_json() is True
        client._ruleset.load({"flag": {"f": {}}}, 99)
        await ws.send_str("?")
        assert await ws.receive_json() is True
        client._ruleset.kill_out_of_band({"f": Kill(by="ops", at=0)})
        await ws.send_str("?")
        assert await ws.receive_json() is False


# Gates


@requires_flag("beta")
async def beta(request: web.Request) -> web.Response:
    return web.Response(text="beta")


@requires_flag("beta", redirect="/waiting-list")
async def invited(request: web.Request) -> web.Response:
    return web.Response(text="beta")


class View(web.View):
    @requires_flag("beta")
    async def get(self) -> web.Response:
        return web.Response(text="view")


class Handlers:
    @requires_flag("beta")
    async def get(self, request: web.Request) -> web.Response:
        return web.Response(text="method" if request.path else "")


async def test_a_gate_opens_a_route_to_those_for_whom_the_flag_is_on() -> None:
    routes = (
        web.get("/beta", beta),
        web.get("/invited", invited),
        web.get("/view", View),
        web.get("/method", Handlers().get),
    )
    client = client_of(beta=PREMIUM)
    async with serving(client, *routes) as http:
        for path, text in (("/beta", "beta"), ("/invited", "beta"), ("/view", "view"), ("/method", "method")):
            assert await (await http.get(path, headers={"X-Plan": "premium"})).text() == text
        assert endings(client) == {("beta", True): (4, 0, 0)}
        absent = await (await http.get("/no-such-route")).text()
        for path in ("/beta", "/view", "/method"):
            closed = await http.get(path)
            assert (closed.status, await closed.text()) == (404, absent)
        sent = await http.get("/invited", allow_redirects=False)
        assert (sent.status, sent.headers["Location"]) == (302, "/waiting-list")


def test_a_gate_on_a_class_says_where_it_belongs() -> None:
    with pytest.raises(TypeError, match="methods"):
        requires_flag("beta")(View)


async def test_without_set_up_a_gate_says_so() -> None:
    app = web.Application()
    app.router.add_get("/", beta)
    async with TestClient(TestServer(app)) as http:
        assert (await http.get("/")).status == 500


def test_setting_up_twice_is_refused() -> None:
    app = web.Application()
    setup(app, client_of())
    with pytest.raises(WigwagError, match="already"):
        setup(app, client_of())


# The header


async def several(request: web.Request) -> web.Response:
    for key in ("f", "off", "nope\r\nSet-Cookie: a=b", "blue"):
        request["flags"].variant(key)
    return web.Response()


async def test_decisions_are_shown_to_the_trusted_alone() -> None:
    def trusts(request: web.Request) -> bool:
        return request.headers.get("X-Secret") == "s"

    client = client_of(f=True, off=False, blue=BLUE)
    async with serving(client, web.get("/", several), show_decisions=trusts) as http:
        assert "Wigwag-Decisions" not in (await http.get("/")).headers
        answer = await http.get("/", headers={"X-Secret": "s"})
        assert answer.headers["Wigwag-Decisions"] == (
            "f=on;reason=STATIC, off=off;reason=DISABLED, "
            "nope%0D%0ASet-Cookie%3A%20a%3Db=default;reason=UNKNOWN_FLAG, "
            "blue=on;reason=STATIC;variant=blue%2C%20or%0D%0Anot"
        )
        assert "Set-Cookie" not in answer.headers
    async with serving(client, web.get("/", several)) as http:
        assert "Wigwag-Decisions" not in (await http.get("/", headers={"X-Secret": "s"})).headers


async def test_a_trust_that_fails_or_is_not_plainly_true_shows_nothing(caplog: pytest.LogCaptureFixture) -> None:
    for trusts in (lambda request: request["no such"], lambda request: request.path):
        async with serving(client_of(f=True), web.get("/", several), show_decisions=trusts) as http:
            answer = await http.get("/")
            assert (answer.status, answer.headers.get("Wigwag-Decisions")) == (200, None)
    assert "show_decisions failed" in caplog.text


async def test_the_header_has_an_end() -> None:
    async def many(request: web.Request) -> web.Response:
        for n in range(500):
            request["flags"].is_enabled(f"flag-{n}")
        return web.Response()

    async with serving(client_of(), web.get("/", many), show_decisions=lambda _: True) as http:
        shown = (await http.get("/")).headers["Wigwag-Decisions"]
    assert len(shown) < 4200
    assert shown.endswith(", cut")
