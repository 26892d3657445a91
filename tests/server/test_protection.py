"""What keeps out those who guess, shout or dig, and keeps quiet about what is nobody's business."""

import asyncio
import io
import logging
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.server import Server, running
from wigwag_server.auth.buckets import Buckets
from wigwag_server.auth.guard import network
from wigwag_server.log import JsonFormatter
from wigwag_server.settings import Limits

SECRETS = ("ww_admin_guessed-by-somebody", "ww_server_in-the-url", "ann@example.com", "4111-1111")


async def test_guessing_keys_is_slowed_down_and_a_valid_key_is_not(server: Server) -> None:
    answers = [await server.ask("GET", "/admin/flags", token=f"wrong-{number}") for number in range(40)]
    statuses = [answer.status for answer in answers]
    assert statuses[:30] == [401] * 30
    assert 429 in statuses
    refused = next(answer for answer in answers if answer.status == 429)
    assert int(refused.headers["Retry-After"]) >= 60
    assert (await server.ask("GET", "/admin/flags")).status == 200
    assert (await server.ask("GET", "/v1/snapshot", token=server.key)).status == 200
    assert (await server.ask("GET", "/admin/flags", token=None)).status == 401


async def test_a_token_that_writes_without_end_is_slowed_down_but_its_kills_are_not(tmp_path: Path) -> None:
    limits = Limits(writes=3, writes_per_s=0.001)
    async with running(f"sqlite:{tmp_path / 'flags.db'}", limits=limits) as server:  # has made a key
        await server.put("checkout")
        await server.put("checkout")
        refused = await server.ask("POST", "/admin/flags/checkout", json={})
        assert refused.status == 429
        assert int(refused.headers["Retry-After"]) > 0
        for _ in range(5):
            await server.kill("checkout")
            assert (await server.ask("GET", "/admin/flags")).status == 200


@given(takes=st.lists(st.tuples(st.sampled_from("ab"), st.floats(0, 5)), max_size=60))
def test_a_bucket_never_gives_more_than_it_may(takes: list[tuple[str, float]]) -> None:
    buckets, now, given_at = Buckets(3, 0.5), 0.0, dict[str, list[float]]()
    for name, pause in takes:
        now += pause
        wait_s = buckets.take(name, now)
        times = given_at.setdefault(name, [])
        if wait_s == 0:
            times.append(now)
        else:
            assert 0 < wait_s <= 2
            assert Buckets.take(buckets, name, now + wait_s + 1e-6) == 0
            times.append(now + wait_s + 1e-6)
            now += wait_s + 1e-6
        for index, begin in enumerate(times):
            assert len(times[index:]) <= 3 + 0.5 * (times[-1] - begin) + 1e-6


def test_buckets_are_bounded() -> None:
    buckets = Buckets(1, 0.001, most=10)
    for number in range(1000):
        buckets.take(str(number), 0)
    assert len(buckets) == 10
    assert buckets.take("999", 0) > 0


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("fe80::1%eth0", "fe80::"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("", ""),
        ("/run/socket", "/run/socket"),
    ],
)
def test_who_has_a_net_is_one(address: str, expected: str) -> None:
    assert network(address) == expected


async def test_every_answer_says_how_to_find_its_request(server: Server) -> None:
    await server.put("checkout")
    for path, token in (
        ("/healthz", None),
        ("/v1/snapshot", server.key),
        ("/admin/flags/checkout", "wrong"),
        ("/admin/flags/nope", None),
        ("/nowhere", None),
    ):
        answer = await server.ask("GET", path, token=token)
        request_id = answer.headers["X-Request-Id"]
        assert len(request_id) == 12
        if answer.status >= HTTPStatus.BAD_REQUEST:
            assert answer.body["instance"] == request_id
    async with server.stream() as stream:
        assert len(stream.headers["X-Request-Id"]) == 12
    put = await server.ask("POST", "/admin/flags/checkout", json={})
    entry = (await server.ask("GET", "/admin/audit")).body["entries"][0]
    assert entry["request"] == put.headers["X-Request-Id"]


async def test_web_pages_get_nothing_of_the_admin_api(tmp_path: Path) -> None:
    async with running(f"sqlite:{tmp_path / 'flags.db'}", cors_origins=("*",)) as server:
        headers = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
        for path in ("/admin/flags", "/admin/keys", "/admin/environments", "/admin/audit"):
            for method in ("OPTIONS", "GET"):
                answer = await server.ask(method, path, headers=headers)
                assert not [name for name in answer.headers if name.lower().startswith("access-control")]
                assert answer.headers["Cache-Control"] == "no-store"
            assert (await server.ask("OPTIONS", path, headers=headers)).status == 405


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"[" * 65 + b"]" * 65, 400),
        (b'{"a":' * 65 + b"1" + b"}" * 65, 400),
        (b"[" * 100_000, 400),
        (b'{"description": ' + b"[" * 63 + b"]" * 63 + b"}", 422),
    ],
)
async def test_a_body_is_only_so_deep(server: Server, data: bytes, status: int) -> None:
    headers = {"Content-Type": "application/json"}
    for path in ("/admin/flags/checkout", "/admin/import", "/admin/environments"):
        answer = await server.ask("POST", path, data=data, headers=headers)
        assert answer.status == status, (path, answer.body)


async def test_names_that_play_tricks_are_refused_or_found_nowhere(server: Server) -> None:
    tricks = ("..%2f..%2fetc", "a%00b", "a%0d%0aSet-Cookie:x", "%F0%9F%92%A3", "_system", "a%2Fb", "%ff")
    for trick in tricks:
        for path in (
            f"/admin/environments/{trick}",
            f"/admin/environments/{trick}/compare/production",
            f"/admin/keys/{trick}",
            f"/admin/approvals/{trick}",
            f"/admin/audit?environment=x{trick}",
            f"/admin/export?environment={trick}",
        ):
            status, head = await raw(server, f"GET {path} HTTP/1.1")
            assert status in (400, 404, 422), (path, status)
            assert b"\r\nSet-Cookie" not in head


async def test_no_log_has_a_token_or_anything_of_a_user(server: Server, tmp_path: Path) -> None:
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)  # as the server does
    try:
        await server.put("checkout", enabled=True, whitelist=["ann@example.com"], clientVisible=True)
        made = (await server.ask("POST", "/admin/keys", json={"kind": "client"})).body["key"]
        hook = (await server.ask("POST", "/admin/keys", json={"kind": "hook", "flags": ["checkout"]})).body["key"]
        for token in (made, "ww_admin_guessed-by-somebody"):
            for _ in range(35):
                await server.ask("GET", "/admin/flags", token=token)
        context = {"context": {"targetingKey": "ann@example.com", "card": "4111-1111"}}
        for path in ("/ofrep/v1/evaluate/flags", "/ofrep/v1/evaluate/flags/checkout"):
            assert (await server.ask("POST", path, token=made, json=context)).status == 200
            await server.ask("POST", path, token=made, data=b'{"context": {"card": "4111-1111"')
        await server.ask("GET", "/api/flags/checkout?userId=ann@example.com", token=made)
        await server.ask("GET", "/admin/flags?token=ww_server_in-the-url", token=None)
        await server.ask("GET", "/ofrep/v1/events?token=ww_server_in-the-url", token=None)
        await raw(server, "GET /admin/flags HTTP/9.9", "Authorization: Bearer ww_admin_guessed-by-somebody")
        await raw(server, "GET /admin/flags HTTP/1.1", "Authorization Bearer ww_admin_guessed-by-somebody")
        await raw(server, "GET /x?key=ww_server_in-the-url HTTP/1.1", "Bad\x00Header: ww_server_in-the-url")
        async with server.client(server.key):
            pass
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    lines = written.getvalue()
    assert "flag.put" in lines
    for secret in (*SECRETS, made, hook, server.key, "ww_admin_of-the-tests"):
        assert secret not in lines, next(line for line in lines.splitlines() if secret in line)


async def raw(server: Server, request_line: str, *headers: str) -> tuple[int, bytes]:
    """Send a request as it stands here, which no client would; return the status and the head of the answer."""
    host, _, port = server.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    given = headers or ("Authorization: Bearer ww_admin_of-the-tests-0123456789",)
    lines = [request_line, f"Host: {host}", "Connection: close", *given, "", ""]
    writer.write("\r\n".join(lines).encode("latin-1"))
    answer = await reader.read()
    writer.close()
    head = answer.partition(b"\r\n\r\n")[0]
    status: Any = head.split(b" ", 2)[1:2]
    return int(status[0]) if status else 0, head
