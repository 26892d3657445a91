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


async def test_a_limit_of_owners_holds_for_whatever_brings_flags(server: Server) -> None:
    await server.ask("PATCH", "/admin/environments/production", json={"ownerReleaseFlags": 1})
    two = {"flags": {"a": {"owner": "ann"}, "b": {"owner": "ann"}, "c": {"owner": "bob"}, "d": {}, "e": {}}}
    imported = await server.ask("POST", "/admin/import", json=two)
    assert imported.status == 200
    warning = "With this, 2 of 'ann' are open release flags, and the limit of this environment is 1."
    assert imported.headers["Wigwag-Warning"] == warning
    again = await server.ask("POST", "/admin/import", json=two)
    assert "Wigwag-Warning" not in again.headers  # nobody got more
    await server.ask("PATCH", "/admin/environments/production", json={"refuseOverLimit": True})
    more = {"flags": {"a": {"owner": "ann", "enabled": True}, "f": {"owner": "bob"}}}
    for query in ("", "?dryRun=true"):
        refused = await server.ask("POST", f"/admin/import{query}", json=more)
        assert refused.status == 409
        assert refused.body["detail"].startswith("With this, 2 of 'bob' are open")
        assert refused.body["detail"].endswith("wigwag stale")
    # Bringing one where another goes is as many as before.
    swap = {"mode": "replace", "flags": {"a": {"owner": "ann"}, "b": {"owner": "ann"}, "f": {"owner": "bob"}}}
    assert (await server.ask("POST", "/admin/import", json=swap)).status == 200

    await server.ask("POST", "/admin/environments", json={"name": "staging"})
    await server.ask("POST", "/admin/flags/g?environment=staging", json={"owner": "bob"})
    promote = {"from": "staging", "flags": ["g"]}
    assert (await server.ask("POST", "/admin/environments/production/promote", json=promote)).status == 409

    before = (await server.ask("GET", "/admin/changes")).body["cursor"].split(":")[1]
    assert (await server.ask("DELETE", "/admin/flags/f?confirm=f")).status == 204
    await server.put("h", owner="bob")
    await server.ask("POST", "/admin/flags/h/archive")
    await server.put("i", owner="bob")
    assert (await server.ask("POST", "/admin/flags/h/restore")).status == 409
    await server.ask("PATCH", "/admin/environments/production", json={"refuseOverLimit": False})
    restored = await server.ask("POST", "/admin/flags/h/restore")
    assert "limit of this environment" in restored.headers["Wigwag-Warning"]
    await server.ask("PATCH", "/admin/environments/production", json={"refuseOverLimit": True})
    # Back to where bob had one: fewer than now, so it goes; the way back again would give him more.
    now = (await server.ask("GET", "/admin/changes")).body["cursor"].split(":")[1]
    assert (await server.ask("POST", "/admin/rewind", json={"to": int(before)})).status == 200
    assert (await server.ask("POST", "/admin/rewind", json={"to": int(now)})).status == 409


async def test_what_is_archived_goes_out_with_an_export_and_comes_in_again(server: Server) -> None:
    await server.put("done", enabled=True, owner="ann")
    await server.put("open", enabled=True)
    await server.ask("POST", "/admin/flags/done/archive", json={"reason": "everybody has it"})
    document = (await server.ask("GET", "/admin/export")).body
    archived = document["flags"]["done"]["archived"]
    assert (archived["by"], archived["reason"]) == ("bootstrap", "everybody has it")
    assert "archived" not in document["flags"]["open"]

    await server.ask("POST", "/admin/environments", json={"name": "copy"})
    imported = await server.ask("POST", "/admin/import?environment=copy", json=document)
    assert imported.status == 200
    (done,) = [each for each in imported.body["changes"] if each["key"] == "done"]
    assert done["fields"]["archived"] == {"before": None, "after": archived}
    assert (await server.ask("GET", "/admin/export?environment=copy")).body == document
    assert (await server.ask("POST", "/admin/import?environment=copy", json=document)).body["changes"] == []

    # A file that says nothing leaves it as it is; null restores it, and that alone is a change.
    silent = {"flags": {"done": {"enabled": True, "owner": "ann"}}}
    assert (await server.ask("POST", "/admin/import?environment=copy", json=silent)).body["changes"] == []
    silent["flags"]["done"]["archived"] = None
    changed = (await server.ask("POST", "/admin/import?environment=copy", json=silent)).body["changes"]
    assert [(each["key"], each["change"], list(each["fields"])) for each in changed] == [
        ("done", "changed", ["archived"])
    ]
    assert (await server.ask("GET", "/admin/flags/done?environment=copy")).body["archived"] is None
    for wrong in ("yes", {}, {"by": "ann", "at": -1}, {"by": "x" * 200, "at": 1}):
        body = {"flags": {"done": {"archived": wrong}}}
        assert (await server.ask("POST", "/admin/import?environment=copy", json=body)).status == 422


async def test_whoever_takes_a_flag_away_is_told_how_often_it_is_asked_for(server: Server) -> None:
    await server.put("checkout", enabled=True)
    usage = [{"flag": "checkout", "enabled": True, "reason": "STATIC", "count": 1203}]
    outcomes = [{"flag": "checkout", "enabled": True, "calls": 7}]
    told = {"instance": {"id": "instance1"}, "batch": 1, "usage": usage, "outcomes": outcomes}
    assert (await server.ask("POST", "/v1/telemetry", token=server.key, json=told)).status == 204
    await server.ask("PUT", "/admin/code-references", json=UPLOAD)
    said = (
        "'checkout' is still in use: code asks for it in 2 places (wigwag references checkout), "
        "and it was asked for 1,203 times in the last 24 hours."
    )
    trial = await server.ask("DELETE", "/admin/flags/checkout?dryRun=true")
    assert trial.headers["Wigwag-Warning"] == said
    archived = await server.ask("POST", "/admin/flags/checkout/archive")
    assert archived.headers["Wigwag-Warning"] == said
    gone = await server.ask("DELETE", "/admin/flags/checkout?confirm=checkout")
    assert (gone.status, gone.headers["Wigwag-Warning"]) == (204, said)
