"""Signing in to the pages: by token, by a link that is good once; and what ends a session."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.server.test_operations import token_of
from tests.support.browsing import Browser, browsing, words
from tests.support.server import ADMIN_TOKEN, Server, running
from wigwag_server.auth.rights import Role
from wigwag_server.auth.sessions import Session
from wigwag_server.settings import Limits, SessionTimes

FLAGS = "/ui/env/production/flags"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    """A server."""
    async with running(f"sqlite:{tmp_path / 'flags.db'}") as made:
        yield made


@pytest.fixture
async def browser(server: Server) -> AsyncIterator[Browser]:
    """A browser that has not signed in."""
    async with browsing(server) as made:
        yield made


async def link_of(server: Server, token: str = ADMIN_TOKEN) -> str:
    answer = await server.ask("POST", "/admin/login-links", token=token)
    assert answer.status == 201, answer
    path: str = answer.body["path"]
    return path


async def test_a_token_signs_in_and_its_cookie_is_out_of_reach_of_scripts_and_other_sites(browser: Browser) -> None:
    shown = await browser.get(FLAGS)
    assert shown.path.startswith("/ui/login?next=")
    async with browser.session.post(
        f"{browser.server.url}/ui/login", data={"token": ADMIN_TOKEN, "next": FLAGS}, allow_redirects=False
    ) as answer:
        assert (answer.status, answer.headers["Location"]) == (303, FLAGS)
        cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert "Path=/" in cookie
    assert ADMIN_TOKEN not in cookie
    assert (await browser.get(FLAGS)).status == 200


async def test_behind_tls_the_cookie_is_for_tls_and_this_host_only(browser: Browser) -> None:
    headers = {"X-Forwarded-Proto": "https"}
    async with browser.session.post(
        f"{browser.server.url}/ui/login", data={"token": ADMIN_TOKEN}, headers=headers, allow_redirects=False
    ) as answer:
        cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-wigwag=")
    assert "Secure" in cookie
    assert "Domain" not in cookie


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example", "/admin/flags", "/ui/\\evil", "/ui/logout"]
)
async def test_signing_in_leads_to_a_page_of_ours_and_nowhere_else(browser: Browser, target: str) -> None:
    async with browser.session.post(
        f"{browser.server.url}/ui/login", data={"token": ADMIN_TOKEN, "next": target}, allow_redirects=False
    ) as answer:
        assert answer.headers["Location"] == "/ui/"


async def test_a_token_that_is_none_and_a_key_of_an_app_are_refused(browser: Browser) -> None:
    assert (await browser.sign_in("ww_admin_nobody-has-this-one-0000000")).status == 401
    assert (await browser.sign_in(browser.server.key)).status == 403
    assert (await browser.sign_in("")).status == 401
    assert browser.cookie() == ""


async def test_whoever_guesses_tokens_is_slowed_down(tmp_path: Path) -> None:
    async with (
        running(f"sqlite:{tmp_path / 'flags.db'}", limits=Limits(failed_keys=2, failed_keys_per_s=0.001)) as server,
        browsing(server) as browser,
    ):
        statuses = [(await browser.sign_in(f"ww_admin_guess-number-{n}-00000000")).status for n in range(3)]
        assert statuses == [401, 401, 429]
        assert (await browser.sign_in()).status == 200


async def test_another_site_can_sign_nobody_in(browser: Browser) -> None:
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        shown = await browser.post("/ui/login", headers=headers, token=ADMIN_TOKEN, csrf="")
        assert shown.status == 403
    assert browser.cookie() == ""


async def test_a_link_signs_in_once_and_looking_at_it_uses_nothing_up(server: Server, browser: Browser) -> None:
    path = await link_of(server, await token_of(server, Role.EDITOR))
    for _ in range(2):
        shown = await browser.get(path)
        assert "Sign in as editor" in shown.text
        assert browser.cookie() == ""
    shown = await browser.post(path)
    assert shown.path == FLAGS
    assert "editor" in words(shown.text)
    async with browsing(server) as other:
        assert (await other.get(path)).status == 410
        assert (await other.post(path)).status == 410
        assert other.cookie() == ""


async def test_of_two_who_use_a_link_at_the_same_moment_one_gets_in(server: Server) -> None:
    path = await link_of(server)
    async with browsing(server) as one, browsing(server) as other:
        shown = await asyncio.gather(one.post(path), other.post(path))
        assert sorted(each.status for each in shown) == [200, 410]


async def test_a_link_runs_out_and_ends_with_its_token(tmp_path: Path) -> None:
    times = SessionTimes(link_s=0)
    async with running(f"sqlite:{tmp_path / 'flags.db'}", sessions=times) as server, browsing(server) as browser:
        assert (await browser.get(await link_of(server))).status == 410
    async with running(f"sqlite:{tmp_path / 'more.db'}") as server, browsing(server) as browser:
        made = await server.ask("POST", "/admin/keys", json={"kind": "admin", "role": "viewer", "name": "eve"})
        path = await link_of(server, made.body["key"])
        await server.ask("DELETE", f"/admin/keys/{made.body['id']}")
        assert (await browser.post(path)).status == 410


async def test_neither_link_nor_cookie_stands_in_the_store(server: Server, browser: Browser) -> None:
    path = await link_of(server)
    await browser.sign_in()
    records = str(server.services.system.replica.records)
    assert path.rpartition("/")[2] not in records
    assert browser.cookie() not in records


async def test_signing_out_ends_the_session_also_for_whoever_has_a_copy_of_the_cookie(
    server: Server, browser: Browser
) -> None:
    await browser.sign_in()
    copy = browser.cookie()
    name = next(each.key for each in browser.session.cookie_jar)
    assert (await browser.post("/ui/logout")).path == "/ui/login"
    assert browser.cookie() == ""
    answer = await server.ask("GET", "/admin/flags", token=None, headers={"Cookie": f"{name}={copy}"})
    assert answer.status == 401


async def test_revoking_the_token_ends_its_sessions(server: Server, browser: Browser) -> None:
    made = await server.ask("POST", "/admin/keys", json={"kind": "admin", "role": "editor", "name": "ann"})
    await browser.sign_in(made.body["key"])
    assert (await browser.get(FLAGS)).path == FLAGS
    await server.ask("DELETE", f"/admin/keys/{made.body['id']}")
    assert (await browser.get(FLAGS)).path.startswith("/ui/login")


async def test_a_session_ends_when_nobody_does_anything_and_in_any_case(server: Server) -> None:
    sessions = server.services.sessions
    key = next(key for key in server.services.keys.all if key.kind == "admin")
    begun = Session.begin(key, 1_000_000)
    idle, longest = sessions.times.idle_s, sessions.times.longest_s
    assert sessions.find(begun.cookie(), 1_000_000 + idle - 1) == begun
    assert sessions.find(begun.cookie(), 1_000_000 + idle) is None
    used = begun.renewed(1_000_000 + idle - 1)
    assert sessions.find(used.cookie(), 1_000_000 + idle) == used
    last = replace(begun, seen_s=int(1_000_000 + longest - 1))
    assert sessions.find(last.cookie(), 1_000_000 + longest - 1) == last
    assert sessions.find(last.cookie(), 1_000_000 + longest) is None


async def test_a_forged_cookie_is_none(server: Server) -> None:
    sessions = server.services.sessions
    key = next(key for key in server.services.keys.all if key.kind == "admin")
    app_key = next(key for key in server.services.keys.all if key.kind == "server")
    good = Session.begin(key, 1000)
    assert sessions.find(good.cookie(), 1001) == good
    for bad in (
        good.cookie().replace(".1000.1000.", ".1000.2000."),
        good.cookie()[:-1] + ("0" if good.cookie()[-1] != "0" else "1"),
        Session.begin(app_key, 1000).cookie(),
        "",
        "a.b.c",
        good.cookie() + ".x",
        good.cookie().replace("1000", "١٠٠٠"),
    ):
        assert sessions.find(bad, 1001) is None, bad


async def test_only_what_somebody_does_renews_a_session(tmp_path: Path) -> None:
    async with running(f"sqlite:{tmp_path / 'flags.db'}") as server, browsing(server) as browser:
        await browser.sign_in()
        key = next(key for key in server.services.keys.all if key.kind == "admin")
        old = Session(key, "session", begun_s=_now() - 200, seen_s=_now() - 100)
        name = next(each.key for each in browser.session.cookie_jar)
        sent = {"Cookie": f"{name}={old.cookie()}"}
        by_itself = await server.ask("GET", "/admin/flags", token=None, headers={**sent, "Sec-Fetch-Mode": "cors"})
        assert by_itself.status == 200
        assert "Set-Cookie" not in by_itself.headers
        opened = await server.ask("GET", "/admin/flags", token=None, headers={**sent, "Sec-Fetch-Mode": "navigate"})
        renewed = re.search(r"=([^;]+);", opened.headers["Set-Cookie"])
        assert renewed
        found = server.services.sessions.find(renewed[1].strip('"'), _now())
        assert found is not None
        assert found.begun_s == old.begun_s
        assert found.seen_s > old.seen_s


async def test_a_cookie_alone_changes_nothing(server: Server, browser: Browser) -> None:
    await server.put("checkout", enabled=True)
    await browser.sign_in()
    good = browser.csrf()
    url = f"{server.url}/admin/flags/checkout"
    for headers in ({}, {"Wigwag-CSRF": "0" * 64}, {"Wigwag-CSRF": "ü"}):
        async with browser.session.post(f"{url}/kill", headers=headers) as answer:
            assert answer.status == 403, headers
    for csrf in ("", "0" * 64, "ü"):
        assert (await browser.post("/ui/env/production/kill", csrf=csrf, key="checkout")).status == 403
        assert (await browser.post(f"{FLAGS}/checkout/switch", csrf=csrf, enabled="false")).status == 403
        assert (await browser.post("/ui/logout", csrf=csrf)).status == 403
    flag = (await server.ask("GET", "/admin/flags/checkout")).body
    assert (flag["kill"], flag["enabled"]) == (None, True)
    async with browser.session.post(f"{url}/kill", headers={"Wigwag-CSRF": good}) as answer:
        assert answer.status == 200


async def test_a_link_from_another_site_finds_its_way_back_with_the_cookie(browser: Browser) -> None:
    shown = await browser.get(f"{FLAGS}?q=a", Sec_Fetch_Site="cross-site")
    assert f'content="0; url={FLAGS}?q=a"' in shown.text
    assert (await browser.get(f"{FLAGS}?q=a", Sec_Fetch_Site="same-origin")).path.startswith("/ui/login?next=")


def _now() -> int:
    return int(time.time())
