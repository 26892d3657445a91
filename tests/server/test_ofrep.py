"""OFREP as its clients meet it, and what a browser key never gets to see."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext
from openfeature.flag_evaluation import Reason

from tests.support.redis_server import RedisServer
from tests.support.server import Answer, Server, running
from wigwag_proto.sse import SseEvent, SseParser
from wigwag_server.app import build_app
from wigwag_server.ofrep import stream_tokens

ALL = "/ofrep/v1/evaluate/flags"
SECRET = "nobody-may-see-this"
PREMIUM = {"attribute": "plan", "operator": "equals", "value": "premium"}


@pytest.fixture
async def browser(server: Server) -> str:
    """A browser key, and flags of every sort."""
    await server.put("checkout", enabled=True, clientVisible=True, rules=[PREMIUM])
    await server.put(
        "colour",
        enabled=True,
        clientVisible=True,
        variants=[{"name": "warm", "weight": 1, "value": "red"}],
    )
    await server.put("price", enabled=True, clientVisible=True, variants=[{"name": "a", "weight": 1, "value": 1.0}])
    await server.put("half", enabled=True, clientVisible=True, rolloutPercentage=50)
    secret = {"attribute": "email", "operator": "equals", "value": SECRET}
    await server.put(
        "hidden", enabled=True, whitelist=[SECRET], rules=[secret], description=SECRET, owner=SECRET, tags=[SECRET]
    )
    segment = await server.ask("POST", "/admin/segments/staff", json={"include": [SECRET]})
    assert segment.status == 201
    in_staff = {"attribute": "userId", "operator": "inSegment", "value": "staff"}
    await server.put(
        "visible",
        enabled=True,
        clientVisible=True,
        whitelist=[SECRET],
        blacklist=[f"{SECRET}-2"],
        description=SECRET,
        owner=SECRET,
        tags=[SECRET],
        overrides=[{"name": SECRET, "rules": [in_staff]}],
        rules=[secret],
    )
    return await server.new_key("client")


async def evaluate(server: Server, token: str, key: str, **context: Any) -> Answer:
    return await server.ask("POST", f"{ALL}/{key}", token=token, json={"context": context})


async def evaluate_all(server: Server, token: str, etag: str = "", query: str = "", **context: Any) -> Answer:
    headers = {"If-None-Match": etag} if etag else {}
    return await server.ask("POST", ALL + query, token=token, headers=headers, json={"context": context})


async def test_one_flag_says_value_variant_reason_and_ours(server: Server, browser: str) -> None:
    on = (await evaluate(server, browser, "checkout", targetingKey="u1", plan="premium")).body
    assert (on["key"], on["value"], on["variant"], on["reason"]) == ("checkout", True, "on", "TARGETING_MATCH")
    assert on["metadata"]["wigwagReason"] == "RULE_MATCH"
    off = (await evaluate(server, browser, "checkout", targetingKey="u1")).body
    assert (off["value"], off["variant"], off["metadata"]["wigwagReason"]) == (False, "off", "RULE_MISMATCH")
    colour = (await evaluate(server, browser, "colour", targetingKey="u1")).body
    assert (colour["value"], colour["variant"], colour["reason"]) == ("red", "warm", "SPLIT")
    await server.kill("colour")
    killed = (await evaluate(server, browser, "colour", targetingKey="u1")).body
    assert "value" not in killed, "the code's default counts"
    assert (killed["reason"], killed["variant"], killed["metadata"]["wigwagReason"]) == ("DISABLED", "off", "KILLED")


async def test_a_float_keeps_its_point(server: Server, browser: str) -> None:
    url = f"{server.url}{ALL}/price"
    headers = {"Authorization": f"Bearer {browser}"}
    async with server.session.post(url, headers=headers, json={"context": {"targetingKey": "u"}}) as response:
        assert '"value":1.0' in await response.text()


async def test_errors_are_in_the_words_of_the_protocol(server: Server, browser: str) -> None:
    missing = await evaluate(server, browser, "nope")
    assert (missing.status, missing.body["errorCode"], missing.body["key"]) == (404, "FLAG_NOT_FOUND", "nope")
    for data, code in ((b"{", "PARSE_ERROR"), (b"[]", "INVALID_CONTEXT"), (b'{"context": 5}', "INVALID_CONTEXT")):
        wrong = await server.ask("POST", ALL, token=browser, data=data)
        assert (wrong.status, wrong.body["errorCode"]) == (400, code)
    large = await evaluate_all(server, browser, filler="x" * 70_000)
    assert (large.status, large.body["errorCode"]) == (413, "INVALID_CONTEXT")
    nobody = await server.ask("POST", ALL, token=None, json={})
    assert nobody.status == 401
    assert (await server.ask("POST", ALL, json={})).status == 403, "an admin token is no SDK key"
    for answer in (missing, wrong, large, nobody):
        assert answer.body["errorDetails"]
        assert answer.headers["Content-Type"].startswith("application/json")


@pytest.mark.parametrize("data", [b"", b"{}", b'{"context": null}', b'{"context": {}}'])
async def test_a_missing_context_is_an_empty_one(server: Server, browser: str, data: bytes) -> None:
    answer = await server.ask("POST", ALL, token=browser, data=data)
    found = {flag["key"]: flag for flag in answer.body["flags"]}
    assert found["half"]["metadata"]["wigwagReason"] == "NO_BUCKET_KEY"


async def test_a_key_may_also_stand_in_the_header_that_the_protocol_names(server: Server, browser: str) -> None:
    assert (await server.ask("POST", ALL, token=None, headers={"X-API-Key": browser}, json={})).status == 200


async def test_an_etag_is_of_the_decisions_and_the_context(server: Server, browser: str) -> None:
    first = await evaluate_all(server, browser, targetingKey="u1")
    etag = first.headers["ETag"]
    again = await evaluate_all(server, browser, etag, targetingKey="u1")
    assert (again.status, again.body, again.headers["ETag"]) == (304, None, etag)
    assert (await evaluate_all(server, browser, etag, targetingKey="u2")).status == 200
    await server.put("hidden", enabled=False)
    assert (await evaluate_all(server, browser, etag, targetingKey="u1")).status == 304
    await server.kill("checkout")
    assert (await evaluate_all(server, browser, etag, targetingKey="u1")).status == 200


async def test_a_browser_key_gets_only_what_it_may_see_and_a_server_key_everything(
    server: Server, browser: str
) -> None:
    seen = {flag["key"] for flag in (await evaluate_all(server, browser)).body["flags"]}
    assert seen == {"checkout", "colour", "price", "half", "visible"}
    assert (await evaluate(server, browser, "hidden")).status == 404
    everything = {flag["key"] for flag in (await evaluate_all(server, server.key)).body["flags"]}
    assert everything == seen | {"hidden"}


async def test_no_answer_to_a_browser_key_holds_rules_lists_or_other_users(server: Server, browser: str) -> None:
    app = build_app(server.services)
    said = b""
    for route in app.router.routes():
        path = route.resource.canonical if route.resource else ""
        for name in ("visible", "hidden"):
            url = server.url + path.replace("{name}", name).replace("{key}", name).replace("{path}", "flags")
            headers = {"Authorization": f"Bearer {browser}", "Origin": "https://shop.example"}
            request = server.session.request(route.method, url, headers=headers, json={})
            async with request as response:
                said += str(response.headers).encode()
                if response.content_type != "text/event-stream":
                    said += await response.read()
    assert b"wigwagReason" in said
    assert SECRET.encode() not in said
    assert b"staff" not in said


async def test_simple_front_ends_get_on_or_off(server: Server, browser: str) -> None:
    path = "/api/flags/checkout"
    assert (await server.ask("GET", f"{path}?plan=premium", token=browser)).body == {"enabled": True}
    assert (await server.ask("GET", f"{path}?plan=free&userId=u1", token=browser)).body == {"enabled": False}
    assert (await server.ask("GET", "/api/flags/hidden", token=browser)).status == 404
    assert (await server.ask("GET", path, token=None)).status == 401


# Event streams.


@asynccontextmanager
async def listening(server: Server, token: str) -> AsyncIterator[AsyncIterator[SseEvent]]:
    """Fetch all flags, open the stream that the answer names, and yield its events."""
    (stream,) = (await evaluate_all(server, token, targetingKey="u1")).body["eventStreams"]
    assert stream["type"] == "sse"
    async with server.session.get(server.url + stream["endpoint"]["requestUri"]) as response:
        assert response.status == 200
        assert response.content_type == "text/event-stream"

        async def read() -> AsyncIterator[SseEvent]:
            parser = SseParser()
            async for chunk in response.content.iter_any():
                for event in parser.feed(chunk):
                    yield event

        yield read()


async def next_event(events: AsyncIterator[SseEvent]) -> SseEvent:
    async with asyncio.timeout(10):
        return await anext(events)


async def test_a_stream_begins_with_a_fetch_and_asks_for_one_only_when_an_answer_may_differ(
    server: Server, browser: str
) -> None:
    async with listening(server, browser) as events, listening(server, server.key) as all_events:
        first = await next_event(events)
        assert first.event == "message"
        assert first.last_event_id
        assert json.loads(first.data)["type"] == "refetchEvaluation"
        await next_event(all_events)
        await server.put("hidden", enabled=False)  # not for browsers
        hidden = await next_event(all_events)
        await server.kill("checkout")
        told = json.loads((await next_event(events)).data)
        assert told["etag"] != json.loads(hidden.data)["etag"], "the browser was not told of the hidden flag"
        fresh = await evaluate_all(server, browser, query=f"?flagConfigEtag={told['etag']}", targetingKey="u1")
        found = {flag["key"]: flag for flag in fresh.body["flags"]}
        assert found["checkout"]["metadata"]["wigwagReason"] == "KILLED"


async def test_a_segment_behind_a_visible_flag_and_a_flag_that_vanishes_are_told(server: Server, browser: str) -> None:
    async with listening(server, browser) as events:
        await next_event(events)
        assert (await server.ask("POST", "/admin/segments/staff", json={"include": ["ann"]})).status == 200
        await next_event(events)
        await server.put("half", enabled=True, clientVisible=False)
        await next_event(events)


async def test_a_fetch_waits_for_the_change_that_it_was_told_of(redis_server: RedisServer, tmp_path: Path) -> None:
    async with running(redis_server.url, data_dir=tmp_path / "one") as one:
        await one.put("checkout", enabled=True, clientVisible=True)
        async with running(redis_server.url, data_dir=tmp_path / "two", key=one.key) as two:
            for number in range(5):
                answer = await one.ask("POST", "/admin/flags/checkout", json={"enabled": number % 2 == 0})
                cursor = answer.headers["Wigwag-Cursor"]
                fetched = await evaluate_all(two, one.key, query=f"?flagConfigEtag={cursor}")
                assert fetched.body["flags"][0]["value"] is (number % 2 == 0)
            ahead = cursor.replace(f":{answer.body['revision']}:", ":9999:")
            late = await evaluate_all(two, one.key, query=f"?flagConfigEtag={ahead}")
            assert late.status == 503
            assert "Retry-After" in late.headers
            assert (await evaluate_all(two, one.key, query="?flagConfigEtag=garbage")).status == 200


async def test_the_token_in_a_streams_url_opens_nothing_else_and_ends(server: Server, browser: str) -> None:
    key = server.services.keys.find(browser)
    assert key is not None
    (stream,) = (await evaluate_all(server, browser)).body["eventStreams"]
    uri = stream["endpoint"]["requestUri"]
    token = uri.partition("token=")[2]
    assert browser not in uri
    assert (await server.ask("POST", ALL, token=token, json={})).status == 401
    expired = stream_tokens.make_token(key, 1_000_000)
    other_end = token.replace(token.split(".")[1], str(int(token.split(".")[1]) + 3600))
    for wrong in ("", "x", expired, other_end, token[:-1], token + "0", "a.b.c"):
        answer = await server.ask("GET", f"/ofrep/v1/events?token={wrong}", token=None)
        assert answer.status == 401, wrong
        assert answer.body["errorDetails"]


def test_the_end_of_a_streams_url_moves_on_before_it_comes() -> None:
    now = 1_700_000_000.0
    ends = [stream_tokens.window_end(now + hours * 3600) for hours in range(3)]
    assert ends == [ends[0], ends[0] + 3600, ends[0] + 7200]
    assert ends[0] - now > stream_tokens.WINDOW_S


# Pages.


async def test_pages_of_other_origins_get_no_answer_that_they_could_read(tmp_path: Path) -> None:
    shop = "https://shop.example"
    async with running(f"sqlite:{tmp_path / 'flags.db'}", cors_origins=(shop,)) as server:
        await server.put("checkout", enabled=True, clientVisible=True)
        browser = await server.new_key("client")
        for path in (ALL, f"{ALL}/checkout"):
            before = await server.ask("OPTIONS", path, token=None, headers={"Origin": shop})
            assert before.status == 204
            assert before.headers["Access-Control-Allow-Origin"] == shop
            assert "Authorization" in before.headers["Access-Control-Allow-Headers"]
            answer = await server.ask("POST", path, token=browser, headers={"Origin": shop}, json={})
            assert answer.headers["Access-Control-Allow-Origin"] == shop
            assert "ETag" in answer.headers["Access-Control-Expose-Headers"]
            refused = await server.ask("POST", path, token="wrong", headers={"Origin": shop}, json={})
            assert refused.headers["Access-Control-Allow-Origin"] == shop
            other = await server.ask("POST", path, token=browser, headers={"Origin": "https://evil.example"}, json={})
            assert "Access-Control-Allow-Origin" not in other.headers
        admin = await server.ask("GET", "/admin/flags", headers={"Origin": shop})
        assert "Access-Control-Allow-Origin" not in admin.headers


async def test_the_provider_from_the_package_index_agrees(server: Server, browser: str) -> None:
    def ask() -> list[Any]:
        provider = OFREPProvider(server.url, headers_factory=lambda: {"Authorization": f"Bearer {browser}"})
        premium = EvaluationContext("u1", {"plan": "premium"})
        return [
            provider.resolve_boolean_details("checkout", False, premium),
            provider.resolve_boolean_details("checkout", True, EvaluationContext("u1")),
            provider.resolve_string_details("colour", "grey", premium),
            provider.resolve_float_details("price", 0.0, premium),
        ]

    on, off, colour, price = await asyncio.to_thread(ask)
    assert (on.value, on.variant, on.reason) == (True, "on", Reason.TARGETING_MATCH)
    assert off.value is False
    assert (colour.value, colour.variant, colour.reason) == ("red", "warm", Reason.SPLIT)
    assert (price.value, type(price.value)) == (1.0, float)
