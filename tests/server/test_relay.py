"""A relay serves what its upstream serves, and changes nothing."""

from asyncio import timeout
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.relays import relay_key, relaying
from tests.support.server import Server
from tests.support.server import running as running_server
from tests.support.waiting import until
from wigwag import FlagClient
from wigwag_server.auth.keys import KeyKind


@pytest.fixture
async def upstream(store_url: str, tmp_path: Path) -> AsyncIterator[Server]:
    async with running_server(store_url, data_dir=tmp_path / "upstream", heartbeat_s=0.2) as server:
        await server.put("checkout", enabled=True, clientVisible=True)
        yield server


@pytest.fixture
async def relay(upstream: Server, tmp_path: Path) -> AsyncIterator[Server]:
    key = await relay_key(upstream)
    async with relaying(upstream.url, key, tmp_path / "relay", app_key=upstream.key, heartbeat_s=0.2) as made:
        yield made


def keys_of(server: Server) -> dict[str, Any]:
    return server.services.system.replica.records.get("key", {})


async def test_clients_of_a_relay_get_every_change(upstream: Server, relay: Server) -> None:
    async with relay.client() as flags:
        assert flags.is_enabled("checkout")
        await upstream.kill("checkout")
        await until(lambda: not flags.is_enabled("checkout"), "the kill")
        await upstream.revive("checkout")
        await until(lambda: flags.is_enabled("checkout"), "the revival")
        assert flags.status.age_s is not None


async def test_snapshots_are_those_of_the_upstream(upstream: Server, relay: Server) -> None:
    theirs = await upstream.ask("GET", "/v1/snapshot", token=upstream.key)
    await until(
        lambda: str(relay.services.environments["production"].replica.cursor) == theirs.body["cursor"], "the state"
    )
    mine = await relay.ask("GET", "/v1/snapshot", token=upstream.key)
    assert mine.body == theirs.body
    assert mine.headers["ETag"] == theirs.headers["ETag"]
    assert int(mine.headers["Wigwag-Age-Ms"]) >= 0
    held = {"If-None-Match": theirs.headers["ETag"]}
    assert (await relay.ask("GET", "/v1/snapshot", token=upstream.key, headers=held)).status == 304


async def test_a_stream_that_was_on_the_upstream_goes_on_at_the_relay(upstream: Server, relay: Server) -> None:
    environment = relay.services.environments["production"]
    before = environment.replica.cursor
    await upstream.put("search", enabled=True)
    await until(lambda: environment.replica.cursor != before, "the change")
    async with relay.stream(Last_Event_ID=str(before)) as response:
        hello = await response.content.readuntil(b"\n\n")
        patch = await response.content.readuntil(b"\n\n")
    assert b'"outcome":"resumed"' in hello
    assert b"event: patch" in patch
    assert b'"search"' in patch


async def test_browsers_are_answered_as_by_the_upstream(upstream: Server, relay: Server) -> None:
    key = await upstream.new_key("client")
    await until(lambda: relay.services.keys.find(key) is not None, "the key")
    body = {"context": {"targetingKey": "ann"}}
    answers = [
        await server.ask("POST", "/ofrep/v1/evaluate/flags/checkout", token=key, json=body)
        for server in (upstream, relay)
    ]
    assert answers[0].status == 200
    assert answers[0].body == answers[1].body
    assert (await relay.ask("GET", "/api/flags/checkout", token=key)).body == {"enabled": True}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/admin/flags/checkout/kill"),
        ("PATCH", "/admin/flags/checkout"),
        ("POST", "/v1/kill"),
        ("POST", "/admin/keys"),
        ("GET", "/admin/flags"),
        ("DELETE", "/admin/nothing"),
    ],
)
async def test_what_is_for_people_is_sent_to_the_upstream(
    upstream: Server, relay: Server, method: str, path: str
) -> None:
    answer = await relay.ask(method, path)
    assert answer.status == 405
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["Allow"] == ""
    assert f"{method} {upstream.url}{path}" in answer.body["detail"]
    assert answer.body["upstream"] == upstream.url


async def test_a_relay_knows_the_keys_of_its_apps_by_their_hashes_and_no_others(
    upstream: Server, relay: Server
) -> None:
    assert (await upstream.ask("POST", "/admin/environments", json={"name": "staging"})).status == 201
    wanted: list[dict[str, Any]] = [
        {"kind": "client"},
        {"kind": "hook", "flags": ["checkout"]},
        {"kind": "admin", "role": "viewer"},
        {"kind": "server", "environment": "staging"},
        {"kind": "relay", "environments": ["production", "staging"]},
    ]
    made = {body["kind"]: (await upstream.ask("POST", "/admin/keys", json=body)).body["id"] for body in wanted}
    last = (await upstream.ask("POST", "/admin/keys", json={"kind": "server", "name": "last"})).body
    await until(lambda: last["id"] in keys_of(relay), "the last key")
    assert made["client"] in keys_of(relay)
    assert not {made[kind] for kind in ("hook", "admin", "server", "relay")} & keys_of(relay).keys()
    shown = keys_of(relay)[last["id"]]
    assert last["key"] not in str(shown)
    assert {plain["kind"] for plain in keys_of(relay).values()} <= {KeyKind.SERVER, KeyKind.CLIENT, KeyKind.RELAY}
    assert all(plain["createdBy"] == "" for plain in keys_of(relay).values())
    assert set(relay.services.environments) == {"production"}
    # The log of keys is not what one gets by asking for `_system`, nor with the key of an app.
    token = await relay_key(upstream)
    for path, key, status in (
        ("/v1/snapshot?environment=_system", token, 403),
        ("/v1/snapshot?environment=staging", token, 403),
        ("/v1/snapshot?environment=_keys", token, 200),
        ("/v1/snapshot?environment=_keys", upstream.key, 200),
    ):
        answer = await upstream.ask("GET", path, token=key)
        assert answer.status == status, path
        if status == 200:
            assert answer.body["environment"] == ("_keys" if key == token else "production")


async def test_a_key_that_is_revoked_ends_its_streams_behind_a_relay(upstream: Server, relay: Server) -> None:
    made = (await upstream.ask("POST", "/admin/keys", json={"kind": "server"})).body
    await until(lambda: relay.services.keys.find(made["key"]) is not None, "the key")
    async with FlagClient(relay.url, made["key"]) as flags:
        assert flags.status.connected
        assert (await upstream.ask("DELETE", f"/admin/keys/{made['id']}")).status == 204
        await until(lambda: not flags.status.connected, "the end of the stream")
    assert (await relay.ask("GET", "/v1/snapshot", token=made["key"])).status == 401


async def test_a_relay_serves_several_environments_and_those_that_are_made_later(
    upstream: Server, tmp_path: Path
) -> None:
    assert (await upstream.ask("POST", "/admin/environments", json={"name": "staging"})).status == 201
    key = await relay_key(upstream, "production", "staging")
    async with relaying(upstream.url, key, tmp_path / "relay") as relay:
        assert set(relay.services.environments) == {"production", "staging"}
        made = (await upstream.ask("POST", "/admin/keys", json={"kind": "server", "environment": "staging"})).body
        await upstream.ask("POST", "/admin/flags/beta?environment=staging", json={"enabled": True})
        await until(lambda: relay.services.keys.find(made["key"]) is not None, "the key")
        async with FlagClient(relay.url, made["key"]) as flags:
            await until(lambda: flags.is_enabled("beta"), "the flag")
            assert (await upstream.ask("DELETE", "/admin/environments/staging?confirm=staging")).status == 204
            await until(lambda: "staging" not in relay.services.environments, "the end")
        assert (await upstream.ask("POST", "/admin/environments", json={"name": "staging"})).status == 201
        # The key was narrowed with the environment, and an environment of the same name is another one.
        await upstream.ask("POST", "/admin/keys", json={"kind": "server", "name": "after"})
        assert set(relay.services.environments) == {"production"}


async def test_a_relay_of_a_relay_knows_the_keys_too(upstream: Server, relay: Server, tmp_path: Path) -> None:
    below = await relay_key(upstream)
    await until(lambda: relay.services.keys.find(below) is not None, "the key of the lower relay")
    async with relaying(relay.url, below, tmp_path / "lower", app_key=upstream.key) as lower:
        async with lower.client() as flags:
            assert flags.is_enabled("checkout")
            await upstream.kill("checkout")
            await until(lambda: not flags.is_enabled("checkout"), "the kill through two levels")
        made = (await upstream.ask("POST", "/admin/keys", json={"kind": "server"})).body
        await until(lambda: lower.services.keys.find(made["key"]) is not None, "a new key")
        await upstream.ask("DELETE", f"/admin/keys/{made['id']}")
        await until(lambda: lower.services.keys.find(made["key"]) is None, "its end")


async def test_the_key_of_a_relay_needs_its_environments_and_those_of_its_maker(upstream: Server) -> None:
    nothing = await upstream.ask("POST", "/admin/keys", json={"kind": "relay"})
    assert nothing.status == 422
    assert nothing.body["errors"][0]["pointer"] == "/environments"
    limited = {"kind": "admin", "role": "admin", "environments": ["production"]}
    token = (await upstream.ask("POST", "/admin/keys", json=limited)).body["key"]
    assert (await upstream.ask("POST", "/admin/environments", json={"name": "staging"})).status == 201
    body = {"kind": "relay", "environments": ["production", "staging"]}
    assert (await upstream.ask("POST", "/admin/keys", token=token, json=body)).status == 403
    made = await upstream.ask("POST", "/admin/keys", json=body)
    assert made.body["environments"] == ["production", "staging"]
    assert made.body["key"].startswith("ww_relay_")
    which = await upstream.ask("GET", "/v1/snapshot", token=made.body["key"])
    assert which.status == 422
    assert "?environment=production" in which.body["detail"]


async def test_what_is_confirmed_and_counted_behind_relays_is_seen_at_the_store(
    upstream: Server, relay: Server, tmp_path: Path
) -> None:
    below = await relay_key(upstream, name="lower")
    await until(lambda: relay.services.keys.find(below) is not None, "the key of the lower relay")
    async with relaying(relay.url, below, tmp_path / "lower", app_key=upstream.key) as lower:
        async with lower.client(report_every_s=0.1) as flags, relay.client(report_every_s=0.1) as other:
            assert flags.is_enabled("checkout")
            assert other.is_enabled("checkout")

            async def seated() -> int:
                return len((await upstream.ask("GET", "/admin/instances")).body["instances"])

            async with timeout(10):
                while await seated() < 2:
                    pass
            found = (await upstream.ask("GET", "/admin/instances")).body
            # By the names of their keys, from the store down.
            assert sorted(each["relays"] for each in found["instances"]) == [["relay"], ["relay", "lower"]]
            assert sorted(each["relays"] for each in found["servers"]) == [[], ["relay"], ["relay", "lower"]]
            revision = (await upstream.kill("checkout"))["revision"]
            async with timeout(10):
                while True:
                    verdict = (await upstream.ask("GET", f"/admin/propagation/{revision}")).body
                    if verdict["complete"]:
                        break
            assert verdict["instances"] == 2
            async with timeout(10):
                while (await upstream.ask("GET", "/admin/flags/checkout/metrics")).body["total"] < 2:
                    pass
    foreign = {"environment": "staging", "update": True}
    assert (await upstream.ask("POST", "/v1/relayed", token=below, json=foreign)).status == 403
    assert (await upstream.ask("POST", "/v1/relayed", token=upstream.key, json=foreign)).status == 403
