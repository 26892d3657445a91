"""Keys: made within what one has, shown once, rotated, revoked with the streams that they opened."""

import time
from pathlib import Path
from typing import Any

import pytest

from tests.server.test_operations import token_of
from tests.support.redis_server import RedisServer
from tests.support.server import ADMIN_TOKEN, Server, running
from tests.support.waiting import until, until_async
from wigwag_server.auth.key_watch import KeyWatch
from wigwag_server.auth.keys import Key, KeyKind
from wigwag_server.auth.last_use import SPACING_MS, LastUse
from wigwag_server.auth.rights import Role, Scope

HOUR_MS = 3_600_000


async def make(server: Server, token: str = ADMIN_TOKEN, /, **body: Any) -> Any:
    answer = await server.ask("POST", "/admin/keys", token=token, json=body)
    assert answer.status == 201, answer
    return answer.body


async def ids(server: Server, token: str = ADMIN_TOKEN) -> set[str]:
    return {key["id"] for key in (await server.ask("GET", "/admin/keys", token=token)).body["keys"]}


async def test_a_token_is_shown_once_and_kept_nowhere(server: Server) -> None:
    for body in (
        {"kind": "server", "name": "shop"},
        {"kind": "client"},
        {"kind": "hook", "flags": ["checkout", "pay.*"]},
        {"kind": "admin", "role": "editor", "environments": ["production"], "flags": ["pay.*"], "tags": ["pay"]},
    ):
        made = await make(server, **body, expiresIn="90d")
        again = (await server.ask("GET", f"/admin/keys/{made['id']}")).body
        assert again == {name: value for name, value in made.items() if name != "key"}
        assert body.items() <= again.items()
        listed = await server.ask("GET", "/admin/keys")
        assert again in listed.body["keys"]
        assert made["key"] not in str(listed.body)
        assert "hash" not in str(listed.body)
        assert made["key"] not in str(server.services.system.replica.records)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"kind": "root"}, "/kind"),
        ({"kind": "server", "role": "admin"}, "/role"),
        ({"kind": "server", "environment": "prod"}, "/environment"),
        ({"kind": "admin"}, "/role"),
        ({"kind": "admin", "role": "king"}, "/role"),
        ({"kind": "admin", "role": "editor", "environments": ["production", "nope"]}, "/environments/1"),
        ({"kind": "admin", "role": "editor", "flags": "checkout"}, "/flags"),
        ({"kind": "hook"}, "/flags"),
        ({"kind": "hook", "flags": ["../x"]}, "/flags/0"),
        ({"kind": "admin", "role": "editor", "flags": ["a", "b\r\n"]}, "/flags/1"),
        ({"kind": "server", "name": "a\r\nb"}, "/name"),
        ({"kind": "server", "expiresAt": "2001-01-01T00:00:00Z"}, "/expiresAt"),
        ({"kind": "server", "expiresIn": "soon"}, "/expiresIn"),
        ({"kind": "server", "expiresIn": "1d", "expiresAt": 4102444800000}, "/expiresIn"),
    ],
)
async def test_a_key_that_cannot_be_is_refused_by_field(server: Server, body: Any, pointer: str) -> None:
    before = await ids(server)
    refused = await server.ask("POST", "/admin/keys", json=body)
    assert refused.status == 422
    assert pointer in [each["pointer"] for each in refused.body["errors"]]
    assert await ids(server) == before


async def test_nobody_grants_or_touches_more_than_they_have(server: Server) -> None:
    assert (await server.ask("POST", "/admin/environments", json={"name": "staging"})).status == 201
    limited = await make(server, kind="admin", role="admin", environments=["staging"], name="limited")
    token = limited["key"]
    within = await make(server, token, kind="server", environment="staging")
    await make(server, token, kind="admin", role="admin", environments=["staging"])
    for body in (
        {"kind": "server", "environment": "production"},
        {"kind": "admin", "role": "viewer"},
        {"kind": "admin", "role": "viewer", "environments": ["staging", "production"]},
    ):
        assert (await server.ask("POST", "/admin/keys", token=token, json=body)).status == 403, body
    other = next(key for key in server.services.keys.all if key.environment == "production")
    assert other.id not in await ids(server, token)
    assert within["id"] in await ids(server, token)
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/rotate")):
        assert (await server.ask(method, f"/admin/keys/{other.id}{path}", token=token)).status == 403
    flags_only = await token_of(server, Role.ADMIN, Scope(flags=("pay.*",)))
    hook = {"kind": "hook", "flags": ["pay.card"]}
    assert (await server.ask("POST", "/admin/keys", token=flags_only, json=hook)).status == 201
    hook = {"kind": "hook", "flags": ["pay.card", "search"]}
    assert (await server.ask("POST", "/admin/keys", token=flags_only, json=hook)).status == 403


async def test_a_token_that_runs_out_makes_none_that_lasts_longer(server: Server) -> None:
    short = (await make(server, kind="admin", role="admin", expiresIn="1h"))["key"]
    lasting = {"kind": "admin", "role": "viewer"}
    assert (await server.ask("POST", "/admin/keys", token=short, json=lasting)).status == 403
    assert (await server.ask("POST", "/admin/keys", token=short, json={**lasting, "expiresIn": "2h"})).status == 403
    assert (await server.ask("POST", "/admin/keys", token=short, json={**lasting, "expiresIn": "30m"})).status == 201


@pytest.mark.parametrize(
    ("mine", "wanted", "expected"),
    [
        (Scope(), Scope(), True),
        (Scope(), Scope(environments=("a",), flags=("x",)), True),
        (Scope(environments=("a",)), Scope(), False),
        (Scope(environments=("a", "b")), Scope(environments=("b",)), True),
        (Scope(flags=("pay.*",)), Scope(flags=("pay.card",)), True),
        (Scope(flags=("pay.*",)), Scope(flags=("pay.*",)), True),
        (Scope(flags=("pay.*",)), Scope(flags=("p*",)), False),
        (Scope(flags=("pay.*",)), Scope(flags=("pay.[a-z]*",)), False),
        (Scope(flags=("pay.*",)), Scope(tags=("pay",)), False),
        (Scope(tags=("pay",)), Scope(tags=("pay",)), True),
        (Scope(tags=("pay",)), Scope(tags=("pay", "search")), False),
    ],
)
def test_a_scope_contains_what_it_reaches(mine: Scope, wanted: Scope, expected: bool) -> None:
    assert mine.contains(wanted) is expected


async def test_a_rotated_key_and_its_successor_overlap(server: Server) -> None:
    old = await make(server, kind="admin", role="operator", flags=["pay.*"], name="pager", expiresIn="90d")
    answer = await server.ask("POST", f"/admin/keys/{old['id']}/rotate", json={"overlap": "2h"})
    assert answer.status == 201
    new = answer.body
    for token in (old["key"], new["key"]):
        assert (await server.ask("GET", "/admin/flags", token=token)).status == 200
    same = ("kind", "name", "role", "flags", "tags", "environments")
    assert [new[each] for each in same] == [old[each] for each in same]
    assert new["rotatedFrom"] == old["id"]
    assert abs(new["expiresAt"] - old["expiresAt"]) < HOUR_MS
    assert 0 < new["rotated"]["expiresAt"] - time.time() * 1000 <= 2 * HOUR_MS
    answer = await server.ask("POST", f"/admin/keys/{new['id']}/rotate", json={"overlap": "0s"})
    assert answer.status == 201
    assert (await server.ask("GET", "/admin/flags", token=new["key"])).status == 401
    assert (await server.ask("POST", f"/admin/keys/{new['id']}/rotate")).status == 409
    assert (await server.ask("POST", f"/admin/keys/{old['id']}/rotate", json={"overlap": "91d"})).status == 422
    assert (await server.ask("POST", "/admin/keys/nope/rotate")).status == 404


async def test_the_last_token_that_can_do_everything_stays(server: Server) -> None:
    (first,) = [key for key in server.services.keys.all if key.kind is KeyKind.ADMIN]
    await make(server, kind="admin", role="editor")
    await make(server, kind="admin", role="admin", environments=["production"])
    refused = await server.ask("DELETE", f"/admin/keys/{first.id}")
    assert refused.status == 409
    assert "last" in refused.body["detail"]
    second = await make(server, kind="admin", role="admin")
    assert (await server.ask("DELETE", f"/admin/keys/{first.id}")).status == 204
    assert (await server.ask("GET", "/admin/flags")).status == 401
    assert (await server.ask("DELETE", f"/admin/keys/{second['id']}", token=second["key"])).status == 409


async def test_revoking_a_key_ends_its_streams_on_every_server(redis_server: RedisServer, tmp_path: Path) -> None:
    async with (
        running(redis_server.url, data_dir=tmp_path / "one") as one,
        running(redis_server.url, data_dir=tmp_path / "two", key=one.key) as two,
    ):
        doomed = await make(one, kind="server", name="doomed")
        await until(lambda: two.services.keys.find(doomed["key"]) is not None)
        kept, lost = two.client(), two.client(doomed["key"])
        async with kept, lost:
            hubs = [each.services.hubs["production"] for each in (one, two)]
            await until(lambda: len(hubs[1].connections) == 2)
            assert (await two.ask("GET", f"/admin/keys/{doomed['id']}")).body["streams"] == 1
            assert (await one.ask("DELETE", f"/admin/keys/{doomed['id']}")).status == 204
            await until(lambda: {each.key_id for each in hubs[1].connections} == {one.services.keys.find(one.key).id})  # type: ignore[union-attr]
            assert (await two.ask("GET", "/v1/snapshot", token=doomed["key"])).status == 401
        assert two.services.tasks.failures == 0


async def test_a_stream_ends_when_its_key_runs_out(server: Server) -> None:
    made = await make(server, kind="server", expiresAt=round(time.time() * 1000) + 1500)
    async with server.client(made["key"]):
        hub = server.services.hubs["production"]
        await until(lambda: len(hub.connections) == 1)
        await until(lambda: not hub.connections)
        assert (await server.ask("GET", "/v1/snapshot", token=made["key"])).status == 401


async def test_last_use_is_known_on_other_servers_within_the_hour_and_is_not_audited(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    async with (
        running(redis_server.url, data_dir=tmp_path / "one") as one,
        running(redis_server.url, data_dir=tmp_path / "two", key=one.key) as two,
    ):
        made = await make(one, kind="server")
        path = f"/admin/keys/{made['id']}"
        assert (await one.ask("GET", path)).body["lastUsedAt"] is None
        before = time.time() * 1000 - 1
        await one.ask("GET", "/v1/snapshot", token=made["key"])
        used_at = (await one.ask("GET", path)).body["lastUsedAt"]
        assert used_at >= before
        watch = key_watch(one)
        await watch.write_uses_once()
        await until_async(lambda: known(two, path, used_at))
        cursor = one.services.system.replica.cursor
        await one.ask("GET", "/v1/snapshot", token=made["key"])
        await watch.write_uses_once()
        assert one.services.system.replica.cursor == cursor
        log = (await one.ask("GET", "/admin/audit?environment=_system&action=key.use")).body
        assert log["entries"] == []
        assert (await one.ask("DELETE", path)).status == 204
        assert made["id"] not in one.services.system.replica.records["use"]


def key_watch(server: Server) -> KeyWatch:
    services = server.services
    return KeyWatch(
        services.system,
        services.keys,
        services.uses,
        hubs=services.hubs,
        notices=services.notices,
        key_logs=services.key_logs,
    )


async def known(server: Server, path: str, used_at: int) -> bool:
    return bool((await server.ask("GET", path)).body["lastUsedAt"] == used_at)


def test_use_is_written_at_most_once_an_hour_and_not_for_keys_that_are_gone() -> None:
    uses = LastUse()
    uses.used("a", 10 * SPACING_MS)
    uses.used("gone", 10 * SPACING_MS)
    records: dict[str, dict[str, Any]] = {"key": {"a": {}}, "use": {"a": {"at": 9 * SPACING_MS + 1}}}
    assert uses.due(records) is None
    assert uses.last("a", records) == 10 * SPACING_MS
    uses.used("a", 10 * SPACING_MS + 1)
    command = uses.due(records)
    assert command is not None
    assert [(change.key, change.value) for change in command(records, 0, 0)] == [("a", {"at": 10 * SPACING_MS + 1})]


def test_when_every_admin_token_has_run_out_a_start_makes_another() -> None:
    key = Key(id="a", kind=KeyKind.ADMIN, name="", hash="", created_at=0, expires_at=1000)
    assert key.administers(999)
    assert not key.administers(1000)
