"""PATCH, DELETE, comments, trial runs, and writes that are based on what is not so any more."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.server.test_admin_flags import BODY, is_problem
from tests.server.test_operations import token_of
from tests.support.redis_server import RedisServer
from tests.support.server import Server, running
from wigwag_proto.audit import AuditQuery, Entry
from wigwag_server.auth.rights import Role, Scope

JSON = {"Content-Type": "application/json"}
MERGE = {"Content-Type": "application/merge-patch+json"}


async def last_entry(server: Server) -> Entry:
    (recorded,) = await server.services.environments["production"].audit(AuditQuery(limit=1))
    return recorded.entry()


async def test_a_patch_changes_what_it_names_and_nothing_else(server: Server) -> None:
    before = await server.put("checkout", **BODY)
    await server.kill("checkout")
    data = b'{"rolloutPercentage": 50, "whitelist": null, "comment": "ramp"}'
    patched = await server.ask("PATCH", "/admin/flags/checkout", data=data, headers=MERGE)
    assert patched.status == 200
    assert (patched.body["rolloutPercentage"], patched.body["whitelist"]) == (50, [])
    assert patched.body["rules"] == before["rules"]
    assert patched.body["kill"]["by"] == "bootstrap"
    assert patched.headers["ETag"] == f'"{patched.body["revision"]}"'
    entry = await last_entry(server)
    assert (entry.action, entry.comment) == ("flag.patch", "ramp")


async def test_a_patch_that_changes_nothing_is_no_revision(server: Server) -> None:
    flag = await server.put("checkout", **BODY)
    for patch in ({}, {"enabled": True}, {"description": None}, flag):
        answer = await server.ask("PATCH", "/admin/flags/checkout", json=patch)
        assert (answer.status, answer.body) == (200, flag)


async def test_patches_at_once_lose_nothing(server: Server) -> None:
    await server.put("checkout")
    patches: list[dict[str, Any]] = [
        {"enabled": True},
        {"description": "new"},
        {"rolloutPercentage": 5},
        {"tags": ["a"]},
    ]
    answers = await asyncio.gather(*(server.ask("PATCH", "/admin/flags/checkout", json=each) for each in patches))
    assert [answer.status for answer in answers] == [200] * len(patches)
    flag = (await server.ask("GET", "/admin/flags/checkout")).body
    for each in patches:
        assert flag.items() >= each.items()


WRONG_PATCHES: dict[str, tuple[dict[str, Any], str, str]] = {
    "the result is checked": ({"rolloutPercentage": 101}, "/rolloutPercentage", "0–100"),
    "a misspelt field": ({"enabld": True}, "/enabld", "enabled"),
    "a misspelt field that is removed": ({"enabld": None}, "/enabld", "enabled"),
    "a misspelt comment": ({"coment": "x"}, "/coment", "comment"),
    "the kill": ({"kill": {"by": "me", "at": 1}}, "/kill", "/kill kills"),
    "the kill switch": ({"killSwitch": True}, "/killSwitch", "/kill kills"),
    "the kill switch, off": ({"killSwitch": False}, "/killSwitch", "/revive"),
    "what the server fills in": ({"revision": 77}, "/revision", "server fills"),
    "another key": ({"key": "search"}, "/key", "server fills"),
    "a required flag that is not there": ({"requires": [{"flag": "nope"}]}, "/requires/0/flag", "nope"),
    "the whole of lists": ({"blacklist": ["user_123"]}, "/blacklist/0", "whitelist"),
    "a fail-safe that trips by itself": ({"failSafeAfter": 1}, "/failSafeAfter", "heart"),
    "a comment that is none": ({"comment": 5}, "/comment", "text"),
}


@pytest.mark.parametrize("name", WRONG_PATCHES)
async def test_a_wrong_patch_is_refused_whole(embedded: Server, name: str) -> None:
    patch, pointer, words = WRONG_PATCHES[name]
    before = await embedded.put("checkout", **BODY)
    answer = await embedded.ask("PATCH", "/admin/flags/checkout", json={"description": "x", **patch})
    is_problem(answer, 422, words if name != "a fail-safe that trips by itself" else "at least 15 seconds")
    assert [error["pointer"] for error in answer.body["errors"]] == [pointer]
    assert (await embedded.ask("GET", "/admin/flags/checkout")).body == before


async def test_a_patch_lifts_no_kill(server: Server) -> None:
    await server.put("checkout", **BODY)
    killed = await server.kill("checkout")
    is_problem(await server.ask("PATCH", "/admin/flags/checkout", json={"kill": None}), 422, "/kill", "revive")
    assert (await server.ask("PATCH", "/admin/flags/checkout", json={"kill": killed["kill"]})).body == killed


async def test_a_patch_needs_a_flag_and_json(embedded: Server) -> None:
    await embedded.put("checkout")
    is_problem(await embedded.ask("PATCH", "/admin/flags/chekout", json={}), 404, "checkout")
    headers = {"Content-Type": "application/json-patch+json"}
    is_problem(
        await embedded.ask("PATCH", "/admin/flags/checkout", data="[]", headers=headers), 415, "merge-patch+json"
    )
    is_problem(await embedded.ask("PATCH", "/admin/flags/checkout", json=[1]), 422, "object")


async def test_a_segment_is_patched(server: Server) -> None:
    await server.ask("POST", "/admin/segments/staff", json={"include": ["u1"], "description": "d"})
    patched = await server.ask("PATCH", "/admin/segments/staff", json={"include": ["u1", "u2"]})
    assert (patched.body["include"], patched.body["description"]) == (["u1", "u2"], "d")
    is_problem(await server.ask("PATCH", "/admin/segments/staff", json={"includ": []}), 422, "/includ", "include")
    is_problem(await server.ask("PATCH", "/admin/segments/staff", json={"exclude": ["u1"]}), 422, "/exclude/0")


@pytest.mark.parametrize("kind", ["flag", "segment"])
async def test_deleting_asks_for_the_key_again(embedded: Server, kind: str) -> None:
    path = f"/admin/{kind}s/checkout"
    await embedded.ask("POST", path, json={})
    is_problem(await embedded.ask("DELETE", path), 422, f"DELETE {path}?confirm=checkout")
    is_problem(await embedded.ask("DELETE", f"{path}?confirm=chekout"), 422, "another key", "confirm=checkout")
    is_problem(await embedded.ask("DELETE", f"{path}?confirm="), 422, "confirm=checkout")
    assert (await embedded.ask("GET", path)).status == 200
    is_problem(await embedded.ask("DELETE", f"/admin/{kind}s/chekout"), 404, "checkout")
    assert (await embedded.ask("DELETE", f"{path}?confirm=checkout&comment=done%20with")).status == 204
    entry = await last_entry(embedded)
    assert (entry.action, entry.comment) == (f"{kind}.delete", "done with")


async def test_a_comment_says_why_in_the_audit_log(server: Server) -> None:
    await server.put("checkout", enabled=True, comment="the first\nflag 👩‍💻")
    assert (await last_entry(server)).comment == "the first\nflag 👩‍💻"
    await server.ask("POST", "/admin/flags/checkout/kill", json={"reason": "payments fail"})
    assert (await last_entry(server)).comment == "payments fail"
    await server.ask("POST", "/admin/flags/checkout/kill", json={"reason": "payments fail", "comment": "INC-7"})
    assert (await last_entry(server)).comment == "INC-7"
    await server.ask("POST", "/admin/flags/checkout/revive?comment=over")
    assert (await last_entry(server)).comment == "over"
    await server.ask("POST", "/admin/segments/staff", json={"comment": "all of us"})
    assert (await last_entry(server)).comment == "all of us"
    assert "comment" not in (await server.ask("GET", "/admin/flags/checkout")).body


@pytest.mark.parametrize("comment", ["x" * 1001, "a\0b", "\x1b[2J", 5, None, ["why"]])
async def test_a_comment_that_is_none_is_refused(embedded: Server, comment: Any) -> None:
    for path in ("/admin/flags/checkout", "/admin/segments/staff"):
        answer = await embedded.ask("POST", path, json={"comment": comment, "enabld": 1})
        is_problem(answer, 422)
        assert {error["pointer"] for error in answer.body["errors"]} == {"/comment", "/enabld"}
    is_problem(await embedded.ask("POST", "/admin/flags/x?comment=a", json={"comment": "b"}), 422, "/comment", "URL")


async def test_an_edit_on_what_was_changed_since_is_told_what_and_by_whom(server: Server) -> None:
    flag = await server.put("checkout", **BODY)
    await server.put("checkout", **{**BODY, "rolloutPercentage": 50, "comment": "ramp"})
    await server.kill("checkout")
    headers = {"If-Match": f'"{flag["revision"]}"'}
    for method, path in (
        ("POST", "/admin/flags/checkout"),
        ("PATCH", "/admin/flags/checkout"),
        ("PATCH", "/admin/flags/checkout?dryRun=true"),
        ("DELETE", "/admin/flags/checkout?confirm=checkout"),
        ("POST", "/admin/flags/checkout/revert/1"),
    ):
        answer = await server.ask(method, path, json={}, headers=headers)
        is_problem(answer, 412, "by bootstrap: kill, rolloutPercentage")
        assert answer.body["current"]["revision"] == 3
        kill, ramp = answer.body["changes"]
        assert (kill["what"], ramp["comment"]) == ("killed", "ramp")
        assert ramp["changes"] == [{"field": "rolloutPercentage", "before": 10, "after": 50}]
    is_problem(await server.ask("POST", "/admin/flags/checkout", json={}, headers={"If-Match": "9" * 5000}), 400)


async def test_a_segment_is_written_as_it_was_seen_or_not_at_all(server: Server) -> None:
    created = await server.ask("POST", "/admin/segments/staff", json={"include": ["u1"]})
    seen = {"If-Match": created.headers["ETag"]}
    assert (await server.ask("POST", "/admin/segments/staff", json={"include": ["u2"]}, headers=seen)).status == 200
    for method, path in (("POST", ""), ("PATCH", ""), ("DELETE", "?confirm=staff")):
        answer = await server.ask(method, f"/admin/segments/staff{path}", json={}, headers=seen)
        is_problem(answer, 412, "include")
        assert answer.body["changes"][0]["changes"] == [{"field": "include", "added": ["u2"], "removed": ["u1"]}]
    new = {"If-None-Match": "*"}
    is_problem(await server.ask("POST", "/admin/segments/staff", json={}, headers=new), 412, "no such segment")


async def test_a_trial_says_what_would_change_and_changes_nothing(server: Server) -> None:
    await server.put("base", enabled=True)
    before = await server.put("checkout", **BODY)
    revision = server.services.environments["production"].replica.cursor
    trials: list[tuple[str, str, Any, list[Any]]] = [
        (
            "PATCH",
            "/admin/flags/checkout",
            {"rolloutPercentage": 20},
            [("checkout", "updated", [{"field": "rolloutPercentage", "before": 10, "after": 20}])],
        ),
        (
            "POST",
            "/admin/flags/new",
            {"enabled": True},
            [("new", "created", [{"field": "enabled", "before": False, "after": True}])],
        ),
        ("POST", "/admin/segments/staff", {}, [("staff", "created", [])]),
    ]
    for method, path, body, changes in trials:
        answer = await server.ask(method, f"{path}?dryRun=true", json=body)
        assert (answer.status, answer.body["dryRun"]) == (200, True)
        assert [(each["key"], each["what"], each["changes"]) for each in answer.body["changes"]] == changes
    deleted = await server.ask("DELETE", "/admin/flags/base?dryRun=true")
    assert [each["what"] for each in deleted.body["changes"]] == ["deleted"]
    killed = await server.ask("POST", "/admin/flags/base/kill?dryRun=true", json={"reason": "why"})
    assert [each["what"] for each in killed.body["changes"]] == ["killed"]
    assert (await server.ask("POST", "/admin/flags/base/revive?dryRun=true")).body["changes"] == []
    is_problem(await server.ask("PATCH", "/admin/flags/checkout?dryRun=true", json={"enabld": 1}), 422, "enabled")
    assert (await server.ask("GET", "/admin/flags/checkout")).body == before
    assert server.services.environments["production"].replica.cursor == revision


async def test_integers_that_no_64_bits_hold_are_refused_and_not_rounded(embedded: Server) -> None:
    largest = 2**64 - 1
    for value, status in ((largest, 201), (largest + 1, 422), (10**30, 422)):
        data = b'{"variants": [{"name": "a", "weight": 1, "value": {"n": %d}}]}' % value
        answer = await embedded.ask("POST", f"/admin/flags/f{status}", data=data, headers=JSON)
        assert answer.status == status, answer
        if status == 422:
            is_problem(answer, 422, "/variants/0/value/n", "64 bits")
        else:
            assert answer.body["variants"][0]["value"]["n"] == largest


@pytest.mark.parametrize(
    "data",
    [
        b"[" * 5000,
        b'{"a":' * 5000,
        b'{"variants": [{"name": "a", "weight": NaN}]}',
        b'{"rolloutPercentage": 1e999}',
        b'{"rolloutPercentage": Infinity}',
        b'{"description": "\\ud800"}',
        b'{"description": "\xff"}',
        b'{"n": ' + b"9" * 5000 + b"}",
        b"\0",
    ],
)
async def test_what_is_not_json_that_can_be_kept_is_refused(embedded: Server, data: bytes) -> None:
    for method, path in (("POST", "/admin/flags/a"), ("POST", "/admin/flags/a/explain"), ("POST", "/admin/kill")):
        is_problem(await embedded.ask(method, path, data=data, headers=JSON), 400, "not JSON")


async def test_json_that_is_too_deep_is_refused_with_where(embedded: Server) -> None:
    deep: Any = 1
    for _ in range(40):
        deep = {"a": deep}
    body = {"variants": [{"name": "a", "weight": 1, "value": deep}]}
    is_problem(await embedded.ask("POST", "/admin/flags/a", json=body), 422, "/variants/0/value", "levels")
    await embedded.put("a")
    is_problem(await embedded.ask("PATCH", "/admin/flags/a", json=body), 422, "/variants/0/value", "levels")
    is_problem(await embedded.ask("POST", "/admin/flags/a/explain", json={"context": deep}), 422, "/context", "levels")


async def test_what_recursion_could_not_walk_is_refused(embedded: Server) -> None:
    await embedded.put("a")
    for depth in (100, 900):
        data = b'{"description": ' + b'{"a":' * depth + b"1" + b"}" * depth + b"}"
        for method, path in (("PATCH", "/admin/flags/a"), ("POST", "/admin/flags/a"), ("POST", "/admin/explain")):
            is_problem(await embedded.ask(method, path, data=data, headers=JSON), 400, "64 levels")


async def test_a_token_changes_only_what_it_is_limited_to_by_whatever_route(server: Server) -> None:
    await server.put("checkout", enabled=True, tags=["payments"])
    before = await server.put("search", enabled=True)
    await server.put("search")
    token = await token_of(server, Role.EDITOR, Scope(tags=("payments",)))
    assert (await server.ask("PATCH", "/admin/flags/checkout", token=token, json={"enabled": False})).status == 200
    for method, path, body in (
        ("PATCH", "/admin/flags/search", {"tags": ["payments"]}),
        ("PATCH", "/admin/flags/checkout", {"tags": []}),
        ("POST", "/admin/flags/search/revert/2", None),
        ("POST", "/admin/flags/search/revert/2?dryRun=true", None),
        ("POST", "/admin/flags/search/revive", None),
        ("POST", "/admin/kill", {"pattern": "*"}),
        ("DELETE", "/admin/flags/search?confirm=search", None),
    ):
        is_problem(await server.ask(method, path, token=token, json=body), 403, "payments")
    assert (await server.ask("POST", "/admin/flags/search/revert/2")).body["enabled"] == before["enabled"]


async def test_a_damaged_flag_is_not_patched_but_written_anew(redis_server: RedisServer, tmp_path: Path) -> None:
    async with running(redis_server.url, data_dir=tmp_path / "one") as server:
        await server.put("checkout", enabled=True)
    async with redis_server.connection() as redis:
        await redis.hset("wigwag:{production}:records", "flag/checkout", '"garbage"')
    async with running(redis_server.url, data_dir=tmp_path / "two") as server:
        is_problem(await server.ask("PATCH", "/admin/flags/checkout", json={"enabled": False}), 409, "POST")
        listed = await server.ask("GET", "/admin/flags?state=damaged")
        assert listed.body["total"] == 1
        assert (await server.ask("POST", "/admin/flags/checkout", json={})).status == 200
