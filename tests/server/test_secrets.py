"""Secrets are nowhere but where they were asked for: not in logs, errors, metrics, representations, or crash reports.

Beside these tests, every test of the run is looked after: what it logs, and what the servers that it starts write.
"""

import asyncio
import logging
import os
import re
import sys
import traceback
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from tests.server.test_sign_in import link_of
from tests.support.browsing import browsing
from tests.support.processes import PATIENCE_S
from tests.support.redis_server import free_port
from tests.support.restartable import RestartableServer
from tests.support.secrets import kept_logs, secrets_in
from tests.support.server import ADMIN_TOKEN, Server
from wigwag import FlagClient
from wigwag.cli.connection import Server as Connection
from wigwag_proto.http_feed_io import Upstream
from wigwag_server.auth.login_links import MakeLink, UseLink
from wigwag_server.auth.sessions import Session
from wigwag_server.dev import DevKeys
from wigwag_server.settings import Settings
from wigwag_server.store.from_url import UnknownStore, open_store
from wigwag_server.webhooks.webhook import webhooks_of

PASSWORD = "the-password-of-redis"


async def everything(server: Server, secrets: set[str]) -> str:
    """Use every kind of secret, well and badly; return all answers but those that a secret was asked for with."""
    said = []
    for body in (
        {"kind": "client"},
        {"kind": "server"},
        {"kind": "admin", "role": "viewer"},
        {"kind": "hook", "flags": ["*"]},
    ):
        made = (await server.ask("POST", "/admin/keys", json={**body, "name": "made"})).body
        rotated = (await server.ask("POST", f"/admin/keys/{made['id']}/rotate", json={})).body
        secrets |= {made["key"], rotated["key"]}
    webhook = (
        await server.ask("POST", "/admin/webhooks", json={"url": "https://receiver.invalid/hook-secret-path"})
    ).body
    secrets |= {webhook["secret"]}
    secrets |= {(await server.ask("POST", f"/admin/webhooks/{webhook['id']}/rotate", json={})).body["secret"]}
    link = await link_of(server)
    async with browsing(server) as browser:
        await browser.get(link)
        await browser.post(link)
        cookie = browser.cookie()
        secrets |= {link.rpartition("/")[2], cookie, cookie.rpartition(".")[2]}
        said.append((await browser.get("/ui/env/production/keys")).text.replace(browser.csrf(), ""))
        await browser.post("/ui/logout")
    for token in sorted(secrets):
        for method, path in (
            ("GET", "/admin/flags"),
            ("GET", "/admin/keys"),
            ("GET", "/admin/webhooks"),
            ("GET", f"/admin/webhooks/{webhook['id']}/deliveries"),
            ("GET", "/admin/audit"),
            ("GET", "/v1/snapshot"),
            ("GET", "/metrics"),
            ("GET", "/readyz"),
            ("POST", "/admin/flags/checkout"),
            ("POST", "/v1/kill"),
            ("POST", "/admin/nowhere"),
        ):
            answer = await server.session.request(
                method, server.url + path, headers={"Authorization": f"Bearer {token}"}, data=b"{"
            )
            said.append(f"{answer.headers}{await answer.text()}")
        for path in (f"/admin/flags?token={token}", f"/ofrep/v1/events?token={token}", f"/v1/stream?key={token}"):
            await server.ask("GET", path, token=None)
        await server.ask("POST", "/ofrep/v1/evaluate/flags", token=None, headers={"X-API-Key": token}, data=b"{")
        async with server.session.post(server.url + "/ui/login", data={"token": f"{token}x", "next": "/ui/"}) as page:
            said.append(await page.text())
    return "\n".join(said)


async def test_nothing_that_is_logged_or_answered_has_a_secret_even_at_debug(server: Server) -> None:
    secrets: set[str] = {ADMIN_TOKEN, server.key}
    with kept_logs(logging.DEBUG) as logs:
        said = await everything(server, secrets)
        async with server.client(server.key) as client:
            await client.refresh()
        async with FlagClient(server.url, "ww_server_not-valid-anywhere-0123456789") as refused:
            said += repr(refused.status)
    assert len(secrets) > 12
    secrets |= {key.hash for key in server.services.keys.all}  # sessions are signed with these
    assert logs.lines
    for secret in {*secrets, "ww_server_not-valid-anywhere"}:
        assert secret not in logs.text, next(line for line in logs.lines if secret in line)
        assert secret not in said, secret
    assert not secrets_in(logs.text + said)


async def test_a_crash_report_has_no_secret(server: Server) -> None:
    with kept_logs(logging.DEBUG) as logs:
        server.services.hubs.clear()
        server.services.environments["production"].replica.records["flag"] = None  # type: ignore[assignment]
        crashed = await server.ask("GET", "/v1/snapshot", token=server.key)
        too = await server.ask("GET", "/admin/flags")
        async with browsing(server) as browser:
            await browser.sign_in()
            page = await browser.get("/ui/env/production/flags")
            cookie = browser.cookie()
    assert (crashed.status, too.status) == (500, 500)
    assert "Traceback" in logs.text
    for secret in (ADMIN_TOKEN, server.key, cookie):
        assert secret not in f"{logs.text}{crashed}{too}{page}"


def test_no_representation_has_a_secret(server: Server) -> None:
    services = server.services
    hashes = {key.hash for key in services.keys.all}
    session = Session.begin(next(iter(services.keys.all)), 0)
    shown = repr(
        [
            services.settings,
            Settings(store=f"redis://:{PASSWORD}@localhost", bootstrap_token=ADMIN_TOKEN),
            [*services.keys.all],
            session,
            Upstream(server.url, server.key),
            server.client(server.key),
            Connection(server.url, ADMIN_TOKEN, "--url", "--token"),
            DevKeys(
                url=server.url, environment="production", admin_token=ADMIN_TOKEN, server_key=server.key, client_key=""
            ),
            MakeLink(ADMIN_TOKEN, "id", 1.0),
            UseLink(ADMIN_TOKEN),
        ]
    )
    for secret in (ADMIN_TOKEN, server.key, PASSWORD, *hashes):
        assert secret not in shown, shown


async def test_no_representation_of_a_webhook_has_its_secret_or_its_address(embedded: Server) -> None:
    made = (await embedded.ask("POST", "/admin/webhooks", json={"url": "https://receiver.invalid/private-path"})).body
    (webhook,) = webhooks_of(embedded.services.system.replica.records).values()
    shown = f"{webhook!r}{msgspec.structs.replace(webhook, previous_secret='whsec_of-the-past')!r}"
    for secret in (made["secret"], "private-path", "of-the-past"):
        assert secret not in shown


@pytest.mark.parametrize(
    "url", ["redis://:{}@localhost:port/0", "redys://:{}@localhost", "rediss://ann:{}@a:1/x?y=z=1"]
)
async def test_a_store_that_cannot_be_is_told_without_its_password(url: str, caplog: pytest.LogCaptureFixture) -> None:
    try:
        store = await open_store(url.format(PASSWORD))
    except UnknownStore as error:
        shown = "".join(traceback.format_exception(error))
        assert "@" in shown
    else:
        shown = repr(store)
        await store.close()
    assert PASSWORD not in shown + caplog.text


async def test_a_process_writes_no_secret_from_its_start_to_its_end(tmp_path: Path) -> None:
    """Its store is away at first, and has a password; the tokens of its environment and of its requests are nowhere."""
    store = f"redis://:{PASSWORD}@127.0.0.1:{free_port()}/0"
    words = ("--listen", "127.0.0.1:0", "--store", store, "--log-format", "json")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "wigwag_server", *words),
        cwd=tmp_path,
        env={**os.environ, "WIGWAG_BOOTSTRAP_TOKEN": ADMIN_TOKEN},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout is not None
    written = b""
    async with asyncio.timeout(PATIENCE_S):
        while (found := re.search(rb"listening on (http://[\d.:]+)", written)) is None:
            written += await process.stdout.readline()
    async with asyncio.timeout(PATIENCE_S):
        await _ask_badly(found[1].decode())
        process.terminate()
        written += await process.stdout.read()
        await process.wait()
    text = written.decode()
    assert "stopping" in text
    assert ADMIN_TOKEN not in text
    assert PASSWORD not in text


async def _ask_badly(url: str) -> None:
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {ADMIN_TOKEN}"}) as session:
        for path in ("/admin/flags", "/v1/snapshot", "/readyz", f"/nowhere?token={ADMIN_TOKEN}"):
            async with session.get(url + path) as answer:
                assert PASSWORD not in await answer.text()


async def test_the_output_of_a_server_of_the_tests_is_looked_at(tmp_path: Path) -> None:
    """A search that finds nothing because it looks nowhere would be no search."""
    server = RestartableServer(tmp_path, f"sqlite:{tmp_path / 'flags.db'}")
    async with server:
        pass
    with (tmp_path / RestartableServer.LOG).open("a") as log:
        log.write(f"\n2026-11-25 warning: somebody came with {server.key}\n")
    with pytest.raises(AssertionError, match="a secret"):
        await server.__aexit__()


def test_secrets_are_known_by_their_form() -> None:
    made: Any = "ww_server_" + "a" * 43
    assert secrets_in(f"x {made} y whsec_{'b' * 44} /ui/login/{'c' * 43}") == {made, f"whsec_{'b' * 44}", "c" * 43}
    assert secrets_in("ww_server_… ww_admin_short whsec_…") == set()
