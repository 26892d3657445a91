"""What operators do to flags over HTTP, and what they are told when they get it wrong."""

import asyncio
import time
from io import BytesIO
from typing import Any

import pytest

from tests.support.server import Answer, Server
from tests.support.waiting import until

BODY = {
    "enabled": True,
    "rolloutPercentage": 10,
    "whitelist": ["user_123"],
    "blacklist": [],
    "killSwitch": False,
    "rules": [{"attribute": "plan", "operator": "equals", "value": "premium"}],
}


def is_problem(answer: Answer, status: int, *words: str) -> None:
    assert answer.status == status, answer
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert answer.body["status"] == status
    assert answer.body["title"]
    said = str(answer.body)
    for word in words:
        assert word in said, (word, said)


async def test_a_flag_is_created_read_replaced_listed_and_deleted(server: Server) -> None:
    created = await server.ask("POST", "/admin/flags/checkout", json=BODY)
    assert created.status == 201
    assert created.body["rolloutPercentage"] == 10
    assert created.body["kill"] is None
    assert created.body["revision"] == 1
    assert (await server.ask("GET", "/admin/flags/checkout")).body == created.body
    replaced = await server.ask("POST", "/admin/flags/checkout", json={"enabled": True})
    assert replaced.status == 200
    assert replaced.body["whitelist"] == []
    assert replaced.body["createdAt"] == created.body["createdAt"]
    assert replaced.body["revision"] == 2
    listed = await server.ask("GET", "/admin/flags")
    assert [flag["key"] for flag in listed.body["flags"]] == ["checkout"]
    assert (await server.ask("DELETE", "/admin/flags/checkout?confirm=checkout")).status == 204
    is_problem(await server.ask("GET", "/admin/flags/checkout"), 404)


async def test_what_was_read_can_be_sent_back(server: Server) -> None:
    flag = await server.put("checkout", **BODY)
    again = await server.put("checkout", **{**flag, "description": "new"})
    assert again["description"] == "new"
    assert again["rules"] == flag["rules"]


async def test_a_kill_needs_no_body_and_leaves_the_configuration_alone(server: Server) -> None:
    before = await server.put("checkout", **BODY)
    killed = await server.kill("checkout")
    assert killed["kill"]["by"] == "bootstrap"
    assert killed["rules"] == before["rules"]
    revived = await server.revive("checkout")
    own = {"updatedAt", "revision"}
    assert {k: v for k, v in revived.items() if k not in own} == {k: v for k, v in before.items() if k not in own}


@pytest.mark.parametrize("options", [{"json": {"reason": "payments fail"}}, {"data": '{"reason": "payments fail"}'}])
async def test_a_kill_carries_its_reason(server: Server, options: Any) -> None:
    await server.put("checkout", enabled=True)
    headers = {} if "json" in options else {"Content-Type": "application/x-www-form-urlencoded"}
    answer = await server.ask("POST", "/admin/flags/checkout/kill", headers=headers, **options)
    assert answer.body["kill"]["reason"] == "payments fail"


async def test_an_edit_during_a_kill_neither_revives_nor_is_lost(server: Server) -> None:
    await server.put("checkout", enabled=True, rolloutPercentage=10)
    await server.kill("checkout")
    edited = await server.put("checkout", enabled=True, rolloutPercentage=50, killSwitch=False)
    assert edited["kill"] is not None
    revived = await server.revive("checkout")
    assert revived["kill"] is None
    assert revived["rolloutPercentage"] == 50


async def test_kill_switch_true_in_a_write_kills_as_well(server: Server) -> None:
    assert (await server.put("checkout", enabled=True, killSwitch=True))["kill"]["by"] == "bootstrap"


async def test_a_kill_ends_by_itself_at_the_time_that_it_says(server: Server) -> None:
    before = await server.put("checkout", enabled=True, rolloutPercentage=30)
    until_ms = round(time.time() * 1000) + 300
    killed = await server.ask("POST", "/admin/flags/checkout/kill", json={"until": until_ms})
    assert killed.body["kill"]["until"] == until_ms
    environment = server.services.environments["production"]
    await until(lambda: environment.replica.records["flag"]["checkout"]["kill"] is None, "the end of the kill")
    assert time.time() * 1000 >= until_ms
    after = (await server.ask("GET", "/admin/flags/checkout")).body
    assert after["rolloutPercentage"] == before["rolloutPercentage"]
    assert after["revision"] == 3


@pytest.mark.parametrize("moment", ["2001-01-01T00:00:00Z", 5, "tomorrow", True, [], "2999-01-01"])
async def test_a_kill_does_not_end_in_the_past_or_at_no_time(server: Server, moment: Any) -> None:
    before = await server.put("checkout", enabled=True)
    answer = await server.ask("POST", "/admin/flags/checkout/kill", json={"until": moment})
    is_problem(answer, 422, "/until", "Unix milliseconds")
    assert (await server.ask("GET", "/admin/flags/checkout")).body == before


async def test_a_segment_is_created_used_and_kept_as_long_as_it_is_used(server: Server) -> None:
    staff = {"include": ["u1"], "rules": [{"attribute": "mail", "operator": "endsWith", "value": "@example.com"}]}
    created = await server.ask("POST", "/admin/segments/staff", json=staff)
    assert (created.status, created.body["include"]) == (201, ["u1"])
    rule = {"attribute": "userId", "operator": "inSegment", "value": "staff"}
    await server.put("checkout", enabled=True, rules=[rule])
    refused = await server.ask("DELETE", "/admin/segments/staff?confirm=staff")
    is_problem(refused, 409, "checkout")
    assert refused.body["neededBy"] == ["checkout"]
    assert (await server.ask("POST", "/admin/segments/staff", json={"include": []})).status == 200
    assert (await server.ask("GET", "/admin/segments/staff")).body["revision"] == 3
    assert [s["key"] for s in (await server.ask("GET", "/admin/segments")).body["segments"]] == ["staff"]
    await server.ask("DELETE", "/admin/flags/checkout?confirm=checkout")
    assert (await server.ask("DELETE", "/admin/segments/staff?confirm=staff")).status == 204
    is_problem(await server.ask("GET", "/admin/segments/stafff"), 404)
    wrong = {"attribute": "userId", "operator": "inSegment", "value": "nobody"}
    is_problem(await server.ask("POST", "/admin/flags/a", json={"rules": [wrong]}), 422, "/rules/0/value")
    is_problem(await server.ask("POST", "/admin/segments/x", json={"includes": []}), 422, "/includes", "include")


async def test_reviving_what_is_not_killed_changes_nothing(server: Server) -> None:
    flag = await server.put("checkout", enabled=True)
    assert await server.revive("checkout") == flag


async def test_killing_an_unknown_flag_names_the_nearest_and_creates_nothing(server: Server) -> None:
    await server.put("new_checkout", enabled=True)
    answer = await server.ask("POST", "/admin/flags/new_chekout/kill")
    is_problem(answer, 404, "new_checkout")
    assert answer.body["nearest"] == ["new_checkout"]
    assert len((await server.ask("GET", "/admin/flags")).body["flags"]) == 1


async def test_kills_and_edits_at_once_lose_nothing(server: Server) -> None:
    await asyncio.gather(*(server.put(f"f{number}", enabled=True) for number in range(10)))
    work = [server.kill(f"f{number}") for number in range(10)]
    work += [server.put(f"f{number}", enabled=True, description="edited") for number in range(10)]
    await asyncio.gather(*work)
    flags = (await server.ask("GET", "/admin/flags")).body["flags"]
    assert all(flag["kill"] is not None and flag["description"] == "edited" for flag in flags)
    assert max(flag["revision"] for flag in flags) == 30


WRONG_BODIES = {
    "no body": (None, 400, ["JSON body"]),
    "not JSON": ("{", 400, ["not JSON"]),
    "not an object": ("[]", 422, ["object"]),
    "a wrong type": ('{"enabled": "yes"}', 422, ["/enabled"]),
    "a percentage out of range": ('{"rolloutPercentage": 101}', 422, ["/rolloutPercentage", "100"]),
    "a percentage that is a boolean": ('{"rolloutPercentage": true}', 422, ["/rolloutPercentage"]),
    "a misspelt field": ('{"enabld": true}', 422, ["/enabld", "enabled"]),
    "an unknown operator": (
        '{"rules": [{"attribute": "a", "operator": "equal", "value": 1}]}',
        422,
        ["/rules/0/operator", "equals"],
    ),
    "another flag's key": ('{"key": "search"}', 422, ["/key"]),
    "a kill written by hand": ('{"kill": {"by": "me", "at": 1}}', 422, ["/kill"]),
    "a flag required that does not exist": ('{"requires": [{"flag": "nope"}]}', 422, ["/requires/0/flag"]),
}


@pytest.mark.parametrize("name", WRONG_BODIES)
async def test_a_wrong_body_is_refused_with_what_to_do_and_nothing_changes(server: Server, name: str) -> None:
    data, status, words = WRONG_BODIES[name]
    before = await server.put("checkout", **BODY)
    headers = {"Content-Type": "application/json"}
    is_problem(await server.ask("POST", "/admin/flags/checkout", data=data, headers=headers), status, *words)
    assert (await server.ask("GET", "/admin/flags/checkout")).body == before


async def test_everything_that_is_wrong_is_told_at_once(server: Server) -> None:
    answer = await server.ask("POST", "/admin/flags/checkout", json={"enabld": 1, "rolloutPercentage": -1, "tags": "x"})
    assert {error["pointer"] for error in answer.body["errors"]} == {"/enabld", "/rolloutPercentage", "/tags"}


@pytest.mark.parametrize("name", ["-x", "a%20b", "x" * 129, "%C3%A9", "a%00b", ".a", "a%0d%0ab"])
@pytest.mark.parametrize(("method", "suffix"), [("POST", ""), ("POST", "/kill"), ("GET", ""), ("DELETE", "")])
async def test_a_bad_name_is_refused(server: Server, name: str, method: str, suffix: str) -> None:
    answer = await server.ask(method, f"/admin/flags/{name}{suffix}", json={} if method == "POST" else None)
    is_problem(answer, 422, "key")
    assert (await server.ask("GET", "/admin/flags")).body["flags"] == []


async def test_a_body_that_is_too_large_is_refused(server: Server) -> None:
    body = BytesIO(b'{"description": "%s"}' % (b"x" * 2_000_000))
    headers = {"Content-Type": "application/json"}
    is_problem(await server.ask("POST", "/admin/flags/a", data=body, headers=headers), 413, "1,048,576")
    is_problem(await server.ask("POST", "/admin/flags/a", json={"whitelist": ["x" * 9000] * 40}), 422, "262,144")


async def test_another_content_type_is_refused(server: Server) -> None:
    answer = await server.ask("POST", "/admin/flags/a", data="enabled: true", headers={"Content-Type": "text/yaml"})
    is_problem(answer, 415, "application/json")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/admin/flags"),
        ("GET", "/admin/flags/checkout"),
        ("POST", "/admin/flags/checkout"),
        ("DELETE", "/admin/flags/checkout"),
        ("POST", "/admin/flags/checkout/kill"),
        ("POST", "/admin/flags/checkout/revive"),
        ("POST", "/admin/keys"),
    ],
)
async def test_only_an_admin_token_opens_the_admin_routes(server: Server, method: str, path: str) -> None:
    before = await server.put("checkout", enabled=True)
    is_problem(await server.ask(method, path, token=None), 401, "Bearer")
    is_problem(await server.ask(method, path, token="ww_admin_wrong"), 401, "not valid")
    is_problem(await server.ask(method, path, token=server.key), 403, "admin token")
    is_problem(await server.ask(method, path, token=None, headers={"Authorization": "Basic eDp5"}), 401, "Bearer")
    assert (await server.ask("GET", "/admin/flags/checkout")).body == before


async def test_a_flag_that_others_require_cannot_be_deleted(server: Server) -> None:
    await server.put("base", enabled=True)
    await server.put("top", enabled=True, requires=[{"flag": "base"}])
    answer = await server.ask("DELETE", "/admin/flags/base?confirm=base")
    is_problem(answer, 409, "top")
    assert answer.body["neededBy"] == ["top"]


async def test_an_unknown_environment_route_or_method_is_a_problem_too(server: Server) -> None:
    is_problem(await server.ask("GET", "/admin/flags?environment=nowhere"), 404, "production")
    is_problem(await server.ask("GET", "/nowhere"), 404)
    answer = await server.ask("PUT", "/admin/flags/a", json={})
    is_problem(answer, 405, "PUT", "It takes DELETE, GET, ")
    assert "POST" in answer.headers["Allow"]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"kind": "browser"}, "/kind"),
        ({}, "/kind"),
        ({"kind": "server", "environment": "nowhere"}, "/environment"),
        ({"kind": "server", "name": 5}, "/name"),
        ({"kind": "server", "name": "a\nb"}, "/name"),
        ({"kind": "server", "colour": "red"}, "/colour"),
        ({"kind": [], "environment": {}}, "/environment"),
    ],
)
async def test_a_key_is_not_made_of_a_wrong_body(server: Server, body: Any, pointer: str) -> None:
    answer = await server.ask("POST", "/admin/keys", json=body)
    is_problem(answer, 422)
    assert pointer in [error["pointer"] for error in answer.body["errors"]]


async def test_a_new_key_works_at_once_and_only_its_hash_is_stored(server: Server) -> None:
    answer = await server.ask("POST", "/admin/keys", json={"kind": "server", "name": "shop"})
    token = answer.body["key"]
    assert token.startswith("ww_server_")
    assert (await server.ask("GET", "/v1/snapshot", token=token)).status == 200
    stored = str(server.services.system.replica.records)
    assert token not in stored
    assert "shop" in stored
