"""Webhooks: told in order, signed, again until the receiver has it, by one server, and nowhere they must not lead."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.server.test_operations import token_of
from tests.support.receiver import Receiver, receiving
from tests.support.redis_server import RedisServer
from tests.support.server import Server, running
from tests.support.waiting import until, until_async
from wigwag_proto.telemetry import Instance, instance_header
from wigwag_server.auth.rights import Role, Scope
from wigwag_server.webhooks.audit_reader import place_before, read_on
from wigwag_server.webhooks.progress import Place


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as made:
        yield made


@pytest.fixture
async def server(store_url: str, tmp_path: Path) -> AsyncIterator[Server]:
    async with running(store_url, data_dir=tmp_path / "data", webhook_allow_private=True) as made:
        yield made


async def make(server: Server, receiver: Receiver, **fields: Any) -> Any:
    answer = await server.ask("POST", "/admin/webhooks", json={"url": receiver.url, **fields})
    assert answer.status == 201, answer
    return answer.body


async def deliveries(server: Server, webhook: Any) -> Any:
    return (await server.ask("GET", f"/admin/webhooks/{webhook['id']}/deliveries")).body


async def test_a_kill_and_its_revival_are_told_signed_and_in_order(server: Server, receiver: Receiver) -> None:
    await server.put("before")
    webhook = await make(server, receiver)
    await server.put("checkout", enabled=True)
    await server.ask("POST", "/admin/flags/checkout/kill", json={"reason": "cards fail"})
    await server.revive("checkout")
    await until(lambda: len(receiver.got) == 3, "three events")
    change, kill, revive = receiver.events()
    assert [change["type"], kill["type"], revive["type"]] == ["change", "kill", "revive"]
    assert (kill["reason"], kill["environment"], kill["revision"]) == ("cards fail", "production", 3)
    assert kill["flags"][0]["key"] == "checkout"
    assert kill["flags"][0]["kill"]["reason"] == "cards fail"
    assert len({each.id for each in receiver.got}) == 3
    assert all(each.signed_with(webhook["secret"]) for each in receiver.got)
    assert not any(each.signed_with("whsec_AAAA") for each in receiver.got)

    async def all_in() -> bool:
        found = await deliveries(server, webhook)
        return not found["waiting"] and [e["delivered"] for e in found["recent"]] == [True, True, True]

    await until_async(all_in, "the deliveries to be noted")


async def test_an_event_is_told_again_under_its_id_and_the_next_of_its_flag_waits(
    server: Server, receiver: Receiver
) -> None:
    webhook = await make(server, receiver, events=["kill", "revive"])
    await server.put("checkout", enabled=True)
    await server.put("search", enabled=True)
    receiver.answer = lambda got: 500 if b'"checkout"' in got.body and len(receiver.got) < 5 else 204
    await server.kill("checkout")
    await until(lambda: len(receiver.got) == 1, "the first attempt")
    await server.revive("checkout")
    await server.kill("search")
    await until(lambda: b'"search"' in receiver.got[-1].body, "the other flag, which does not wait")
    await until(lambda: receiver.events("revive") != [], "the flag's next event")
    of_checkout = [each for each in receiver.got if b'"checkout"' in each.body]
    kills = [each.id for each in of_checkout if each.json["type"] == "kill"]
    assert len(kills) > 1
    assert len(set(kills)) == 1
    assert of_checkout[-1].json["type"] == "revive"
    assert [each.json["type"] for each in of_checkout].index("revive") == len(kills)

    async def noted() -> bool:
        recent = (await deliveries(server, webhook))["recent"]
        return [each["attempts"] for each in recent if each["id"] == kills[0]] == [len(kills)]

    await until_async(noted, "the attempts to be noted")


async def test_what_waits_survives_a_restart(store_url: str, tmp_path: Path, receiver: Receiver) -> None:
    settings: Any = {"data_dir": tmp_path / "data", "webhook_allow_private": True}
    receiver.answer = lambda _: 503
    async with running(store_url, **settings) as server:
        webhook = await make(server, receiver, events=["kill"])
        await server.put("checkout", enabled=True)
        await server.kill("checkout")
        await until(lambda: len(receiver.got) == 1, "an attempt in vain")
    receiver.answer = lambda _: 204
    async with running(store_url, key=server.key, **settings) as server:
        # It does not wait for a sender that has said that it stops.
        server.services.webhooks.log._take_over_s = 3600.0

        async def delivered() -> bool:
            return [e["delivered"] for e in (await deliveries(server, webhook))["recent"]] == [True]

        await until_async(delivered, "the event")
    assert len({each.id for each in receiver.got}) == 1


async def test_filters_leave_out_what_is_not_asked_for(server: Server, receiver: Receiver) -> None:
    assert (await server.ask("POST", "/admin/environments", json={"name": "staging"})).status == 201
    await make(server, receiver, events=["kill"], flags=["pay.*"], tags=["shop"], environments=["production"])
    await server.put("pay.card", enabled=True)
    await server.put("search", enabled=True)
    await server.put("cart", enabled=True, tags=["shop"])
    assert (await server.ask("POST", "/admin/flags/pay.card?environment=staging", json={})).status == 201
    assert (await server.ask("POST", "/admin/flags/pay.card/kill?environment=staging")).status == 200
    await server.kill("search")
    body = {"keys": ["pay.card", "search", "cart"]}
    assert (await server.ask("POST", "/admin/kill", json=body)).status == 200
    await server.put("last", tags=["shop"])
    await server.kill("last")
    await until(lambda: len(receiver.got) == 2, "the two kills that are asked for")
    told = [sorted(flag["key"] for flag in each["flags"]) for each in receiver.events()]
    assert told == [["cart", "pay.card"], ["last"]]
    assert {each["environment"] for each in receiver.events()} == {"production"}


async def test_slack_gets_a_message_that_mentions_nobody(server: Server, receiver: Receiver) -> None:
    await make(server, receiver, template="slack", events=["kill"])
    await server.put("checkout", enabled=True)
    await server.ask("POST", "/admin/flags/checkout/kill", json={"reason": "<!channel> & <https://evil|x>"})
    await until(lambda: len(receiver.got) == 1, "the message")
    text = receiver.got[0].json["text"]
    assert "`checkout` *killed* in production" in text
    assert "&lt;!channel&gt; &amp; &lt;https://evil|x&gt;" in text
    assert "<" not in text


async def test_secrets_are_shown_once_and_both_sign_while_one_replaces_the_other(
    server: Server, receiver: Receiver
) -> None:
    made = await make(server, receiver)
    path = f"/admin/webhooks/{made['id']}"
    rotated = (await server.ask("POST", path + "/rotate", json={"overlap": "1h"})).body
    assert rotated["secret"] != made["secret"]
    assert (await server.ask("POST", path + "/test")).body["delivered"]
    assert receiver.got[-1].signed_with(made["secret"])
    assert receiver.got[-1].signed_with(rotated["secret"])
    last = (await server.ask("POST", path + "/rotate", json={"overlap": "0s"})).body
    assert (await server.ask("POST", path + "/test")).body["status"] == 204
    assert receiver.got[-1].signed_with(last["secret"])
    assert not receiver.got[-1].signed_with(rotated["secret"])
    shown = [await server.ask("GET", path), await server.ask("GET", "/admin/webhooks")]
    shown.append(await server.ask("GET", "/admin/audit?environment=_system"))
    assert "webhook.rotate" in str(shown[-1].body)
    assert not any(each["secret"] in str(answer.body) for each in (made, rotated, last) for answer in shown)


async def test_a_test_says_what_went_wrong_and_follows_nobody(server: Server, receiver: Receiver) -> None:
    webhook = await make(server, receiver)
    path = f"/admin/webhooks/{webhook['id']}/test"
    receiver.answer = lambda _: web.Response(status=302, headers={"Location": receiver.url})
    moved = (await server.ask("POST", path)).body
    assert (moved["delivered"], moved["status"]) == (False, 302)
    assert "redirects are not followed" in moved["error"]
    assert len(receiver.got) == 1
    receiver.answer = lambda _: web.Response(body=b"x" * 10_000_000)
    assert (await server.ask("POST", path)).body["delivered"]
    assert (await server.ask("PATCH", f"/admin/webhooks/{webhook['id']}", json={"url": "http://127.0.0.1:9/"})).status
    refused = (await server.ask("POST", path)).body
    assert (refused["delivered"], refused["status"]) == (False, None)
    assert refused["error"]


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/x",
        "https://localhost/x",
        "https://10.0.0.1/x",
        "https://192.168.1.1/x",
        "https://169.254.169.254/latest/meta-data",
        "https://100.64.0.1/x",
        "https://0.0.0.0/x",
        "https://[::1]/x",
        "https://[fe80::1]/x",
        "https://[fc00::1]/x",
        "https://[::ffff:127.0.0.1]/x",
        "https://[::127.0.0.1]/x",
        "https://[2002:7f00:1::]/x",
        "https://[64:ff9b:1::7f00:1]/x",
        "https://[fec0::1]/x",
        "https://192.0.0.192/opc/v2/instance",
        "https://[64:ff9b::7f00:1]/x",
        "http://example.com/x",
        "ftp://example.com/x",
        "https://user:secret@example.com/x",
        "https://",
        "nonsense",
    ],
)
async def test_a_url_that_leads_inside_is_refused(embedded: Server, url: str) -> None:
    refused = await embedded.ask("POST", "/admin/webhooks", json={"url": url})
    assert refused.status == 422
    assert [each["pointer"] for each in refused.body["errors"]] == ["/url"]


@pytest.mark.parametrize("host", ["0x7f.1", "0x7f000001", "2130706433", "127.1", "017700000001"])
async def test_a_name_that_leads_inside_is_never_connected_to(embedded: Server, receiver: Receiver, host: str) -> None:
    """What only the resolver understands is judged by the address that it leads to, as a name is."""
    port = receiver.url.rpartition(":")[2].partition("/")[0]
    made = await embedded.ask("POST", "/admin/webhooks", json={"url": f"https://{host}:{port}/x"})
    assert made.status == 201, made
    tested = (await embedded.ask("POST", f"/admin/webhooks/{made.body['id']}/test")).body
    assert not tested["delivered"]
    # aiohttp itself refuses numbers that have digits only.
    assert ("private address" if "x" in host else "not a canonical") in tested["error"]
    assert receiver.got == []


async def test_one_server_sends_and_another_takes_over(
    redis_server: RedisServer, tmp_path: Path, receiver: Receiver
) -> None:
    url: Any = redis_server.url
    private: Any = {"webhook_allow_private": True}
    async with running(url, data_dir=tmp_path / "1", **private) as one:
        await make(one, receiver, events=["kill", "revive"])
        async with running(url, key=one.key, data_dir=tmp_path / "2", **private) as other:
            senders = [one.services.webhooks.log, other.services.webhooks.log]
            for sender in senders:
                sender._take_over_s = 0.3
            await one.put("checkout", enabled=True)
            for _ in range(3):
                await one.kill("checkout")
                await other.revive("checkout")
            await until(lambda: len(receiver.got) >= 6, "all events")
            assert len(receiver.got) == 6, "each was sent once"
            assert [sender.sending for sender in senders].count(True) == 1
            first = next(sender for sender in senders if sender.sending)
            second = next(sender for sender in senders if not sender.sending)

            # The one that sends hangs: it is still there, and does nothing.
            await first._saving.acquire()
            first._held_until = 0.0
            await other.kill("checkout")
            await until(lambda: second.sending, "the other to take over")
            await until(lambda: len(receiver.got) >= 7, "the event")
            first._saving.release()
            await until(lambda: not first.sending, "the first to notice")
            await one.revive("checkout")
            await until(lambda: len({each.id for each in receiver.got}) == 8, "the next event")


async def test_an_emergency_and_a_lost_store_are_told_without_the_store(
    own_redis: RedisServer, tmp_path: Path, receiver: Receiver
) -> None:
    async with running(own_redis.url, data_dir=tmp_path / "data", webhook_allow_private=True) as server:
        webhook = await make(server, receiver, events=["emergency", "degraded", "recovered", "kill"])
        await server.put("checkout", enabled=True)
        server.services.webhooks.watch._degraded_after_s = 0.0
        await own_redis.stop()
        environment = server.services.environments["production"]
        await until(lambda: environment.degraded, "the loss to be noticed")
        killed = await server.ask("POST", "/admin/flags/checkout/kill", json={"reason": "fire"})
        assert killed.status == 202
        await until(lambda: len(receiver.got) >= 2, "both events")
        (emergency,) = receiver.events("emergency")
        assert (emergency["flags"], emergency["reason"]) == ([{"key": "checkout"}], "fire")
        assert receiver.events("degraded")[0]["server"] == server.services.server_id
        assert all(each.signed_with(webhook["secret"]) for each in receiver.got)
        await own_redis.start()
        await until(lambda: len(receiver.events("recovered")) == 1, "the store to be back")
        await until(lambda: len(receiver.events("kill")) == 1, "the kill, once it is in the log")


async def test_instances_that_do_not_confirm_are_named(
    server: Server, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    await server.put("checkout", enabled=True)
    await make(server, receiver, events=["stale", "kill"])
    server.services.webhooks.stale.after_s = 0.2
    instance = instance_header(Instance(id="never-confirms-1", label="shop", host="a", pid=7))
    async with server.stream(Wigwag_Instance=instance) as stream:
        assert stream.status == 200
        await until(lambda: server.services.instances.of("production").instances == 1, "the instance")
        await server.kill("checkout")
        await until(lambda: receiver.events("stale") != [], "the event")
        (stale,) = receiver.events("stale")
    assert stale["detail"]["instances"] == ["shop@a:7"]
    assert stale["detail"]["counts"]["pending"] == 1
    assert stale["detail"]["revision"] == receiver.events("kill")[0]["revision"]


async def test_instances_that_do_not_confirm_are_named_by_whoever_takes_over(
    server: Server, receiver: Receiver
) -> None:
    await server.put("checkout", enabled=True)
    await make(server, receiver, events=["stale"])
    watch, asked = server.services.webhooks.stale, 0

    def after_a_while() -> bool:
        nonlocal asked
        asked += 1
        return asked > 2

    watch.after_s, watch.may_tell = 0.2, after_a_while
    instance = instance_header(Instance(id="never-confirms-1", label="shop", host="a", pid=7))
    async with server.stream(Wigwag_Instance=instance):
        await until(lambda: server.services.instances.of("production").instances == 1, "the instance")
        await server.kill("checkout")
        await until(lambda: receiver.events("stale") != [], "the event")
    assert asked == 3


async def test_a_log_that_was_begun_anew_is_read_from_its_beginning(server: Server) -> None:
    await server.put("checkout")
    log = server.services.environments["production"]
    page, place, more = await read_on(log, Place())
    assert [each.entry().action for each in page] == ["flag.put"]
    assert not more
    await server.kill("checkout")
    page, after, _ = await read_on(log, place)
    assert [each.entry().action for each in page] == ["flag.kill"]
    # As if the store had lost the log that it came from: another entry, or none, stands where it was.
    for lost in (Place(place.sequence, "0" * 40, place.at), Place(99, "0" * 40, place.at)):
        page, found, _ = await read_on(log, lost)
        assert found.sequence == after.sequence
        assert "flag.kill" in [each.entry().action for each in page]
    assert await place_before(log, after.at + 1) == after
    assert (await place_before(log, 0)).sequence == 0


async def test_a_limited_token_gets_no_more_told_than_it_may_see(embedded: Server) -> None:
    assert (await embedded.ask("POST", "/admin/environments", json={"name": "staging"})).status == 201
    token = await token_of(embedded, Role.ADMIN, Scope(environments=("staging",)))
    body = {"url": "https://hooks.example.com/"}
    assert (await embedded.ask("POST", "/admin/webhooks", token=token, json=body)).status == 403
    within = await embedded.ask("POST", "/admin/webhooks", token=token, json={**body, "environments": ["staging"]})
    assert within.status == 201
    wide = await embedded.ask("POST", "/admin/webhooks", json=body)
    listed = await embedded.ask("GET", "/admin/webhooks", token=token)
    assert [each["id"] for each in listed.body["webhooks"]] == [within.body["id"]]
    assert (await embedded.ask("DELETE", f"/admin/webhooks/{wide.body['id']}", token=token)).status == 403
    path = f"/admin/webhooks/{within.body['id']}"
    assert (await embedded.ask("PATCH", path, token=token, json={"environments": []})).status == 403
    assert (await embedded.ask("PATCH", path, token=token, json={"name": "mine"})).body["name"] == "mine"
    assert (await embedded.ask("DELETE", path, token=token)).status == 204
    assert (await embedded.ask("GET", path)).status == 404


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/url"),
        ({"url": "https://a.example", "events": ["kills"]}, "/events/0"),
        ({"url": "https://a.example", "events": ["test"]}, "/events/0"),
        ({"url": "https://a.example", "flags": ["../x"]}, "/flags/0"),
        ({"url": "https://a.example", "environments": ["prod"]}, "/environments/0"),
        ({"url": "https://a.example", "template": "teams"}, "/template"),
        ({"url": "https://a.example", "active": "yes"}, "/active"),
        ({"url": "https://a.example", "name": "a\nb"}, "/name"),
        ({"url": "https://a.example", "secret": "mine"}, "/secret"),
    ],
)
async def test_a_webhook_that_cannot_be_is_refused_by_field(embedded: Server, body: Any, pointer: str) -> None:
    refused = await embedded.ask("POST", "/admin/webhooks", json=body)
    assert refused.status == 422
    assert [each["pointer"] for each in refused.body["errors"]] == [pointer]
