"""Environments over HTTP, and configuration on its way between them, and in and out."""

from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from tests.support.redis_server import RedisServer
from tests.support.server import Server, running
from tests.support.waiting import until
from wigwag_proto.codec import encode


async def environment(server: Server, name: str = "staging", **body: Any) -> Any:
    answer = await server.ask("POST", "/admin/environments", json={"name": name, **body})
    assert answer.status == 201, answer
    return answer.body


async def put(server: Server, key: str, where: str = "staging", **body: Any) -> Any:
    answer = await server.ask("POST", f"/admin/flags/{key}?environment={where}", json=body)
    assert answer.status in (200, 201), answer
    return answer.body


async def flags(server: Server, where: str = "production") -> dict[str, Any]:
    answer = await server.ask("GET", f"/admin/flags?environment={where}")
    return {flag["key"]: flag for flag in answer.body["flags"]}


@pytest.mark.parametrize(
    "name", ["_system", "", "Staging", "a/b", "..", "a.b", "x" * 33, "a\r\nb", "é", "-a", "a b", 7, None]
)
async def test_a_name_that_cannot_be_is_refused(server: Server, name: Any) -> None:
    refused = await server.ask("POST", "/admin/environments", json={"name": name})
    assert refused.status == 422
    assert refused.body["errors"][0]["pointer"] == "/name"
    assert list(server.services.environments) == ["production"]


async def test_a_clone_has_the_flags_and_segments_but_not_the_kills(server: Server) -> None:
    await server.ask("POST", "/admin/segments/staff", json={"include": ["ann"]})
    rule = {"attribute": "userId", "operator": "inSegment", "value": "staff"}
    await server.put("checkout", enabled=True, rolloutPercentage=10, rules=[rule])
    await server.kill("checkout")
    made = await environment(server, cloneFrom="production", description="before the shop")
    assert (made["flags"], made["segments"], made["createdBy"]) == (1, 1, "bootstrap")
    clone, original = (await flags(server, "staging"))["checkout"], (await flags(server))["checkout"]
    assert clone["kill"] is None
    assert original["kill"] is not None
    assert clone["rules"] == original["rules"]
    assert clone["rolloutPercentage"] == 10
    same = await server.ask("GET", "/admin/environments/staging/compare/production")
    assert same.body["changes"] == []
    assert (await server.ask("POST", "/admin/environments", json={"name": "staging"})).status == 409
    assert (await server.ask("POST", "/admin/environments", json={"name": "x", "cloneFrom": "no"})).status == 404
    assert "x" not in server.services.environments


async def test_a_deleted_environment_takes_everything_with_it(redis_server: RedisServer, tmp_path: Path) -> None:
    async with (
        running(redis_server.url, data_dir=tmp_path / "one") as one,
        running(redis_server.url, data_dir=tmp_path / "two", key=one.key) as two,
    ):
        await environment(one)
        await put(one, "checkout", enabled=True)
        made = await one.ask("POST", "/admin/keys", json={"kind": "server", "environment": "staging"})
        await until(lambda: "staging" in two.services.environments)
        async with two.client(made.body["key"]):
            await until(lambda: len(two.services.hubs["staging"].connections) == 1)
            for path in ("staging", "staging?confirm=production", "production?confirm=production"):
                answer = await one.ask("DELETE", f"/admin/environments/{path}")
                assert answer.status == (409 if path.startswith("production") else 422)
            assert (await one.ask("DELETE", "/admin/environments/staging?confirm=staging")).status == 204
            await until(lambda: not any("staging" in each.services.environments for each in (one, two)))
        assert (await one.ask("GET", "/v1/snapshot", token=made.body["key"])).status == 401
        assert (await one.ask("GET", "/admin/environments/staging")).status == 404
        again = await environment(two)
        assert (again["flags"], again["keys"]) == (0, 0)
        assert await flags(two, "staging") == {}
        assert one.services.tasks.failures == two.services.tasks.failures == 0


async def test_an_environment_is_described_by_a_patch(server: Server) -> None:
    path = "/admin/environments/production"
    answer = await server.ask("PATCH", path, json={"description": "the shop", "approvals": True})
    assert (answer.status, answer.body["description"], answer.body["approvals"]) == (200, "the shop", True)
    assert (await server.ask("PATCH", path, json={"approvals": "yes"})).status == 422
    assert (await server.ask("PATCH", path, json={"name": "prod"})).status == 422
    assert (await server.ask("PATCH", "/admin/environments/nope", json={})).status == 404
    listed = await server.ask("GET", "/admin/environments")
    assert [each["description"] for each in listed.body["environments"]] == ["the shop"]


async def test_a_promotion_copies_configuration_and_leaves_kills_alone(server: Server) -> None:
    await environment(server)
    await server.put("checkout", enabled=False, rolloutPercentage=5)
    await server.put("other", enabled=True)
    await server.kill("checkout")
    await put(server, "checkout", enabled=True, rolloutPercentage=50)
    await put(server, "other", enabled=False)
    before = await flags(server)
    path, body = "/admin/environments/production/promote", {"from": "staging", "flags": ["check*"]}
    preview = await server.ask("POST", path, json={**body, "dryRun": True})
    assert preview.body["dryRun"] is True
    (change,) = preview.body["changes"]
    assert change["fields"] == {
        "enabled": {"before": False, "after": True},
        "rolloutPercentage": {"before": 5, "after": 50},
    }
    assert await flags(server) == before
    done = await server.ask("POST", path, json={**body, "comment": "tried for a week"})
    assert done.body["changes"] == preview.body["changes"]
    after = await flags(server)
    assert (after["checkout"]["enabled"], after["checkout"]["rolloutPercentage"]) == (True, 50)
    assert after["checkout"]["kill"] == before["checkout"]["kill"]
    assert after["other"] == before["other"]
    again = await server.ask("POST", path, json=body)
    assert again.body["changes"] == []
    assert again.body["cursor"] == done.body["cursor"]


async def test_a_promotion_is_held_against_what_the_target_has(server: Server) -> None:
    await environment(server)
    await server.ask("POST", "/admin/segments/staff?environment=staging", json={"include": ["ann"]})
    rule = {"attribute": "userId", "operator": "inSegment", "value": "staff"}
    await put(server, "base", enabled=True)
    await put(server, "checkout", requires=[{"flag": "base"}], rules=[rule])
    path = "/admin/environments/production/promote"
    refused = await server.ask("POST", path, json={"from": "staging", "flags": ["checkout"]})
    assert refused.status == 422
    assert {each["pointer"] for each in refused.body["errors"]} == {
        "/flags/checkout/rules/0/value",
        "/flags/checkout/requires/0/flag",
    }
    assert await flags(server) == {}
    whole = {"from": "staging", "flags": ["*"], "withSegments": True}
    assert (await server.ask("POST", path, json=whole)).status == 200
    assert set(await flags(server)) == {"base", "checkout"}
    misspelt = await server.ask("POST", path, json={"from": "staging", "flags": ["chekout"]})
    assert (misspelt.status, misspelt.body["nearest"]) == (404, ["checkout"])
    assert (await server.ask("POST", path, json={"from": "production", "flags": ["*"]})).status == 422
    assert (await server.ask("POST", path, json={"from": "nope", "flags": ["*"]})).status == 404


async def test_what_is_exported_can_be_imported_and_changes_nothing(server: Server) -> None:
    await server.ask("POST", "/admin/segments/staff", json={"include": ["ann"], "description": "us"})
    rule = {"attribute": "userId", "operator": "inSegment", "value": "staff"}
    await server.put("checkout", enabled=True, rules=[rule], variants=[{"name": "a", "weight": 1, "value": {"x": 1.0}}])
    await server.kill("checkout")
    exported = (await server.ask("GET", "/admin/export")).body
    assert "kill" not in str(exported)
    for mode in ("merge", "replace"):
        answer = await server.ask("POST", "/admin/import", json={**exported, "mode": mode})
        assert (answer.status, answer.body["changes"]) == (200, [])
    await environment(server)
    answer = await server.ask("POST", "/admin/import?environment=staging", json=exported)
    assert [(each["kind"], each["key"], each["change"]) for each in answer.body["changes"]] == [
        ("flag", "checkout", "added"),
        ("segment", "staff", "added"),
    ]
    assert (await server.ask("GET", "/admin/export?environment=staging")).body == exported


async def test_an_import_replaces_only_what_it_has_sections_for_and_never_a_kill(server: Server) -> None:
    await server.ask("POST", "/admin/segments/staff", json={})
    for key in ("keep", "gone", "killed"):
        await server.put(key, enabled=True)
    await server.kill("killed")
    await server.kill("keep")
    cursor = server.services.environments["production"].replica.cursor
    assert cursor is not None
    body = {"flags": {"keep": {"enabled": False}, "new": {}}, "mode": "replace"}
    answer = await server.ask("POST", "/admin/import", json=body)
    assert answer.status == 200, answer
    assert answer.body["kept"] == ["killed"]
    assert [(each["key"], each["change"]) for each in answer.body["changes"]] == [
        ("gone", "removed"),
        ("keep", "changed"),
        ("new", "added"),
    ]
    now = await flags(server)
    assert set(now) == {"keep", "killed", "new"}
    assert now["keep"]["kill"] is not None
    assert now["keep"]["revision"] == now["new"]["revision"] == cursor.revision + 1
    assert (await server.ask("GET", "/admin/segments/staff")).status == 200


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, ""),
        ({"flags": []}, "/flags"),
        ({"flags": {"a": {"enabld": True}}}, "/flags/a/enabld"),
        ({"flags": {"../a": {}}}, "/flags/..~1a"),
        ({"flags": {"a": {"killSwitch": True}}}, "/flags/a/killSwitch"),
        ({"flags": {"a": {"kill": {"by": "me", "at": 1}}}}, "/flags/a/kill"),
        ({"flags": {"a": {"failSafeAfter": 0.1}}}, "/flags/a/failSafeAfter"),
        ({"flags": {"a": {"requires": [{"flag": "b"}]}, "b": {"requires": [{"flag": "a"}]}}}, "/flags/a/requires"),
        ({"segments": {"s": {"include": ["x"], "exclude": ["x"]}}}, "/segments/s/exclude/0"),
        ({"flags": {}, "mode": "overwrite"}, "/mode"),
        ({"flags": {}, "dryrun": True}, "/dryrun"),
    ],
)
async def test_an_import_is_refused_whole(server: Server, body: Any, pointer: str) -> None:
    good = {**body, "flags": {"good": {}, **body["flags"]}} if isinstance(body.get("flags"), dict) else body
    refused = await server.ask("POST", "/admin/import", json=good)
    assert refused.status == 422, refused
    assert pointer in [each["pointer"] for each in refused.body["errors"]]
    assert await flags(server) == {}


async def test_a_trial_may_be_asked_for_in_the_url_and_a_misspelt_one_is_refused(server: Server) -> None:
    await environment(server)
    await put(server, "checkout", enabled=True)
    for path, body in (
        ("/admin/import", {"flags": {"checkout": {}}}),
        ("/admin/environments/production/promote", {"from": "staging", "flags": ["*"]}),
    ):
        trial = await server.ask("POST", f"{path}?dryRun=true", json=body)
        assert (trial.status, trial.body["dryRun"], len(trial.body["changes"])) == (200, True, 1)
        misspelt = await server.ask("POST", f"{path}?dryrun=true", json=body)
        assert misspelt.status == 422
        assert misspelt.body["errors"][0]["parameter"] == "dryrun"
    assert await flags(server) == {}


async def test_a_limited_token_imports_within_its_limits_only(server: Server) -> None:
    body = {"kind": "admin", "role": "editor", "flags": ["pay.*"]}
    token = (await server.ask("POST", "/admin/keys", json=body)).body["key"]
    for dry_run in (True, False):
        both: Any = {"flags": {"pay.card": {}, "search": {}}, "dryRun": dry_run}
        assert (await server.ask("POST", "/admin/import", token=token, json=both)).status == 403
        own: Any = {"flags": {"pay.card": {}}, "dryRun": dry_run}
        assert (await server.ask("POST", "/admin/import", token=token, json=own)).status == 200
    elsewhere = {"kind": "admin", "role": "editor", "environments": ["production"]}
    token = (await server.ask("POST", "/admin/keys", json=elsewhere)).body["key"]
    await environment(server)
    promotion = {"from": "staging", "flags": ["*"]}
    path = "/admin/environments/production/promote"
    assert (await server.ask("POST", path, token=token, json=promotion)).status == 403


async def test_an_import_may_be_larger_than_other_bodies(server: Server) -> None:
    many = {f"flag-{number}": {"description": "x" * 1000} for number in range(1500)}
    assert await sent(server, "/admin/import", encode({"flags": many})) == 200
    assert len(server.services.environments["production"].replica.records["flag"]) == 1500
    assert await sent(server, "/admin/flags/a", b'{"description": "' + b"x" * 2**21) == 413
    assert await sent(server, "/admin/import", b" " * (8 * 2**20 + 1)) == 413


async def sent(server: Server, path: str, data: bytes) -> int:
    answer = await server.ask("POST", path, data=BytesIO(data), headers={"Content-Type": "application/json"})
    return answer.status
