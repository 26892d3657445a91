"""Where an environment asks for a second person, nobody changes it alone; a kill waits for nobody."""

from typing import Any

import pytest

from tests.support.server import ADMIN_TOKEN, Server


@pytest.fixture
async def people(server: Server) -> dict[str, str]:
    """Tokens by name, in an environment that asks for a second person and has one flag."""
    await server.put("checkout", enabled=True, rolloutPercentage=10)
    tokens = {"root": ADMIN_TOKEN}
    for name, role in (("ann", "editor"), ("bob", "editor"), ("eve", "viewer"), ("dan", "admin")):
        answer = await server.ask("POST", "/admin/keys", json={"kind": "admin", "role": role, "name": name})
        tokens[name] = answer.body["key"]
    await server.ask("PATCH", "/admin/environments/production", json={"approvals": True})
    return tokens


async def propose(server: Server, token: str, **body: Any) -> Any:
    answer = await server.ask("POST", "/admin/flags/checkout", token=token, json=body)
    assert answer.status == 202, answer
    return answer.body["approval"]


async def decide(server: Server, token: str, approval: Any, what: str, **body: Any) -> Any:
    return await server.ask("POST", f"/admin/approvals/{approval['id']}/{what}", token=token, json=body)


async def flag(server: Server) -> Any:
    return (await server.ask("GET", "/admin/flags/checkout")).body


async def log(server: Server, environment: str = "production") -> Any:
    return (await server.ask("GET", f"/admin/audit?environment={environment}")).body["entries"]


async def test_a_change_waits_until_somebody_else_approves_it(server: Server, people: dict[str, str]) -> None:
    before = await flag(server)
    approval = await propose(server, people["ann"], enabled=True, rolloutPercentage=50)
    assert (approval["by"], approval["action"], approval["status"]) == ("ann", "flag.put", "pending")
    assert approval["changes"] == [
        {
            "kind": "flag",
            "key": "checkout",
            "change": "changed",
            "basedOn": before["revision"],
            "fields": {"rolloutPercentage": {"before": 10, "after": 50}},
        }
    ]
    assert await flag(server) == before
    for who in ("ann", "eve"):
        assert (await decide(server, people[who], approval, "approve")).status == 403
    done = await decide(server, people["bob"], approval, "approve", comment="looks right")
    assert (done.status, done.body["status"], done.body["decidedBy"]) == (200, "applied", "bob")
    assert done.headers["Wigwag-Cursor"] == done.body["cursor"]
    assert (await flag(server))["rolloutPercentage"] == 50
    entry = (await log(server))[0]
    assert (entry["action"], entry["by"], entry["approvedBy"]) == ("flag.put", "ann", "bob")
    for what in ("approve", "reject", "withdraw"):
        assert (await decide(server, people["dan"], approval, what)).status == 409


async def test_a_second_token_of_the_same_name_is_no_second_person(server: Server, people: dict[str, str]) -> None:
    body = {"kind": "admin", "role": "editor", "name": "ann"}
    second = (await server.ask("POST", "/admin/keys", json=body)).body["key"]
    approval = await propose(server, people["ann"], enabled=False)
    assert (await decide(server, second, approval, "approve")).status == 403


async def test_admins_wait_as_well(server: Server, people: dict[str, str]) -> None:
    approval = await propose(server, people["dan"], enabled=False)
    assert (await decide(server, people["ann"], approval, "approve")).status == 200


async def test_a_kill_does_not_wait_and_the_log_says_why(server: Server, people: dict[str, str]) -> None:
    answer = await server.ask("POST", "/admin/flags/checkout/kill", token=people["ann"])
    assert answer.status == 200
    entry = (await log(server))[0]
    assert (entry["action"], entry["by"], entry["exempt"], entry["approvedBy"]) == ("flag.kill", "ann", True, "")
    assert not any(each["exempt"] for each in (await log(server))[1:])
    revived = await server.ask("POST", "/admin/flags/checkout/revive", token=people["ann"])
    assert revived.status == 202
    assert (await flag(server))["kill"] is not None
    (change,) = [each for each in revived.body["approval"]["changes"] if each["kind"] == "flag"]
    assert change["fields"]["kill"]["after"] is None
    assert (await decide(server, people["bob"], revived.body["approval"], "approve")).status == 200
    assert (await flag(server))["kill"] is None


async def test_an_edit_that_kills_is_sent_apart(server: Server, people: dict[str, str]) -> None:
    answer = await server.ask(
        "POST", "/admin/flags/checkout", token=people["ann"], json={"enabled": False, "killSwitch": True}
    )
    assert answer.status == 409
    assert "/admin/kill" in answer.body["detail"]
    assert (await server.ask("GET", "/admin/approvals")).body["approvals"] == []


async def test_a_kill_that_came_meanwhile_stays(server: Server, people: dict[str, str]) -> None:
    approval = await propose(server, people["ann"], enabled=True, rolloutPercentage=50)
    await server.kill("checkout")
    assert (await decide(server, people["bob"], approval, "approve")).status == 200
    now = await flag(server)
    assert now["rolloutPercentage"] == 50
    assert now["kill"] is not None


async def test_a_deletion_proposed_before_a_kill_does_not_end_it(server: Server, people: dict[str, str]) -> None:
    answer = await server.ask("DELETE", "/admin/flags/checkout?confirm=checkout", token=people["ann"])
    assert answer.status == 202
    await server.kill("checkout")
    assert (await decide(server, people["bob"], answer.body["approval"], "approve")).status == 409
    assert (await flag(server))["kill"] is not None


async def test_what_has_changed_since_is_not_overwritten(server: Server, people: dict[str, str]) -> None:
    first = await propose(server, people["ann"], enabled=True, rolloutPercentage=50)
    second = await propose(server, people["bob"], enabled=False)
    assert (await decide(server, people["bob"], first, "approve")).status == 200
    late = await decide(server, people["ann"], second, "approve")
    assert late.status == 409
    assert late.body["outdated"] == ["flag 'checkout'"]
    assert (await flag(server))["enabled"] is True
    assert (await decide(server, people["ann"], second, "reject")).status == 200


async def test_a_reference_that_is_gone_by_then_is_refused(server: Server, people: dict[str, str]) -> None:
    await server.ask("PATCH", "/admin/environments/production", json={"approvals": False})
    await server.put("base", enabled=True)
    await server.ask("PATCH", "/admin/environments/production", json={"approvals": True})
    approval = await propose(server, people["ann"], requires=[{"flag": "base"}])
    gone = await server.ask("DELETE", "/admin/flags/base?confirm=base", token=people["ann"])
    assert (await decide(server, people["bob"], gone.body["approval"], "approve")).status == 200
    assert (await decide(server, people["bob"], approval, "approve")).status == 422


async def test_proposals_are_rejected_by_others_and_withdrawn_by_oneself(
    server: Server, people: dict[str, str]
) -> None:
    one = await propose(server, people["ann"], enabled=False)
    two = await propose(server, people["ann"], enabled=False)
    assert (await decide(server, people["bob"], one, "withdraw")).status == 403
    assert (await decide(server, people["ann"], one, "withdraw")).body["status"] == "withdrawn"
    assert (await decide(server, people["bob"], two, "reject", comment="no")).body["decisionComment"] == "no"
    pending = await server.ask("GET", "/admin/approvals?status=pending", token=people["eve"])
    assert pending.body["approvals"] == []
    everything = await server.ask("GET", "/admin/approvals")
    assert {each["status"] for each in everything.body["approvals"]} == {"withdrawn", "rejected"}
    actions = [each["action"] for each in await log(server, "_system")]
    assert actions[:4] == ["approval.rejected", "approval.withdrawn", "approval.propose", "approval.propose"]
    assert (await decide(server, people["bob"], {"id": "nope"}, "approve")).status == 404
    assert (await server.ask("GET", "/admin/approvals?status=open")).status == 422


async def test_an_import_waits_as_one_change(server: Server, people: dict[str, str]) -> None:
    body = {"flags": {"checkout": {"enabled": False}, "search": {"enabled": True}}}
    answer = await server.ask("POST", "/admin/import", token=people["ann"], json=body)
    assert answer.status == 202
    preview = await server.ask("POST", "/admin/import", token=people["ann"], json={**body, "dryRun": True})
    assert preview.status == 200
    before = (await flag(server))["revision"]
    assert (await decide(server, people["bob"], answer.body["approval"], "approve")).status == 200
    search = (await server.ask("GET", "/admin/flags/search")).body
    assert search["revision"] == (await flag(server))["revision"] == before + 1
    assert (await log(server))[0]["action"] == "environment.import"


async def test_who_may_not_touch_a_flag_cannot_approve_it(server: Server, people: dict[str, str]) -> None:
    body = {"kind": "admin", "role": "editor", "name": "kim", "flags": ["pay.*"]}
    kim = (await server.ask("POST", "/admin/keys", json=body)).body["key"]
    approval = await propose(server, people["ann"], enabled=False)
    assert (await decide(server, kim, approval, "approve")).status == 403
    assert (await decide(server, kim, approval, "reject")).status == 403
