"""Every route says what it is and whom it lets in, and lets nobody else in."""

import re

from tests.support.server import Server
from wigwag_server.app import build_app
from wigwag_server.auth.keys import Key, KeyKind, PutKeys, hash_token, new_token
from wigwag_server.auth.rights import RIGHTS, Right, Role, Scope
from wigwag_server.web.operation import operation_of


async def token_of(server: Server, role: Role, scope: Scope | None = None) -> str:
    """Make an admin token of a role."""
    token = new_token(KeyKind.ADMIN)
    key = Key(
        id=f"{role}{len(server.services.keys.all)}",
        kind=KeyKind.ADMIN,
        name=role.value,
        hash=hash_token(token),
        role=role,
        scope=scope or Scope(),
        created_at=0,
    )
    await server.services.system.commit(PutKeys((key,)))
    return token


async def test_every_route_lets_in_whom_it_says_and_nobody_else(server: Server) -> None:
    app = build_app(server.services)
    tokens = {role: await token_of(server, role) for role in Role}
    for route in app.router.routes():
        needs = operation_of(route.handler).needs
        path = re.sub(r"\{\w+\}", "nope", route.resource.canonical) if route.resource else ""
        if needs == () or path == "/v1/stream":
            continue
        nobody = await server.ask(route.method, path, token=None)
        app_key = await server.ask(route.method, path, token=server.key)
        if isinstance(needs, Right):
            for role, token in tokens.items():
                status = (await server.ask(route.method, path, token=token)).status
                assert (status == 403) == (needs not in RIGHTS[role]), (route, role, status)
            assert app_key.status in (403, 405)
        assert nobody.status in (401, 405), route


async def test_a_token_changes_only_what_it_is_limited_to(server: Server) -> None:
    await server.put("checkout", tags=["payments"])
    await server.put("search")
    await server.put("pay.card")
    token = await token_of(server, Role.EDITOR, Scope(flags=("pay.*",), tags=("payments",)))
    for key in ("checkout", "pay.card"):
        assert (await server.ask("POST", f"/admin/flags/{key}/kill", token=token)).status == 200
    refused = await server.ask("POST", "/admin/flags/search/kill", token=token)
    assert refused.status == 403
    assert "pay.*" in refused.body["detail"]
    assert (await server.ask("GET", "/admin/flags/search", token=token)).body["kill"] is None
    both = {"keys": ["checkout", "search"]}
    assert (await server.ask("POST", "/admin/kill", token=token, json=both)).status == 403
    # Nor can a tag be used to get at a flag, or to put one out of reach.
    assert (await server.ask("POST", "/admin/flags/search", token=token, json={"tags": ["payments"]})).status == 403
    assert (await server.ask("POST", "/admin/flags/checkout", token=token, json={"tags": []})).status == 403
    assert (await server.ask("POST", "/admin/segments/staff", token=token, json={})).status == 403
    elsewhere = await token_of(server, Role.ADMIN, Scope(environments=("staging",)))
    assert (await server.ask("GET", "/admin/flags", token=elsewhere)).status == 403
