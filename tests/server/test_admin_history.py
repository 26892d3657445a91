"""History, reverts and explanations of flags and segments, also of the past and of what was deleted."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from tests.server.test_admin_flags import BODY, is_problem
from tests.support.redis_server import RedisServer
from tests.support.server import Server, running


async def revert(server: Server, path: str, revision: int, **body: Any) -> Any:
    answer = await server.ask("POST", f"/admin/{path}/revert/{revision}", json=body)
    assert answer.status in (200, 201), answer
    return answer.body


async def test_a_history_tells_who_did_what_and_why(server: Server) -> None:
    await server.put("other")
    await server.put("checkout", **BODY, comment="new")
    await server.ask(
        "PATCH", "/admin/flags/checkout", json={"whitelist": ["user_123", "user_9"], "rolloutPercentage": 5}
    )
    await server.kill("checkout")
    await server.revive("checkout")
    await server.ask("DELETE", "/admin/flags/checkout?confirm=checkout&comment=done")
    told = (await server.ask("GET", "/admin/flags/checkout/history")).body
    assert (told["key"], told["exists"], told["next"]) == ("checkout", False, None)
    history = told["history"]
    assert [each["what"] for each in history] == ["deleted", "revived", "killed", "updated", "created"]
    assert [each["revision"] for each in history] == [6, 5, 4, 3, 2]
    assert history[3]["changes"] == [
        {"field": "whitelist", "added": ["user_9"], "removed": []},
        {"field": "rolloutPercentage", "before": 10, "after": 5},
    ]
    deleted, created = history[0], history[-1]
    assert (deleted["comment"], created["comment"]) == ("done", "new")
    assert (created["by"], created["address"], created["action"]) == ("bootstrap", "127.0.0.1", "flag.put")
    assert created["at"] <= deleted["at"] <= time.time() * 1000
    # Page by page it is the same.
    pages, before = [], ""
    while True:
        page = (await server.ask("GET", f"/admin/flags/checkout/history?limit=2{before}")).body
        pages += page["history"]
        if page["next"] is None:
            break
        before = f"&before={page['next']}"
    assert pages == history
    is_problem(await server.ask("GET", "/admin/flags/chekout/history"), 404)


async def test_the_history_of_a_new_flag_of_an_old_name_goes_on(server: Server) -> None:
    await server.put("checkout", enabled=True)
    await server.ask("DELETE", "/admin/flags/checkout?confirm=checkout")
    await server.put("checkout")
    history = (await server.ask("GET", "/admin/flags/checkout/history")).body["history"]
    assert [each["what"] for each in history] == ["created", "deleted", "created"]


async def test_a_revert_brings_back_the_configuration_and_leaves_the_kill_alone(server: Server) -> None:
    first = await server.put("checkout", **BODY)
    await server.put("checkout", enabled=True, rolloutPercentage=100)
    killed = await server.kill("checkout")
    reverted = await revert(server, "flags/checkout", 1, comment="as it was")
    assert reverted["kill"] == killed["kill"]
    assert reverted["rules"] == first["rules"]
    assert reverted["rolloutPercentage"] == 10
    await server.revive("checkout")
    # To a revision at which it was killed: nor is it killed again.
    assert (await revert(server, "flags/checkout", 3))["kill"] is None
    history = (await server.ask("GET", "/admin/flags/checkout/history")).body["history"]
    assert (history[2]["action"], history[2]["comment"]) == ("flag.revert", "as it was")


async def test_a_revert_to_what_there_is_makes_no_revision(server: Server) -> None:
    flag = await server.put("checkout", **BODY)
    await server.put("other")
    assert await revert(server, "flags/checkout", 1) == flag
    assert await revert(server, "flags/checkout", 2) == flag


async def test_a_deleted_flag_comes_back_and_killed_if_it_was_killed(server: Server) -> None:
    await server.put("checkout", **BODY)
    await server.put("search", enabled=True)
    killed = await server.kill("checkout")
    for key in ("checkout", "search"):
        await server.ask("DELETE", f"/admin/flags/{key}?confirm={key}")
    trial = await server.ask("POST", "/admin/flags/checkout/revert/1?dryRun=true")
    assert [each["what"] for each in trial.body["changes"]] == ["created"]
    back = await server.ask("POST", "/admin/flags/checkout/revert/1")
    assert (back.status, back.body["rolloutPercentage"], back.body["kill"]) == (201, 10, killed["kill"])
    assert (await revert(server, "flags/search", 2))["kill"] is None


async def test_a_revert_is_checked_as_any_write(server: Server) -> None:
    rule = {"attribute": "userId", "operator": "inSegment", "value": "staff"}
    await server.ask("POST", "/admin/segments/staff", json={})
    await server.put("checkout", rules=[rule])
    await server.put("checkout")
    await server.ask("DELETE", "/admin/segments/staff?confirm=staff")
    is_problem(await server.ask("POST", "/admin/flags/checkout/revert/2"), 422, "/rules/0/value", "staff")
    is_problem(await server.ask("POST", "/admin/flags/checkout/revert/1"), 404, "no flag 'checkout'")
    is_problem(await server.ask("POST", "/admin/flags/checkout/revert/99"), 404, "yet to come")
    is_problem(await server.ask("POST", "/admin/flags/chekout/revert/1"), 404, "Did you mean checkout")
    for wrong in ("x", "-1", "9" * 20, "1.5", "%D9%A3"):
        is_problem(await server.ask("POST", f"/admin/flags/checkout/revert/{wrong}"), 422, "revision")
    is_problem(await server.ask("POST", "/admin/flags/checkout/revert/2", json={"coment": "x"}), 422, "/coment")


async def test_a_segment_has_a_history_and_is_reverted_also_when_deleted(server: Server) -> None:
    await server.ask("POST", "/admin/segments/staff", json={"include": ["u1"]})
    await server.ask("POST", "/admin/segments/staff", json={"include": ["u2"]})
    assert (await revert(server, "segments/staff", 1))["include"] == ["u1"]
    await server.ask("DELETE", "/admin/segments/staff?confirm=staff")
    assert (await revert(server, "segments/staff", 2))["include"] == ["u2"]
    history = (await server.ask("GET", "/admin/segments/staff/history")).body["history"]
    assert [each["what"] for each in history] == ["created", "deleted", "updated", "updated", "created"]
    assert history[2]["changes"] == [{"field": "include", "added": ["u1"], "removed": ["u2"]}]


async def test_an_explanation_names_every_step(server: Server) -> None:
    await server.put("base", enabled=True)
    await server.put("checkout", **BODY, requires=[{"flag": "base"}])
    told = await server.ask(
        "POST", "/admin/flags/checkout/explain", json={"context": {"userId": "u1", "plan": "premium"}}
    )
    assert told.status == 200
    assert told.body["reason"] == "ROLLOUT"
    assert 0 <= told.body["bucket"] < 100_000
    assert any("requires base: on" in step for step in told.body["steps"])
    assert any("plan equals" in step for step in told.body["steps"])
    assert (await server.ask("POST", "/admin/flags/checkout/explain")).body["reason"] == "RULE_MISMATCH"
    is_problem(await server.ask("POST", "/admin/flags/chekout/explain"), 404, "checkout")


async def test_an_explanation_is_of_then_when_it_is_asked_so(server: Server) -> None:
    rule = {"attribute": "userId", "operator": "inSegment", "value": "staff"}
    await server.ask("POST", "/admin/segments/staff", json={"include": ["u1"]})
    await server.put("base", enabled=True)
    await server.put("checkout", enabled=True, rules=[rule], requires=[{"flag": "base"}])
    then = time.time()
    await asyncio.sleep(0.002)  # times are in whole milliseconds
    await server.ask("POST", "/admin/segments/staff", json={"include": []})
    await server.put("base")
    await server.kill("checkout")
    await server.ask("DELETE", "/admin/flags/checkout?confirm=checkout")

    async def reason(as_of: Any) -> tuple[bool, str]:
        body = {"context": {"userId": "u1"}, "asOf": as_of}
        answer = await server.ask("POST", "/admin/flags/checkout/explain", json=body)
        assert answer.status == 200, answer
        return answer.body["enabled"], answer.body["reason"]

    at = f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(then))}.{round(then % 1 * 1000):03d}Z"
    assert await reason(at) == (True, "RULE_MATCH")
    assert [await reason(revision) for revision in range(8)] == [
        (False, "UNKNOWN_FLAG"),
        (False, "UNKNOWN_FLAG"),
        (False, "UNKNOWN_FLAG"),
        (True, "RULE_MATCH"),
        (False, "RULE_MISMATCH"),
        (False, "PREREQUISITE"),
        (False, "KILLED"),
        (False, "UNKNOWN_FLAG"),
    ]
    body = {"context": {"userId": "u1"}, "asOf": 3}
    everything = (await server.ask("POST", "/admin/explain", json=body)).body
    assert [(each["flag"], each["enabled"]) for each in everything["decisions"]] == [("base", True), ("checkout", True)]


async def test_a_draft_is_explained_as_if_it_were_written(server: Server) -> None:
    flag = await server.put("checkout")
    body: dict[str, Any] = {"context": {"userId": "u1"}, "draft": {"enabled": True}}
    assert (await server.ask("POST", "/admin/flags/checkout/explain", json=body)).body["reason"] == "STATIC"
    assert (await server.ask("POST", "/admin/flags/brand-new/explain", json=body)).body["enabled"] is True
    assert (await server.ask("GET", "/admin/flags/checkout")).body == flag
    wrong: dict[str, Any] = {"draft": {"enabld": True}}
    is_problem(await server.ask("POST", "/admin/flags/checkout/explain", json=wrong), 422, "enabled")
    wrong = {"draft": {"requires": [{"flag": "nope"}]}}
    is_problem(await server.ask("POST", "/admin/flags/checkout/explain", json=wrong), 422, "/requires/0/flag")
    await server.kill("checkout")
    assert (await server.ask("POST", "/admin/flags/checkout/explain", json=body)).body["reason"] == "KILLED"


async def test_all_flags_are_explained_for_a_context(server: Server) -> None:
    await server.put("a", enabled=True, tags=["payments"])
    await server.put("b", enabled=True, blacklist=["u1"])
    await server.put("c")
    body = {"context": {"userId": "u1"}}
    told = (await server.ask("POST", "/admin/explain", json=body)).body
    assert [(each["flag"], each["reason"]) for each in told["decisions"]] == [
        ("a", "STATIC"),
        ("b", "BLACKLISTED"),
        ("c", "DISABLED"),
    ]
    part = (await server.ask("POST", "/admin/explain?tag=payments", json=body)).body
    assert (len(part["decisions"]), part["total"]) == (1, 1)
    first = (await server.ask("POST", "/admin/explain?limit=1", json=body)).body
    assert ([each["flag"] for each in first["decisions"]], first["next"]) == (["a"], "a")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"contxt": {}}, "/contxt"),
        ({"context": []}, "/context"),
        ({"context": {"bio": "x" * 70_000}}, "/context"),
        ({"context": {"n": 2**70}}, "/context/n"),
        ({"asOf": "yesterday"}, "/asOf"),
        ({"asOf": -1}, "/asOf"),
        ({"asOf": True}, "/asOf"),
        ({"asOf": "2999-01-01T00:00:00Z"}, "/asOf"),
        ({"staleFor": -1}, "/staleFor"),
        ({"staleFor": "1"}, "/staleFor"),
        ({"draft": []}, "/draft"),
        ({"draft": {}, "asOf": 1}, "/draft"),
    ],
)
async def test_a_question_that_is_none_is_refused(embedded: Server, body: Any, pointer: str) -> None:
    await embedded.put("checkout")
    answer = await embedded.ask("POST", "/admin/flags/checkout/explain", json=body)
    is_problem(answer, 422)
    assert [error["pointer"] for error in answer.body["errors"]] == [pointer]


async def test_an_emergency_is_in_the_explanation(embedded: Server) -> None:
    await embedded.put("checkout", enabled=True)
    emergencies = embedded.services.emergencies["production"]
    replica = embedded.services.environments["production"].replica
    await emergencies.declare(["checkout"], "ops", "fire")
    if replica.emergencies:  # until the store has taken it
        assert (await embedded.ask("POST", "/admin/flags/checkout/explain")).body["reason"] == "KILLED"
        assert (await embedded.ask("GET", "/admin/flags?state=killed")).body["total"] == 1


async def test_a_log_that_has_forgotten_says_how_far_it_goes_back(redis_server: RedisServer, tmp_path: Path) -> None:
    async with running(redis_server.url, data_dir=tmp_path / "data") as server:
        for number in range(12):
            await server.put("checkout", enabled=True, rolloutPercentage=number)
        async with redis_server.connection() as redis:
            await redis.xtrim("wigwag:{production}:audit", maxlen=4, approximate=False)
        body = {"asOf": 2}
        is_problem(await server.ask("POST", "/admin/flags/checkout/explain", json=body), 404, "begins with revision")
        is_problem(await server.ask("POST", "/admin/explain", json=body), 404, "begins with revision")
        is_problem(await server.ask("POST", "/admin/flags/checkout/revert/2"), 404, "does not go back")
        assert (await server.ask("POST", "/admin/flags/checkout/explain", json={"asOf": 8})).status == 200


async def test_a_gap_in_the_log_is_told_and_nothing_made_up(redis_server: RedisServer, tmp_path: Path) -> None:
    async with running(redis_server.url, data_dir=tmp_path / "data") as server:
        for number in range(3):
            await server.put("checkout", enabled=True, rolloutPercentage=number)
        await server.put("search")
        async with redis_server.connection() as redis:
            assert await redis.xdel("wigwag:{production}:audit", "2-0") == 1
        body = {"asOf": 1}
        is_problem(await server.ask("POST", "/admin/flags/checkout/explain", json=body), 404, "gap at flag 'checkout'")
        is_problem(await server.ask("POST", "/admin/explain", json=body), 404, "gap")
        assert (await server.ask("POST", "/admin/flags/checkout/explain", json={"asOf": 3})).status == 200
        assert (await server.ask("POST", "/admin/flags/search/explain", json={"asOf": 4})).status == 200
