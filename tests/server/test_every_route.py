"""Who is let in where: every route says it, the page of security shows it, and no token that is not right opens one."""

import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.server.test_operations import token_of
from tests.support.browsing import browsing
from tests.support.route_table import PAGE, renewed, table
from tests.support.server import ADMIN_TOKEN, Server, running
from wigwag_server.app import build_app
from wigwag_server.auth.keys import Key, KeyKind, PutKeys, hash_token, new_token
from wigwag_server.auth.rights import Right, Role, Scope
from wigwag_server.settings import Limits
from wigwag_server.web.operation import Operation, operation_of

PATIENT = Limits(failed_keys=1_000_000, writes=1_000_000)
WRITES = ("POST", "PUT", "PATCH", "DELETE")
NAMES = {"name": "checkout", "key": "checkout", "environment": "production", "revision": "1", "other": "production"}


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    """A server with two environments and a flag in one of them."""
    async with running(f"sqlite:{tmp_path / 'flags.db'}", limits=PATIENT) as made:
        await made.put("checkout", clientVisible=True)
        assert (await made.ask("POST", "/admin/environments", json={"name": "staging"})).status == 201
        yield made


def routes(server: Server) -> Iterator[tuple[str, str, Operation]]:
    """Yield method, path and operation of every route."""
    for route in build_app(server.services).router.routes():
        path = route.resource.canonical if route.resource else ""
        filled = re.sub(r"\{(\w+)(?::[^}]*)?\}", lambda match: NAMES.get(match[1], "nope"), path)
        yield route.method, filled, operation_of(route.handler)


def state(server: Server) -> dict[str, str]:
    """Return where every log is."""
    logs = [server.services.system, *server.services.environments.values()]
    return {each.name: str(each.replica.cursor) for each in logs}


def test_the_page_shows_who_is_let_in(server: Server) -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == renewed(page, table(build_app(server.services))), "run: python -m tests.support.route_table"


def test_every_route_says_whom_it_lets_in(server: Server) -> None:
    silent = [f"{method} {path}" for method, path, stated in routes(server) if not stated.needs and not stated.whom]
    assert not silent, "state a right, kinds of keys, or in words whom they let in: web.operation"


async def key_of(server: Server, kind: KeyKind, **fields: Any) -> str:
    """Make a key as no route would."""
    token = new_token(kind)
    environment = None if kind is KeyKind.ADMIN else "production"
    key = Key(
        **{
            "id": f"{kind}-{len(server.services.keys.all)}",
            "kind": kind,
            "name": kind.value,
            "created_at": 0,
            "hash": hash_token(token),
            "environment": environment,
            **fields,
        }
    )
    await server.services.system.commit(PutKeys((key,)))
    return token


async def revoked(server: Server, kind: KeyKind) -> str:
    """Make a key, and revoke it."""
    token = await key_of(server, kind)
    key = server.services.keys.find(token)
    assert key is not None
    assert (await server.ask("DELETE", f"/admin/keys/{key.id}")).status == 204
    return token


async def test_no_token_that_is_not_right_opens_a_route(server: Server) -> None:
    tokens = {
        "none": None,
        "empty": "",
        "garbage": "x' OR 1=1 --",
        "forged": new_token(KeyKind.ADMIN),
        "cut short": ADMIN_TOKEN[:-1],
        "with more": f"{ADMIN_TOKEN}a",
        "in other letters": ADMIN_TOKEN.upper(),
        "its hash": hash_token(ADMIN_TOKEN),
        **{f"expired {kind}": await key_of(server, kind, expires_at=1) for kind in KeyKind},
        **{f"revoked {kind}": await revoked(server, kind) for kind in KeyKind},
    }
    before = state(server)
    checked = 0
    for method, path, stated in routes(server):
        if not stated.needs:
            continue
        for name, token in tokens.items():
            status = (await server.ask(method, path, token=token)).status
            assert status == 401, (method, path, name, status)
            checked += 1
    assert checked > 1000
    assert state(server) == before


async def test_no_key_of_another_kind_opens_a_route(server: Server) -> None:
    tokens = {kind: ADMIN_TOKEN if kind is KeyKind.ADMIN else await key_of(server, kind) for kind in KeyKind}
    before = state(server)
    for method, path, stated in routes(server):
        kinds = (KeyKind.ADMIN,) if isinstance(stated.needs, Right) else stated.needs
        for kind in set(KeyKind) - set(kinds) if kinds else ():
            status = (await server.ask(method, path, token=tokens[kind])).status
            assert status == 403, (method, path, kind, status)
    assert state(server) == before


async def test_a_token_limited_to_one_environment_opens_nothing_of_another(server: Server) -> None:
    token = await token_of(server, Role.ADMIN, Scope(environments=("staging",)))
    before = state(server)
    for method, path, stated in routes(server):
        if not isinstance(stated.needs, Right) or stated.of_server:
            continue
        answer = await server.ask(method, f"{path}?environment=production", token=token)
        if method in WRITES:  # the body may be refused before it is looked at whose it would be
            assert 400 <= answer.status < 500, (method, path, answer)
        else:
            assert answer.status in (403, 404, 422), (method, path, answer)
    for path in ("/admin/keys", "/admin/environments", "/admin/webhooks", "/admin/audit", "/metrics"):
        async with server.session.get(server.url + path, headers={"Authorization": f"Bearer {token}"}) as response:
            assert "checkout" not in await response.text(), path
    assert state(server) == before


async def test_an_app_key_of_one_environment_sees_and_tells_nothing_of_another(server: Server) -> None:
    token = await key_of(server, KeyKind.SERVER, environment="staging")
    snapshot = await server.ask("GET", "/v1/snapshot?environment=production", token=token)
    assert (snapshot.body["environment"], snapshot.body["flags"]) == ("staging", {})
    assert (await server.ask("POST", "/ofrep/v1/evaluate/flags", token=token)).body["flags"] == []
    assert (await server.ask("POST", "/ofrep/v1/evaluate/flags/checkout", token=token)).status == 404
    assert (await server.ask("GET", "/api/flags/checkout", token=token)).status == 404
    hook = await key_of(server, KeyKind.HOOK, environment="staging", flags=("*",))
    before = state(server)
    told = await server.ask("POST", "/v1/kill", token=hook, json={"flag": "checkout", "environment": "production"})
    assert 400 <= told.status < 500, told
    assert state(server) == before


def forged(cookie: str) -> dict[str, str]:
    """Return cookies that are not quite the one of a session."""
    key_id, session_id, begun, seen, signature = cookie.split(".")
    return {
        "none": "",
        "garbage": "a.b.1.1." + "0" * 64,
        "another signature": ".".join([key_id, session_id, begun, seen, signature[::-1]]),
        "longer": ".".join([key_id, session_id, begun, str(int(seen) + 1), signature]),
        "another key": f"nope.{session_id}.{begun}.{seen}.{signature}",
        "another session": f"{key_id}.nope.{begun}.{seen}.{signature}",
        "signed by its own": ".".join([key_id, session_id, begun, seen, "0" * 64]),
        "in full-width digits": f"{key_id}.{session_id}.{begun}.１.{signature}",
    }


async def test_no_forged_session_opens_a_page_or_the_api(server: Server) -> None:
    async with browsing(server) as browser:
        await browser.sign_in()
        cookie = browser.cookie()
    name = f"wigwag-{server.url.rpartition(':')[2]}"
    before = state(server)
    for method, path, stated in routes(server):
        api = isinstance(stated.needs, Right)
        if not api and stated.whom != "a session":
            continue
        for shape, value in forged(cookie).items():
            headers = {"Cookie": f"{name}={value}".encode().decode("latin-1")}
            async with server.session.request(
                method, server.url + path, headers=headers, allow_redirects=False
            ) as response:
                expected = 303 if method == "GET" and not api else 401
                assert response.status == expected, (method, path, shape, response.status)
                assert expected != 303 or response.headers["Location"].startswith("/ui/login"), path
        if api and method in WRITES:  # a cookie comes along with whatever another site asks for: it is not enough
            for csrf in ({}, {"Wigwag-CSRF": "0" * 64}):
                answer = await server.ask(method, path, token=None, headers={"Cookie": f"{name}={cookie}", **csrf})
                assert answer.status == 403, (method, path, answer)
    assert state(server) == before
