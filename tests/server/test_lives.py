"""Flags that go away, over HTTP: stale ones, archiving, code references, and limits of owners."""

from typing import Any

from tests.server.test_operations import token_of
from tests.support.server import Server
from wigwag_proto.commit import Change
from wigwag_server.admin.flag_life import DAY_MS
from wigwag_server.auth.rights import Role, Scope

UPLOAD: dict[str, Any] = {
    "repository": "shop/web",
    "commit": "4f2c9e1",
    "link": "https://git.example.com/{commit}/{file}#L{line}",
    "references": [
        {"flag": "checkout", "file": "web/pay.py", "line": 12, "call": "is_enabled", "function": "pay"},
        {"flag": "checkout", "file": "web/cart.py", "line": 3, "within": ["search"]},
        {"flag": "gone", "file": "web/cart.py", "line": 9},
    ],
}


class Aged:
    """Makes flags older than they are."""

    action = "test.age"

    def __init__(self, key: str, days: int) -> None:
        self.key, self.days = key, days

    def __call__(self, records: Any, revision: int, at: int) -> list[Change]:
        then = at - self.days * DAY_MS
        value = {**records["flag"][self.key], "createdAt": then, "updatedAt": then, "revision": revision}
        return [Change("flag", self.key, value)]


async def age(server: Server, key: str, days: int) -> None:
    await server.services.environments["production"].commit(Aged(key, days))


async def keys(server: Server, query: str = "") -> list[str]:
    answer = await server.ask("GET", f"/admin/flags{query}")
    assert answer.status == 200, answer
    return [flag["key"] for flag in answer.body["flags"]]


async def test_stale_flags_are_listed_with_reasons_and_found(server: Server) -> None:
    await server.put("young", enabled=True)
    await server.put("old", enabled=True, owner="ann")
    await server.put("guard", enabled=True, kind="ops")
    await age(server, "old", 50)
    await age(server, "guard", 50)
    stale = (await server.ask("GET", "/admin/stale")).body
    assert [(each["key"], each["state"], each["owner"]) for each in stale["flags"]] == [("old", "stale", "ann")]
    assert stale["flags"][0]["reasons"] == ["fully on for 50 days", "50 days old, expected 40"]
    assert stale["usageKnown"] is True
    everything = (await server.ask("GET", "/admin/stale?all=true")).body["flags"]
    assert {each["key"]: each["state"] for each in everything} == {"young": "new", "old": "stale", "guard": "active"}
    assert await keys(server, "?stale=true") == ["old"]
    assert await keys(server, "?state=new") == ["young"]
    assert await keys(server, "?state=new&state=stale&state=on") == ["old", "young"]
    assert await keys(server, "?state=stale&state=off") == []
    await server.ask("PATCH", "/admin/environments/production", json={"expectedLifeDays": 60})
    assert (await server.ask("GET", "/admin/stale")).body["flags"][0]["state"] == "potentially-stale"
    await server.ask("PATCH", "/admin/flags/old", json={"expectedLifeDays": 20})
    # The patch counts as a change, so that it is not known to be on for long.
    assert (await server.ask("GET", "/admin/stale")).body["flags"][0]["reasons"] == ["50 days old, expected 20"]


async def test_an_archived_flag_is_off_the_lists_and_decided_as_before(server: Server) -> None:
    await server.put("done", enabled=True)
    async with server.client() as flags:
        archived = await server.ask("POST", "/admin/flags/done/archive", json={"reason": "everybody has it"})
        assert archived.status == 200
        assert archived.body["archived"]["reason"] == "everybody has it"
        await flags.refresh()
        assert flags.is_enabled("done")
        assert await keys(server) == []
        assert await keys(server, "?state=archived") == ["done"]
        assert (await server.put("done", enabled=True, description="still"))["archived"] is not None
        await server.kill("done")
        await flags.refresh()
        assert not flags.is_enabled("done")
    again = await server.ask("POST", "/admin/flags/done/archive", json={"reason": "twice"})
    assert again.body["archived"]["reason"] == "everybody has it"
    restored = await server.ask("POST", "/admin/flags/done/restore")
    assert restored.body["archived"] is None
    assert restored.body["kill"] is not None
    assert await keys(server) == ["done"]
    assert (await server.ask("POST", "/admin/flags/nope/archive")).status == 404
    assert (await server.ask("POST", "/admin/flags/done/archive", json={"reasn": ""})).status == 422
    history = (await server.ask("GET", "/admin/flags/done/history")).body["history"]
    assert [each["action"] for each in history][:2] == ["flag.restore", "flag.kill"]


async def test_the_latest_upload_of_a_repository_counts(server: Server) -> None:
    await server.put("checkout")
    stored = await server.ask("PUT", "/admin/code-references", json=UPLOAD)
    assert (stored.status, stored.body["references"], stored.body["flags"]) == (200, 3, 2)
    found = (await server.ask("GET", "/admin/flags/checkout/references")).body
    assert (found["total"], found["repositories"]) == (2, ["shop/web"])
    assert found["references"][0]["link"] == "https://git.example.com/4f2c9e1/web/pay.py#L12"
    assert (await server.ask("GET", "/admin/flags/gone/references")).body["exists"] is False
    assert (await server.ask("GET", "/admin/flags/nope/references")).status == 404
    warned = await server.ask("DELETE", "/admin/flags/checkout?confirm=checkout")
    assert "2 places" in warned.headers["Wigwag-Warning"]
    await server.ask("PUT", "/admin/code-references", json={**UPLOAD, "commit": "b", "references": []})
    assert (await server.ask("GET", "/admin/flags/gone/references")).status == 404
    (listed,) = (await server.ask("GET", "/admin/code-references")).body["repositories"]
    assert (listed["commit"], listed["references"]) == ("b", 0)
    assert (await server.ask("DELETE", "/admin/code-references?repository=shop/web")).status == 204
    assert (await server.ask("DELETE", "/admin/code-references?repository=shop/web")).status == 404
    # Pipelines write it with every push: the audit log, which people read, has none of it.
    audit = (await server.ask("GET", "/admin/audit?environment=_system")).body
    assert "references.put" not in str(audit)


async def test_an_upload_is_checked_whole_and_not_for_tokens_of_some_flags(server: Server) -> None:
    wrong: dict[str, Any] = {
        "repository": "",
        "link": "javascript:alert(1)",
        "references": [{"flag": "", "file": "a\nb", "line": 0, "within": [1]}, {"flag": "a"}, 7],
    }
    answer = await server.ask("PUT", "/admin/code-references", json=wrong)
    assert answer.status == 422
    assert {each["pointer"] for each in answer.body["errors"]} == {
        "",
        "/repository",
        "/link",
        *(f"/references/0/{field}" for field in ("flag", "file", "line", "within")),
        "/references/1",
        "/references/2",
    }
    many = [{"flag": "a", "file": "f", "line": 1}] * 5001
    assert (await server.ask("PUT", "/admin/code-references", json={**UPLOAD, "references": many})).status == 422
    token = await token_of(server, Role.EDITOR, Scope(flags=("pay.*",)))
    assert (await server.ask("PUT", "/admin/code-references", json=UPLOAD, token=token)).status == 403


async def test_an_owner_has_so_many_release_flags(server: Server) -> None:
    limit = await server.ask("PATCH", "/admin/environments/production", json={"ownerReleaseFlags": 1})
    assert limit.body["ownerReleaseFlags"] == 1
    await server.put("a", owner="ann")
    warned = await server.ask("POST", "/admin/flags/b", json={"owner": "ann"})
    assert warned.status == 201
    assert "limit of this environment is 1" in warned.headers["Wigwag-Warning"]
    await server.ask("PATCH", "/admin/environments/production", json={"refuseOverLimit": True})
    refused = await server.ask("POST", "/admin/flags/c", json={"owner": "ann"})
    assert refused.status == 409
    assert "wigwag stale" in refused.body["detail"]
    # What is there already can be edited, other kinds and owners are free, and an archived flag counts no more.
    assert (await server.ask("POST", "/admin/flags/b", json={"owner": "ann", "enabled": True})).status == 200
    assert (await server.ask("POST", "/admin/flags/c", json={"owner": "ann", "kind": "ops"})).status == 201
    assert (await server.ask("PATCH", "/admin/flags/c", json={"kind": "release"})).status == 409
    assert (await server.ask("POST", "/admin/flags/d", json={"owner": "bob"})).status == 201
    for key in ("a", "b"):
        await server.ask("POST", f"/admin/flags/{key}/archive")
    assert (await server.ask("PATCH", "/admin/flags/c", json={"kind": "release"})).status == 200
    wrong = await server.ask("PATCH", "/admin/environments/production", json={"ownerReleaseFlags": 0})
    assert wrong.status == 422
