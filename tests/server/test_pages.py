"""The pages as they are read without scripts: what they show, what their forms do, and what they refuse."""

import asyncio
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.server.test_operations import token_of
from tests.support.browsing import Browser, browsing, words
from tests.support.server import Server, running
from tests.support.waiting import until, until_async
from wigwag_proto.sse import SseParser
from wigwag_server.app import build_app
from wigwag_server.auth.rights import Role, Scope
from wigwag_server.webhooks.webhook import webhooks_of

IN = "/ui/env/production"
EVIL = "<script>alert(1)</script>\"'&{{7*7}}"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    """A server."""
    async with running(f"sqlite:{tmp_path / 'flags.db'}") as made:
        yield made


@pytest.fixture
async def browser(server: Server) -> AsyncIterator[Browser]:
    """A browser that has signed in."""
    async with browsing(server) as made:
        await made.sign_in()
        yield made


class Checks(HTMLParser):
    """Finds what a strict policy forbids, and elements that are not closed in order."""

    VOID = frozenset({"meta", "link", "input", "br", "circle", "path", "rect", "line", "polyline"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.forbidden: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = dict(attrs)
        if tag == "style" or "style" in names or any(name.startswith("on") for name in names):
            self.forbidden.append(f"{tag} {names}")
        if tag == "script" and not names.get("src"):
            self.forbidden.append("script without src")
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Elements of SVG close themselves."""

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, (tag, self.open)


async def fill(server: Server) -> None:
    """Put something on every page, all of it made of what browsers would run."""
    await server.ask("POST", "/admin/environments", json={"name": "staging", "description": EVIL, "cloneFrom": None})
    await server.ask("POST", "/admin/segments/staff", json={"include": [EVIL], "exclude": ["x"], "description": EVIL})
    await server.put("base", enabled=True)
    await server.put(
        "evil",
        enabled=True,
        description=EVIL,
        owner=EVIL,
        tags=[EVIL],
        whitelist=[EVIL],
        blacklist=["x"],
        rules=[
            {"attribute": EVIL, "operator": "equals", "value": EVIL},
            {"attribute": "userId", "operator": "inSegment", "value": "staff"},
        ],
        variants=[{"name": EVIL, "weight": 1, "value": EVIL}],
        overrides=[{"name": EVIL, "rules": [{"attribute": EVIL, "operator": "in", "value": [EVIL]}]}],
        requires=[{"flag": "base"}],
        bucketBy=EVIL,
        comment=EVIL,
    )
    await server.ask("POST", "/admin/flags/evil/kill", json={"reason": EVIL})
    await server.ask("POST", "/admin/keys", json={"kind": "admin", "role": "editor", "name": EVIL[:60]})
    hook = {"url": "https://hooks.example.invalid/'\"<b>", "name": EVIL, "flags": ["evil"], "tags": [EVIL]}
    assert (await server.ask("POST", "/admin/webhooks", json={**hook, "active": False})).status == 201
    await server.ask("POST", "/admin/flags/base/rollout", json={"stages": [100], "interval": "1h", "comment": EVIL})
    await server.ask(
        "POST", "/admin/flags/ordinary", json={"rolloutPercentage": 12.5}, params={"environment": "staging"}
    )


def pages(server: Server) -> list[str]:
    """Return an address for every page there is."""
    hook = next(iter(webhooks_of(server.services.system.replica.records)))
    found = []
    for route in build_app(server.services).router.routes():
        path = route.resource.canonical if route.resource else ""
        if route.method == "GET" and path.startswith("/ui/env"):
            name = "staff" if "segments" in path else "evil"
            path = path.replace("{environment}", "production").replace("{name}", name)
            path = path.replace("{id}", hook)
            found.append(path.replace("{revision}", "1"))
    assert len(found) > 12, found
    return [
        *found,
        f"{IN}/kill?key=evil",
        f"{IN}/revive?key=evil&key=base",
        f"{IN}/compare?with=staging",
        f"{IN}/flags?sort=changed&owner=x",
        f"{IN}/flags/evil?context={{}}",
    ]


async def test_every_page_is_whole_strict_and_escapes_what_people_wrote(server: Server, browser: Browser) -> None:
    await fill(server)
    async with server.client(label=EVIL):
        for path in pages(server):
            shown = await browser.get(path)
            assert shown.status in (200, 422), path
            assert "<script>alert" not in shown.text, path
            assert "alert(1)</script>" not in shown.text, path
            assert 'alert(1)</script>"' not in shown.text, path
            checks = Checks()
            checks.feed(shown.text)
            assert checks.forbidden == [], path
            assert checks.open == [], path
            if "spark" not in path:
                policy = shown.headers["Content-Security-Policy"]
                assert "unsafe" not in policy
                assert "default-src 'none'" in policy
                assert shown.headers["X-Frame-Options"] == "DENY"
                assert shown.headers["Cache-Control"] == "no-store"


async def test_nobody_sees_a_page_without_signing_in(server: Server) -> None:
    async with browsing(server) as stranger:
        for route in build_app(server.services).router.routes():
            path = route.resource.canonical if route.resource else ""
            if not path.startswith("/ui/env"):
                continue
            path = (
                path.replace("{environment}", "production")
                .replace("{name}", "x")
                .replace("{id}", "x")
                .replace("{revision}", "1")
            )
            if route.method == "GET":
                assert (await stranger.get(path)).path.startswith("/ui/login"), path
            elif route.method == "POST":
                assert (await stranger.post(path)).status == 401, path


async def test_the_first_page_is_small_with_many_flags(server: Server, browser: Browser) -> None:
    flags = {
        f"flag_{n:05}": {
            "enabled": n % 2 == 0,
            "owner": "payments",
            "tags": ["web"],
            "description": "As most flags are described",
        }
        for n in range(3000)
    }
    assert (await server.ask("POST", "/admin/import", json={"flags": flags})).status == 200
    shown = await browser.get(f"{IN}/flags")
    assert "3000" in shown.text
    linked = {part.split('"')[0] for part in shown.text.split('="')[1:] if part.startswith("/ui/static/")}
    compressed = int(shown.headers.get("Content-Length", 0))
    for each in linked | {
        f"{next(iter(linked)).rpartition('/')[0]}/{name}" for name in ("editor.js", "live.js", "list.js")
    }:
        compressed += int((await browser.get(each)).headers["Content-Length"])
    assert len(shown.text) < 100 * 1024
    assert compressed < 100 * 1024
    found = await browser.get(f"{IN}/flags?q=flag_02999")
    assert found.text.count("<tr id=") == 1
    grown = await browser.get(f"{IN}/flags?shown=180")
    assert grown.text.count("<tr id=") == 180
    rest = await browser.get(f"{IN}/flags?start=2990&sort=changed")
    assert rest.text.count("<tr id=") == 10


async def test_a_kill_without_scripts(server: Server, browser: Browser) -> None:
    for key in ("checkout", "search", "cart"):
        await server.put(key, enabled=True)
    async with server.client(label="shop") as app:
        asked = await browser.get(f"{IN}/kill?key=checkout&key=search")
        assert "Kill 2 flags in production?" in words(asked.text)
        shown = await browser.post(f"{IN}/kill", key=["checkout", "search"], reason="errors are up")
        assert shown.path.startswith(f"{IN}/kills/")
        assert "2 flags are killed" in words(shown.text)
        await until(lambda: not app.is_enabled("checkout"))

        async def confirmed() -> bool:
            return "1 of 1 instances" in words((await browser.get(shown.path)).text)

        await until_async(confirmed)
    listed = words((await browser.get(f"{IN}/flags")).text)
    assert "errors are up" in listed
    flag = await browser.get(f"{IN}/flags/checkout")
    assert "Reviving brings back exactly this: on, for everyone" in words(flag.text)
    await browser.post(f"{IN}/flags/checkout/revive", comment="mended")
    states = {
        key: (await server.ask("GET", f"/admin/flags/{key}")).body["kill"] is None
        for key in ("checkout", "search", "cart")
    }
    assert states == {"checkout": True, "search": False, "cart": True}


async def test_several_flags_are_revived_after_what_comes_back_was_shown(server: Server, browser: Browser) -> None:
    await server.put("checkout", enabled=True, rolloutPercentage=25)
    await server.put("search", enabled=False)
    await server.put("cart", enabled=True)
    for key in ("checkout", "search"):
        await server.ask("POST", f"/admin/flags/{key}/kill", json={"reason": "errors are up"})
    asked = words((await browser.get(f"{IN}/revive?key=checkout&key=search&key=cart")).text)
    assert "Revive 2 flags in production?" in asked
    assert "checkout Comes back on, for 25 %." in asked
    assert "search Comes back turned off." in asked
    assert "Not killed, and left as it is: cart" in asked
    shown = await browser.post(f"{IN}/revive", key=["checkout", "search"], comment="mended")
    assert shown.path.startswith(f"{IN}/kills/")
    assert "2 flags are revived" in words(shown.text)
    history = (await server.ask("GET", "/admin/flags/search/history")).body["history"]
    assert (history[0]["what"], history[0]["comment"]) == ("revived", "mended")
    assert "None of these is killed" in words((await browser.get(f"{IN}/revive?key=cart")).text)
    assert (await browser.get(f"{IN}/revive")).status == 422
    assert (await browser.get(f"{IN}/revive?key=cartt")).status == 404
    assert (await browser.get(f"{IN}/revive?key=cart/metrics")).status == 422


async def test_the_list_says_of_a_state_only_what_the_word_does_not(server: Server, browser: Browser) -> None:
    await server.put("a_on", enabled=True)
    await server.put("b_off", enabled=False, rolloutPercentage=25)
    await server.put("c_partial", enabled=True, rolloutPercentage=25)
    await server.put("d_killed", enabled=True)
    await server.kill("d_killed")
    rows = (await browser.get(f"{IN}/flags")).text.split("<tr id=")[1:]
    said = [words(row.split('class="c-state">')[1].split("</td>")[0]) for row in rows]
    assert said == ["On", "Off once on: 25 %", "Partial 25 %", "Killed then on"]


async def test_the_overview_shows_ramps_with_their_stage_and_what_became_of_them(
    server: Server, browser: Browser
) -> None:
    assert "No percentage moves by itself." in words((await browser.get(IN)).text)
    guard = {"maxErrorIncrease": 0.0, "minSamples": 10}
    for key, ramp in (("checkout", {"guard": guard}), ("search", {})):
        await server.put(key, enabled=True, rolloutPercentage=0)
        body = {"stages": [5, 50, 100], "interval": "1h", **ramp}
        assert (await server.ask("POST", f"/admin/flags/{key}/rollout", json=body)).status == 201

    async def begun() -> bool:
        listed = (await server.ask("GET", "/admin/rollouts")).body["rollouts"]
        return [each["stage"] for each in listed] == [0, 0]

    await until_async(begun)
    await server.ask("POST", "/admin/flags/search/rollout/pause")
    shown = await browser.get(IN)
    said = words(shown.text)
    assert "checkout 5 %, stage 1 of 3 Running 50 % in" in said
    assert "Too little to judge yet: 0 of 10 runs" in said
    assert "search 5 %, stage 1 of 3 Paused when resumed Paused by bootstrap." in said
    assert 'aria-label="Percentage over time: checkout at 5 %, search at 5 %"' in shown.text
    stale = (await server.ask("GET", "/admin/stale")).body["flags"]
    assert f"May be done with {len(stale)}" in said


async def test_a_kill_for_a_while_and_of_nothing(server: Server, browser: Browser) -> None:
    await server.put("checkout", enabled=True)
    await browser.get(f"{IN}/kill?key=checkout")
    await browser.post(f"{IN}/kill", key="checkout", minutes="5")
    assert (await server.ask("GET", "/admin/flags/checkout")).body["kill"]["until"] is not None
    assert (await browser.post(f"{IN}/kill", key="checkout", minutes="soon")).status == 422
    assert (await browser.get(f"{IN}/kill")).status == 422
    missing = await browser.post(f"{IN}/kill", key="chekout")
    assert missing.status == 404
    assert "checkout" in words(missing.text)


async def test_an_edit_on_what_is_no_more_is_refused_and_loses_nothing(server: Server, browser: Browser) -> None:
    seen = await server.put("checkout", enabled=True)
    await browser.get(f"{IN}/flags/checkout")
    await server.ask("PATCH", "/admin/flags/checkout", json={"rolloutPercentage": 10, "comment": "slowly"})
    mine = '{"enabled": false, "description": "what I wrote"}'
    shown = await browser.post(f"{IN}/flags/checkout", config=mine, revision=seen["revision"])
    assert shown.status == 412
    said = words(shown.text)
    assert "what I wrote" in said
    assert "slowly" in said
    assert "rolloutPercentage − 100 + 10" in said or "rolloutPercentage 100 10" in said
    flag = (await server.ask("GET", "/admin/flags/checkout")).body
    assert (flag["enabled"], flag["rolloutPercentage"]) == (True, 10)
    done = await browser.post(f"{IN}/flags/checkout", config=mine, revision=flag["revision"], comment="now")
    assert done.status == 200
    assert "Saved" in words(done.text)


@pytest.mark.parametrize(
    "config", ['{"enabled": "yes"}', "{", "[]", '{"rules": [{"attribute": "a", "operator": "is"}]}']
)
async def test_what_is_wrong_is_shown_with_what_was_written(server: Server, browser: Browser, config: str) -> None:
    seen = await server.put("checkout", enabled=True)
    await browser.get(f"{IN}/flags/checkout")
    shown = await browser.post(f"{IN}/flags/checkout", config=config, revision=seen["revision"])
    assert shown.status in (400, 422)
    assert config in words(shown.text)


async def test_forms_of_a_flag(server: Server, browser: Browser) -> None:
    await browser.get(f"{IN}/new-flag")
    made = await browser.post(
        f"{IN}/new-flag", key="checkout", description="One page", owner="ann", kind="ops", tags="web, pay"
    )
    assert made.path == f"{IN}/flags/checkout?done=created"
    assert (await browser.post(f"{IN}/new-flag", key="checkout", kind="ops")).status == 422
    assert (await browser.post(f"{IN}/new-flag", key="a b", kind="ops")).status == 422
    await browser.post(f"{IN}/flags/checkout/switch", enabled="true")
    await browser.post(f"{IN}/flags/checkout/rollout", percentage="12,5")
    flag = (await server.ask("GET", "/admin/flags/checkout")).body
    assert (flag["enabled"], flag["rolloutPercentage"], flag["tags"]) == (True, 12.5, ["web", "pay"])
    assert (await browser.post(f"{IN}/flags/checkout/rollout", percentage="many")).status == 422
    assert (await browser.post(f"{IN}/flags/checkout/rollout", percentage="5", revision="1")).status == 412
    await browser.get(f"{IN}/flags/checkout")
    await browser.post(f"{IN}/flags/checkout/revert", to=str(flag["revision"] - 1))
    assert (await server.ask("GET", "/admin/flags/checkout")).body["rolloutPercentage"] == 100
    tried = await browser.get(f'{IN}/flags/checkout?context={{"userId":"u1"}}')
    assert "On STATIC" in words(tried.text)
    assert (await browser.get(f"{IN}/flags/checkout?context={{")).status == 200
    assert (await browser.post(f"{IN}/flags/checkout/delete", confirm="other")).status == 422
    assert (await browser.post(f"{IN}/flags/checkout/delete", confirm="checkout")).path == f"{IN}/flags?done=deleted"
    assert (await browser.get(f"{IN}/flags/checkout")).status == 404


async def test_segments_keys_environments_and_approvals(server: Server, browser: Browser) -> None:
    await browser.get(f"{IN}/segments")
    await browser.post(f"{IN}/segments", key="staff", description="All of us")
    segment = (await server.ask("GET", "/admin/segments/staff")).body
    await browser.post(f"{IN}/segments/staff", config='{"include": ["ann"]}', revision=segment["revision"])
    assert (await server.ask("GET", "/admin/segments/staff")).body["include"] == ["ann"]
    await browser.post(f"{IN}/environments", name="staging", cloneFrom="production")
    await server.ask("POST", "/admin/flags/fresh", json={"enabled": True}, params={"environment": "staging"})
    compared = await browser.get(f"{IN}/compare?with=staging")
    assert "only in staging" in words(compared.text)
    assert (await browser.post(f"{IN}/promote", **{"from": "staging", "flag": "fresh"})).status == 200
    assert (await server.ask("GET", "/admin/flags/fresh")).status == 200
    made = await browser.post(f"{IN}/keys", kind="admin", role="editor", name="bob")
    token = made.text.split('readonly value="')[1].split('"')[0]
    assert (await server.ask("GET", "/admin/flags", token=token)).status == 200
    await browser.post(f"{IN}/environments/production", approvals="true", description="")
    async with browsing(server) as bob:
        await bob.sign_in(token)
        waiting = await bob.post(f"{IN}/flags/fresh/switch", enabled="false")
        assert (waiting.status, "Waiting for a second person" in waiting.text) == (202, True)
        listed = await browser.get(f"{IN}/approvals")
        approval = listed.text.split('id="approval-')[1].split('"')[0]
        assert (await bob.post(f"{IN}/approvals/{approval}", decision="approve")).status == 403
        assert (await browser.post(f"{IN}/approvals/{approval}", decision="approve")).status == 200
    assert (await server.ask("GET", "/admin/flags/fresh")).body["enabled"] is False
    key_id = next(key.id for key in server.services.keys.all if key.name == "bob")
    assert (await browser.post(f"{IN}/keys/{key_id}/revoke", confirm="ann")).status == 422
    assert (await browser.post(f"{IN}/keys/{key_id}/revoke", confirm="bob")).status == 200
    assert (await server.ask("GET", "/admin/flags", token=token)).status == 401


async def test_a_page_offers_and_does_only_what_the_token_may(server: Server) -> None:
    await server.put("checkout", enabled=True)
    async with browsing(server) as viewer:
        await viewer.sign_in(await token_of(server, Role.VIEWER))
        shown = await viewer.get(f"{IN}/flags/checkout")
        assert "data-kill=" not in shown.text
        assert "data-editor" not in shown.text
        for path, fields in (
            ("/kill", {"key": "checkout"}),
            ("/flags/checkout/switch", {"enabled": "false"}),
            ("/flags/checkout", {"config": "{}", "revision": "1"}),
            ("/keys", {"kind": "server", "name": "x"}),
        ):
            assert (await viewer.post(IN + path, **fields)).status == 403, path
        assert (await viewer.get(f"{IN}/keys")).status == 403
        await server.kill("checkout")
        shown = await viewer.get(IN)
        assert "1 kill in force" in shown.text
        assert "Revive" not in shown.text
        await server.revive("checkout")
    async with browsing(server) as elsewhere:
        await elsewhere.sign_in(await token_of(server, Role.ADMIN, Scope(environments=("staging",))))
        assert (await elsewhere.get(f"{IN}/flags")).status == 403


async def test_changes_are_told_to_whoever_watches_until_they_may_not(server: Server) -> None:
    made = await server.ask("POST", "/admin/keys", json={"kind": "admin", "role": "viewer", "name": "eve"})
    headers = {"Authorization": f"Bearer {made.body['key']}", "Accept": "text/event-stream"}
    once = await server.ask("GET", "/admin/changes")
    assert (once.body["environment"], once.body["degraded"]) == ("production", False)
    parser = SseParser()
    async with server.session.get(f"{server.url}/admin/changes", headers=headers) as response:

        async def next_events() -> list[tuple[str, str]]:
            while True:
                data = await response.content.readany()
                if not data and response.content.at_eof():
                    return []
                if events := [(each.event, each.data) for each in parser.feed(data)]:
                    return events

        assert (await next_events())[0][0] == "state"
        await server.put("checkout", enabled=True)
        told = await next_events()
        while not any(event == "change" for event, _ in told):
            told = await next_events()
        assert any('"key":"checkout"' in data for _, data in told)
        await server.new_key()
        while not any(event == "system" for event, _ in told):
            told = await next_events()
        assert [data for event, data in told if event == "system"] == ['{"kinds":["key"]}']
        await server.ask("DELETE", f"/admin/keys/{made.body['id']}")
        async with asyncio.timeout(20):
            while await next_events():
                pass
