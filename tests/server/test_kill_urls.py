"""Several kills at once, and the URL that alerting systems call."""

import time
from pathlib import Path
from typing import Any

import pytest

from tests.server.test_admin_flags import is_problem
from tests.server.test_alerts import ALERTMANAGER, PAGERDUTY
from tests.server.test_operations import token_of
from tests.support.redis_server import RedisServer
from tests.support.server import Answer, Server, running
from wigwag_server.auth.keys import Key, KeyKind, PutKeys, hash_token, new_token
from wigwag_server.auth.rights import Role


async def hook(server: Server, *flags: str, environment: str = "production", expires_at: int | None = None) -> str:
    token = new_token(KeyKind.HOOK)
    key = Key(
        id=f"hook{len(server.services.keys.all)}",
        kind=KeyKind.HOOK,
        name="alertmanager",
        hash=hash_token(token),
        environment=environment,
        flags=flags,
        created_at=0,
        expires_at=expires_at,
    )
    await server.services.system.commit(PutKeys((key,)))
    return token


async def call(server: Server, token: str, body: Any = None, query: str = "") -> Answer:
    return await server.ask("POST", f"/v1/kill{query}", token=token, json=body)


async def killed(server: Server) -> list[str]:
    return [flag["key"] for flag in (await server.ask("GET", "/admin/flags?state=killed")).body["flags"]]


@pytest.fixture
async def shop(server: Server) -> Server:
    for key, tags in {"pay.card": ["payments"], "pay.paypal": ["payments"], "search": [], "login": ["auth"]}.items():
        await server.put(key, enabled=True, tags=tags)
    return server


@pytest.mark.parametrize(
    ("selection", "found"),
    [
        ({"keys": ["search", "search"]}, ["search"]),
        ({"tags": ["payments", "auth"]}, ["login", "pay.card", "pay.paypal"]),
        ({"pattern": "pay.*"}, ["pay.card", "pay.paypal"]),
        ({"pattern": "*"}, ["login", "pay.card", "pay.paypal", "search"]),
        ({"pattern": "pay.c*", "tags": ["auth"], "keys": ["search"]}, ["login", "pay.card", "search"]),
    ],
)
async def test_what_keys_tags_and_a_pattern_name_is_killed_in_one_revision(
    shop: Server, selection: dict[str, Any], found: list[str]
) -> None:
    until = round(time.time() * 1000) + 3_600_000
    trial = await shop.ask("POST", "/admin/kill", json={**selection, "dryRun": True})
    assert (trial.status, sorted(each["key"] for each in trial.body["changes"])) == (200, found)
    assert await killed(shop) == []
    done = await shop.ask("POST", "/admin/kill", json={**selection, "reason": "fire", "until": until})
    assert done.status == 200
    assert sorted(flag["key"] for flag in done.body["flags"]) == found
    assert {flag["revision"] for flag in done.body["flags"]} == {5}
    kill = done.body["flags"][0]["kill"]
    assert (kill["by"], kill["reason"], kill["until"]) == ("bootstrap", "fire", until)
    assert await killed(shop) == found


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"pattern": "nope*"}, 404, "No flag matches"),
        ({"tags": ["payments", "nope"]}, 404, "auth, payments"),
        ({"keys": ["search", "serch"]}, 404, "Did you mean search"),
        ({"pattern": 5}, 422, "/pattern"),
        ({"pattern": "*" * 129}, 422, "/pattern"),
        ({"patern": "*"}, 422, "pattern"),
        ({}, 422, "keys, tags or a pattern"),
        ({"pattern": ""}, 422, "keys, tags or a pattern"),
        ({"keys": ["search"], "dryRun": "yes"}, 422, "/dryRun"),
        ({"keys": "search"}, 422, "/keys"),
        ({"keys": ["search"], "comment": 5}, 422, "/comment"),
    ],
)
async def test_a_kill_that_is_not_understood_kills_nothing(shop: Server, body: Any, status: int, words: str) -> None:
    is_problem(await shop.ask("POST", "/admin/kill", json=body), status, words)
    assert await killed(shop) == []


async def test_an_operator_may_kill_and_nothing_else(shop: Server) -> None:
    token = await token_of(shop, Role.OPERATOR)
    assert (await shop.ask("POST", "/admin/kill", token=token, json={"pattern": "pay.*"})).status == 200
    assert (await shop.ask("POST", "/admin/flags/search/kill", token=token)).status == 200
    for method, path in (
        ("POST", "/admin/flags/search/revive"),
        ("POST", "/admin/flags/search"),
        ("PATCH", "/admin/flags/search"),
        ("DELETE", "/admin/flags/search?confirm=search"),
        ("POST", "/admin/flags/search/revert/1"),
        ("POST", "/admin/segments/staff"),
    ):
        is_problem(await shop.ask(method, path, token=token, json={}), 403, "editor")
    assert await killed(shop) == ["pay.card", "pay.paypal", "search"]


async def test_an_alert_kills_what_its_key_names(shop: Server) -> None:
    token = await hook(shop, "pay.card", "pay.paypal", "gone")
    done = await call(shop, token, ALERTMANAGER)
    assert done.status == 200
    assert done.body["killed"] == ["pay.card", "pay.paypal"]
    assert (done.body["missing"], done.body["alreadyKilled"]) == (["gone"], [])
    assert done.body["reason"] == "HighErrorRate: 5xx above 5 % for 2 minutes"
    flag = (await shop.ask("GET", "/admin/flags/pay.card")).body
    assert (flag["kill"]["by"], flag["kill"]["reason"]) == ("alertmanager", done.body["reason"])
    told = (await shop.ask("GET", "/admin/flags/pay.card/history?limit=1")).body["history"][0]
    assert (told["by"], told["comment"], told["action"]) == ("alertmanager", done.body["reason"], "flag.kill")
    # Sent again, it does not hide who killed it first, nor make a revision.
    again = await call(shop, token, {"reason": "again"})
    assert (again.body["killed"], again.body["alreadyKilled"]) == ([], ["pay.card", "pay.paypal"])
    assert (await shop.ask("GET", "/admin/flags/pay.card")).body == flag
    # But a kill that ends by itself is made to last.
    await shop.ask("POST", "/admin/flags/pay.card/kill", json={"until": "2199-01-31T12:00:00Z"})
    assert (await call(shop, token)).body["killed"] == ["pay.card"]
    assert (await shop.ask("GET", "/admin/flags/pay.card")).body["kill"]["until"] is None


async def test_the_end_of_an_alert_neither_kills_nor_revives(shop: Server) -> None:
    token = await hook(shop, "search")
    assert (await call(shop, token, {**ALERTMANAGER, "status": "resolved"})).body["killed"] == []
    assert await killed(shop) == []
    await call(shop, token, PAGERDUTY)
    assert (await call(shop, token, {**ALERTMANAGER, "status": "resolved"})).status == 200
    assert await killed(shop) == ["search"]


@pytest.mark.parametrize("data", [b"", b"  ", b"not json", b"\xff\0", b"[" * 5000, b'"text"', b"[1]", b"null", b"{}"])
async def test_whatever_an_alert_sends_it_kills(embedded: Server, data: bytes) -> None:
    await embedded.put("search", enabled=True)
    token = await hook(embedded, "search")
    answer = await embedded.ask("POST", "/v1/kill", token=token, data=data, headers={"Content-Type": "text/odd"})
    assert answer.body["killed"] == ["search"]


async def test_an_alert_may_ask_for_some_of_its_flags_and_for_no_other(shop: Server) -> None:
    token = await hook(shop, "pay.card", "pay.paypal", "pay.cash", "login")
    assert (await call(shop, token, {}, "?flag=login&flag=pay.card")).body["killed"] == ["login", "pay.card"]
    is_problem(await call(shop, token, {}, "?flag=search"), 403, "'search' is not among them", "pay.paypal")
    is_problem(await call(shop, token, {}, "?flag=pay.cash"), 404, "pay.cash")
    is_problem(await call(shop, token, {}, "?flags=search"), 422, "flag")
    is_problem(await call(shop, token, {}, "?environment=staging"), 422, "production")
    assert (await call(shop, token, {}, "?environment=production&flag=pay.paypal")).body["killed"] == ["pay.paypal"]
    assert "search" not in await killed(shop)


async def test_the_key_of_an_alert_opens_nothing_else(shop: Server) -> None:
    token = await hook(shop, "search")
    for method, path in (("GET", "/admin/flags"), ("POST", "/admin/kill"), ("GET", "/v1/snapshot")):
        is_problem(await shop.ask(method, path, token=token), 403, "hook")
    for other in (shop.key, None, "ww_hook_wrong"):
        answer = await shop.ask("POST", "/v1/kill", token=other)
        is_problem(answer, 403 if other == shop.key else 401)
    is_problem(await shop.ask("GET", "/v1/kill", token=token), 405)
    is_problem(await call(shop, await hook(shop, "search", expires_at=1)), 401, "expired")
    is_problem(await call(shop, await hook(shop, "search", environment="staging")), 404, "staging")
    is_problem(await call(shop, await hook(shop, "gone"), {}), 404, "gone")
    assert await killed(shop) == []


async def test_an_alert_kills_without_the_store_too(own_redis: RedisServer, tmp_path: Path) -> None:
    async with running(own_redis.url, data_dir=tmp_path / "data") as server:
        await server.put("search", enabled=True)
        token = await hook(server, "search")
        await own_redis.stop(hard=True)
        done = await call(server, token, ALERTMANAGER)
        assert done.status == 202
        assert done.body["emergency"]["keys"] == ["search"]
        assert done.body["emergency"]["by"] == "alertmanager"
        assert await killed(server) == ["search"]
