"""The audit log over HTTP: filtered, paged, and exported so that anybody can follow its chain."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.server.test_operations import token_of
from tests.support.server import ADMIN_TOKEN, Server, running
from tests.support.waiting import until
from wigwag_proto.audit import FIRST_LINK, Recorded, audit_line, broken_at, next_link, parse_line
from wigwag_proto.errors import Malformed
from wigwag_server.auth.rights import Role, Scope

LINES = {"Accept": "application/x-ndjson"}


async def entries(server: Server, query: str = "") -> list[Any]:
    answer = await server.ask("GET", f"/admin/audit?{query}")
    assert answer.status == 200, answer
    found: list[Any] = answer.body["entries"]
    return found


async def exported(server: Server, query: str = "") -> list[bytes]:
    headers = {"Authorization": f"Bearer {ADMIN_TOKEN}", **LINES}
    async with server.session.get(f"{server.url}/admin/audit?{query}", headers=headers) as response:
        assert response.content_type == "application/x-ndjson"
        return (await response.read()).splitlines()


async def test_entries_are_found_by_who_what_where_and_when(server: Server) -> None:
    await server.put("checkout", enabled=True)
    await server.put("search")
    await server.kill("checkout")
    await server.ask("POST", "/admin/segments/staff", json={})
    token = await token_of(server, Role.OPERATOR)
    await server.ask("POST", "/admin/flags/search/kill", token=token)
    assert [each["action"] for each in await entries(server)] == [
        "flag.kill",
        "segment.put",
        "flag.kill",
        "flag.put",
        "flag.put",
    ]
    assert [each["sequence"] for each in await entries(server, "key=checkout")] == [3, 1]
    assert [each["sequence"] for each in await entries(server, "kind=segment&key=staff")] == [4]
    assert [each["sequence"] for each in await entries(server, "action=flag.*&who=bootstrap")] == [3, 2, 1]
    assert [each["sequence"] for each in await entries(server, "who=operator")] == [5]
    newest = (await entries(server))[0]
    assert [each["sequence"] for each in await entries(server, f"who={newest['keyId']}")] == [5]
    assert await entries(server, f"from={newest['at'] + 1}") == []
    assert await entries(server, "to=2001-01-01T00:00:00Z") == []
    assert len(await entries(server, f"from={newest['at']}&to={newest['at'] + 1}")) >= 1
    system = await entries(server, "environment=_system&action=key.*")
    assert {each["action"] for each in system} >= {"key.create", "key.bootstrap"}


async def test_pages_follow_each_other(server: Server) -> None:
    for number in range(7):
        await server.put(f"flag-{number}")
    found, query = [], "limit=3"
    for _ in range(4):
        body = (await server.ask("GET", f"/admin/audit?{query}")).body
        found += [each["sequence"] for each in body["entries"]]
        if body["next"] is None:
            break
        query = f"limit=3&before={body['next']}"
    assert found == [7, 6, 5, 4, 3, 2, 1]


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=1001", "limit=x", "before=-1", "from=yesterday", "who_=x", "kind=flag", "format=xml", "to=1e9"],
)
async def test_a_query_that_is_not_understood_is_refused(server: Server, query: str) -> None:
    assert (await server.ask("GET", f"/admin/audit?{query}")).status == 422


async def test_an_export_is_what_is_stored_and_its_chain_can_be_followed(server: Server) -> None:
    assert await exported(server) == []
    assert (await server.ask("GET", "/admin/audit/verify")).body["last"] is None
    await server.put("checkout", description="a\nb \u2028 é", enabled=True)
    await server.kill("checkout")
    await server.revive("checkout")
    lines = await exported(server)
    assert len(lines) == 3
    recorded = [parse_line(line) for line in lines]
    assert broken_at(recorded, FIRST_LINK) is None
    assert broken_at([recorded[0], recorded[2]]) == 2
    altered = Recorded(2, recorded[1].link, recorded[1].data.replace(b"bootstrap", b"somebody"))
    assert broken_at([recorded[0], altered, recorded[2]]) == 2
    verified = (await server.ask("GET", "/admin/audit/verify")).body
    assert verified == {
        "environment": "production",
        "intact": True,
        "brokenAt": None,
        "first": 1,
        "last": 3,
        "link": recorded[-1].link,
    }
    assert [parse_line(line).sequence for line in await exported(server, "action=flag.kill")] == [2]


async def test_tampering_shows(tmp_path: Path) -> None:
    store = f"sqlite:{tmp_path / 'flags.db'}"
    async with running(store) as server:
        for number in range(450):  # more than two pages
            await server.put(f"flag-{number}")
        assert (await server.ask("GET", "/admin/audit/verify")).body["last"] == 450
        with closing(sqlite3.connect(tmp_path / "flags.db")) as database, database:
            database.execute("UPDATE audit SET data = replace(data, 'bootstrap', 'mallory') WHERE sequence = 201")
        assert (await server.ask("GET", "/admin/audit/verify")).body["brokenAt"] == 201
        with closing(sqlite3.connect(tmp_path / "flags.db")) as database, database:
            database.execute("DELETE FROM audit WHERE sequence IN (200, 201)")
        verified = (await server.ask("GET", "/admin/audit/verify")).body
        assert (verified["intact"], verified["brokenAt"]) == (False, 200)


async def test_an_entry_that_cannot_be_read_is_shown_as_that(tmp_path: Path) -> None:
    async with running(f"sqlite:{tmp_path / 'flags.db'}") as server:
        await server.put("checkout")
        with closing(sqlite3.connect(tmp_path / "flags.db")) as database, database:
            database.execute("UPDATE audit SET data = ? WHERE environment = 'production'", (b"{}",))
        (entry,) = await entries(server, "who=nobody")
        assert "unreadable" in entry
        assert len(await exported(server)) == 1


async def test_the_log_of_keys_is_for_admins_without_limits(server: Server) -> None:
    await server.put("checkout")
    for role, scope in (
        (Role.EDITOR, Scope()),
        (Role.ADMIN, Scope(environments=("production",))),
    ):
        token = await token_of(server, role, scope)
        assert (await server.ask("GET", "/admin/audit?environment=_system", token=token)).status == 403
        assert (await server.ask("GET", "/admin/audit", token=token)).status == 200
    assert (await server.ask("GET", "/admin/audit?environment=nope")).status == 404


async def test_the_log_of_an_environment_outlives_it(server: Server) -> None:
    await server.ask("POST", "/admin/environments", json={"name": "staging"})
    await server.ask("POST", "/admin/flags/checkout?environment=staging", json={})
    assert (await server.ask("DELETE", "/admin/environments/staging?confirm=staging")).status == 204
    await until(lambda: "staging" not in server.services.environments)
    assert [each["action"] for each in await entries(server, "environment=staging")] == [
        "environment.empty",
        "flag.put",
    ]
    assert (await server.ask("GET", "/admin/audit/verify?environment=staging")).body["last"] == 2
    token = await token_of(server, Role.EDITOR)
    assert (await server.ask("GET", "/admin/audit?environment=staging", token=token)).status == 403


@pytest.mark.parametrize("line", [b"", b"{}", b'{"sequence":1,"link":"ab","entry":{}}', b'{"sequence":1}'])
def test_what_is_no_line_is_refused(line: bytes) -> None:
    with pytest.raises(Malformed):
        parse_line(line)


def test_a_line_carries_any_bytes() -> None:
    for data in (b"{}", b'{"a":"}"}', b"not JSON"):
        recorded = Recorded(1, next_link(FIRST_LINK, data), data)
        assert parse_line(audit_line(recorded)) == recorded
