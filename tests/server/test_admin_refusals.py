"""What the routes for flags and segments refuse, each of them: strange names, other methods, a store that is away."""

from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from yarl import URL

from tests.server.test_admin_flags import is_problem
from tests.support.redis_server import RedisServer
from tests.support.server import ADMIN_TOKEN, Answer, Server, running

NAMES = {
    "dots": "..",
    "dots, escaped": "%2e%2e",
    "up and over": "..%2f..%2fadmin%2fkeys",
    "a slash": "checkout%2fkill",
    "a backslash": "a%5cb",
    "NUL": "checkout%00",
    "a line break": "a%0d%0aX-Header:%20b",
    "unicode": "%C3%A9t%C3%A9",
    "a look-alike": "%D1%81heckout",
    "a lone surrogate": "%ED%A0%80",
    "not UTF-8": "%ff%fe",
    "a percent": "%25",
    "braces": "%7Bpath%7D",
    "too long": "x" * 129,
    "far too long": "x" * 5000,
}
ROUTES = [
    ("GET", ""),
    ("POST", ""),
    ("PATCH", ""),
    ("DELETE", "?confirm=checkout"),
    ("GET", "/history"),
    ("POST", "/revert/1"),
]
FLAG_ROUTES = [*ROUTES, ("POST", "/kill"), ("POST", "/revive"), ("POST", "/explain")]


async def raw(server: Server, method: str, path: str) -> Answer:
    """Send a path as it is, without what a client does to mend it."""
    headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
    url = URL(server.url + path, encoded=True)
    async with server.session.request(method, url, headers=headers, data=b"{}" if method != "GET" else None) as got:
        body = await got.json(content_type=None) if await got.read() else None
        return Answer(got.status, got.headers, body)


@pytest.mark.parametrize("name", NAMES)
async def test_a_strange_name_is_a_problem_on_every_route_and_touches_nothing(embedded: Server, name: str) -> None:
    await embedded.put("checkout", enabled=True)
    before = embedded.services.environments["production"].replica.cursor
    keys = len(embedded.services.keys.all)
    for kind, routes in (("flags", FLAG_ROUTES), ("segments", ROUTES)):
        for method, rest in routes:
            answer = await raw(embedded, method, f"/admin/{kind}/{NAMES[name]}{rest}")
            assert answer.status in (404, 405, 415, 422), (method, rest, answer)
            is_problem(answer, answer.status)
            assert "X-Header" not in answer.headers
            assert len(answer.body["detail"]) < 6000
    assert embedded.services.environments["production"].replica.cursor == before
    assert len(embedded.services.keys.all) == keys


async def test_names_in_parameters_and_bodies_are_quoted_wherever_they_are_told(embedded: Server) -> None:
    await embedded.put("checkout")
    nasty = "a\r\nX: b\0<script>é"
    for method, path, body in (
        ("POST", "/admin/kill", {"keys": [nasty]}),
        ("POST", "/admin/kill", {"tags": [nasty]}),
        ("POST", "/admin/kill", {"pattern": nasty}),
        ("POST", "/admin/flags/a", {nasty: 1}),
        ("PATCH", "/admin/flags/checkout", {nasty: 1}),
        ("POST", "/admin/flags/checkout/explain", {nasty: 1}),
    ):
        answer = await embedded.ask(method, path, json=body)
        is_problem(answer, answer.status)
        assert answer.status in (404, 422)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/admin/flags/checkout", "PATCH"),
        ("GET", "/admin/flags/checkout/explain", "POST"),
        ("POST", "/admin/flags/checkout/history", "GET"),
        ("GET", "/admin/flags/checkout/revert/1", "POST"),
        ("DELETE", "/admin/explain", "POST"),
        ("OPTIONS", "/admin/flags", "GET"),
        ("OPTIONS", "/v1/kill", "POST"),
    ],
)
async def test_another_method_is_told_which_there_are(embedded: Server, method: str, path: str, allowed: str) -> None:
    answer = await embedded.ask(method, path, headers={"Origin": "https://elsewhere.example"})
    is_problem(answer, 405)
    assert allowed in answer.headers["Allow"]
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]


async def test_what_takes_json_takes_no_other_type_and_no_more_than_fits(embedded: Server) -> None:
    await embedded.put("checkout", enabled=True)
    for method, path in (
        ("PATCH", "/admin/flags/checkout"),
        ("PATCH", "/admin/segments/staff"),
        ("POST", "/admin/flags/checkout/explain"),
        ("POST", "/admin/explain"),
        ("POST", "/admin/flags/checkout/revert/1"),
        ("POST", "/admin/kill"),
        ("POST", "/admin/flags/checkout/revive"),
    ):
        is_problem(await embedded.ask(method, path, data="a: 1", headers={"Content-Type": "text/yaml"}), 415, "JSON")
        large = BytesIO(b"x" * 2_000_000)
        is_problem(await embedded.ask(method, path, data=large, headers={"Content-Type": "application/json"}), 413)


async def test_with_the_store_away_reads_go_on_and_writes_are_503(own_redis: RedisServer, tmp_path: Path) -> None:
    async with running(own_redis.url, data_dir=tmp_path / "data") as server:
        await server.put("checkout", enabled=True)
        await own_redis.stop(hard=True)
        asked: list[tuple[str, str, Any]] = [
            ("GET", "/admin/flags?state=on", None),
            ("POST", "/admin/flags/checkout/explain", {}),
            ("POST", "/admin/explain", {}),
            ("PATCH", "/admin/flags/checkout?dryRun=true", {"enabled": False}),
        ]
        for method, path, body in asked:
            assert (await server.ask(method, path, json=body)).status == 200, path
        for method, path, body in (
            ("GET", "/admin/flags/checkout/history", None),
            ("POST", "/admin/flags/checkout/explain", {"asOf": 0}),
            ("POST", "/admin/flags/checkout/revert/1", None),
            ("PATCH", "/admin/flags/checkout", {"enabled": False}),
        ):
            answer = await server.ask(method, path, json=body)
            is_problem(answer, 503)
            assert int(answer.headers["Retry-After"]) >= 1
