"""The pages in a real browser, as people use them: killing, editing, two at once, by keyboard, without scripts."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.receiver import receiving
from tests.support.server import ADMIN_TOKEN, Server, running
from tests.support.waiting import until, until_async
from wigwag_proto.telemetry import INSTANCE_HEADER
from wigwag_server.webhooks.webhook import webhooks_of

if TYPE_CHECKING:
    from playwright.async_api import Browser, Locator, Page

pytestmark = [pytest.mark.long, pytest.mark.timeout(180)]

HIDE = (
    "Object.defineProperty(document, 'hidden', {value: STATE, configurable: true});"
    "document.dispatchEvent(new Event('visibilitychange'))"
)
SLEEPER = {"id": "sleeper1", "label": "sleeper", "host": "web", "pid": 7, "sdk": "raw/1"}
IN = "/ui/env/production"
EVIL = "<img src=x onerror=alert(1)><script>alert(2)</script>\"'"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    """A server with three flags."""
    async with running(f"sqlite:{tmp_path / 'flags.db'}") as made:
        for key in ("cart", "checkout", "search"):
            await made.put(key, enabled=True, owner="payments", description=f"The new {key}")
        yield made


async def sign_in(page: "Page", server: Server, token: str = ADMIN_TOKEN) -> None:
    """Sign in by token."""
    await page.goto(f"{server.url}/ui/")
    await page.get_by_label("Admin token").fill(token)
    await page.get_by_role("button", name="Sign in").click()
    await page.wait_for_url(f"**{IN}/flags")


async def live(page: "Page") -> None:
    """Wait until the page hears of changes."""
    await page.locator("[data-live-state=on], [data-live-state][data-state=on]").wait_for()


async def another(browser: "Browser", server: Server, **context: Any) -> "Page":
    """Sign in in another window, which shares nothing with the first."""
    page = await (await browser.new_context(**context)).new_page()
    page.set_default_timeout(20_000)
    await sign_in(page, server)
    return page


async def flag(server: Server, key: str) -> Any:
    return (await server.ask("GET", f"/admin/flags/{key}")).body


@asynccontextmanager
async def no_refusals(page: "Page") -> AsyncIterator[None]:
    """Fail where the policy of a page forbids what the page does."""
    refused: list[str] = []
    page.on(
        "console", lambda message: refused.append(message.text) if "Content Security Policy" in message.text else None
    )
    yield
    assert not refused, refused


async def test_a_link_signs_in_and_signing_out_ends_it(page: "Page", server: Server) -> None:
    path = (await server.ask("POST", "/admin/login-links")).body["path"]
    await page.goto(server.url + path)
    await page.get_by_role("button", name=re.compile("Sign in as")).click()
    await page.wait_for_url(f"**{IN}/flags")
    cookies = await page.context.cookies()
    assert [(each["httpOnly"], each["sameSite"]) for each in cookies] == [(True, "Strict")]
    await page.get_by_label("Signed in as").click()
    await page.get_by_role("button", name="Sign out").click()
    await page.get_by_label("Admin token").wait_for()
    await page.goto(f"{server.url}{IN}/flags")
    await page.get_by_label("Admin token").wait_for()


async def test_a_kill_is_confirmed_by_a_real_client_and_by_name_where_it_is_not(page: "Page", server: Server) -> None:
    async with no_refusals(page), server.client(label="shop") as app:
        header = {INSTANCE_HEADER: f"id={SLEEPER['id']}&label=sleeper&host=web&pid=7&sdk=raw/1"}
        async with server.stream(**header):
            await until_async(lambda: _instances(server, 2), "both instances")
            await sign_in(page, server)
            await page.get_by_role("link", name="Kill checkout").click()
            await page.get_by_label("Why?").fill("errors are up")
            await page.get_by_role("button", name="Kill now").click()
            await page.get_by_text("checkout is killed").wait_for()
            await until(lambda: not app.is_enabled("checkout"))
            await page.locator("[data-confirmed]", has_text="1").wait_for()
            await page.get_by_text("sleeper").wait_for()
            cursor = str(server.services.environments["production"].replica.cursor)
            report = {"instance": SLEEPER, "applied": [{"cursor": cursor, "heldMs": 0}]}
            assert (await server.ask("POST", "/v1/telemetry", token=server.key, json=report)).status == 204
            await page.locator(".proof.complete").wait_for()
            assert await page.locator(".proof .figure").inner_text() == "2 of 2 instances have it in force"
    assert (await flag(server, "checkout"))["kill"]["reason"] == "errors are up"


async def _instances(server: Server, number: int) -> bool:
    counts = (await server.ask("GET", "/admin/instances")).body["counts"]
    return bool(counts["stream"] == number)


async def test_a_kill_by_keyboard_alone(page: "Page", server: Server) -> None:
    await sign_in(page, server)
    await page.keyboard.press("/")
    await page.keyboard.type("the new")
    await until_async(lambda: _has_query(page))
    await page.keyboard.press("Escape")
    for key in ("j", "x", "j", "j", "x", "k"):
        await page.keyboard.press(key)
    await page.get_by_text("2 chosen").wait_for()
    await page.keyboard.press("Shift+K")
    await page.get_by_role("dialog").wait_for()
    await page.keyboard.type("by keyboard")
    await page.keyboard.press("Enter")
    await page.get_by_text("2 flags are killed").wait_for()
    kills = {key: ((await flag(server, key))["kill"] or {}).get("reason") for key in ("cart", "checkout", "search")}
    assert kills == {"cart": "by keyboard", "checkout": None, "search": "by keyboard"}


async def _has_query(page: "Page") -> bool:
    return "q=the+new" in page.url


async def test_a_kill_without_scripts(browser: "Browser", server: Server) -> None:
    page = await another(browser, server, java_script_enabled=False)
    await page.get_by_role("link", name="Kill search").click()
    await page.get_by_role("main").get_by_label("Why?").fill("no scripts here")
    await page.get_by_role("main").get_by_role("button", name="Kill now").click()
    await page.get_by_text("search is killed").wait_for()
    assert (await flag(server, "search"))["kill"]["reason"] == "no scripts here"
    await page.goto(f"{server.url}{IN}/flags")
    await page.get_by_label("Choose cart").check()
    await page.get_by_label("Choose checkout").check()
    await page.get_by_role("button", name="Kill chosen").click()
    await page.get_by_role("main").get_by_role("button", name="Kill now").click()
    await page.get_by_text("2 flags are killed").wait_for()
    await page.context.close()


async def test_a_second_window_follows_by_itself(page: "Page", browser: "Browser", server: Server) -> None:
    other = await another(browser, server)
    await live(other)
    await sign_in(page, server)
    await live(page)
    await other.get_by_label("Choose search").check()
    await page.get_by_role("link", name="Kill cart").click()
    await page.get_by_role("button", name="Kill now").click()
    await other.locator("#f-cart .state.killed").wait_for()
    await server.put("a_new_one", description="just made")
    await other.get_by_text("just made").wait_for()
    await server.ask("DELETE", "/admin/flags/checkout?confirm=checkout")
    await other.locator("#f-checkout").wait_for(state="detached")
    assert await other.get_by_label("Choose search").is_checked(), "what was chosen stays chosen"
    await other.context.close()


async def test_what_is_the_servers_own_is_followed_too_and_what_somebody_types_is_left_alone(
    page: "Page", server: Server
) -> None:
    await server.ask("POST", "/admin/environments", json={"name": "staging"})
    await sign_in(page, server)
    await page.goto(f"{server.url}{IN}/keys")
    await live(page)
    await page.locator("summary", has_text="Change").first.click()
    await page.get_by_placeholder("Type test").fill("te")
    await page.get_by_label("Name", exact=True).click()
    made = await server.ask("POST", "/admin/keys", json={"kind": "server", "name": "made meanwhile"})
    await page.get_by_text("made meanwhile", exact=True).wait_for()
    await page.locator("[data-news]", has_text="Keys updated").wait_for()
    assert await page.get_by_placeholder("Type test").input_value() == "te"
    await server.ask("DELETE", f"/admin/keys/{made.body['id']}")
    await page.get_by_text("made meanwhile", exact=True).wait_for(state="detached")

    await page.goto(f"{server.url}{IN}/compare?with=staging")
    await live(page)
    await server.ask("POST", "/admin/flags/fresh", json={"enabled": True}, params={"environment": "staging"})
    await page.get_by_label("fresh flag, only in staging").check()
    await server.put("also_fresh", enabled=True)
    await page.get_by_text("also_fresh", exact=True).wait_for()
    assert await page.get_by_label("fresh flag, only in staging").is_checked()

    await page.goto(f"{server.url}{IN}/environments")
    await live(page)
    await server.ask("POST", "/admin/environments", json={"name": "preview"})
    await page.get_by_role("heading", name="preview").wait_for()

    await page.goto(f"{server.url}{IN}/approvals")
    await live(page)
    await server.ask("PATCH", "/admin/environments/production", json={"approvals": True})
    await server.ask("PATCH", "/admin/flags/cart", json={"rolloutPercentage": 5, "comment": "looks good"})
    await page.get_by_text("looks good").wait_for()


async def test_the_controls_of_a_flag_follow_unless_somebody_has_begun_to_set_them(
    page: "Page", server: Server
) -> None:
    await server.put("checkout", enabled=True, rolloutPercentage=12.5)
    await sign_in(page, server)
    await page.goto(f"{server.url}{IN}/flags/checkout")
    await live(page)
    await server.ask("PATCH", "/admin/flags/checkout", json={"rolloutPercentage": 40})
    percent = page.get_by_label("Percent", exact=True)
    await until_async(lambda: _has_value(percent, "40"), "the percentage to follow")
    await percent.fill("60")
    await page.get_by_role("heading", name="checkout").click()
    await server.ask("PATCH", "/admin/flags/checkout", json={"rolloutPercentage": 50, "description": "seen"})
    await page.locator("#head").get_by_text("seen").wait_for()
    assert await percent.input_value() == "60"


async def _has_value(field: "Locator", value: str) -> bool:
    return bool(await field.input_value() == value)


async def test_a_webhook_is_made_tested_and_seen_to_deliver_by_itself(page: "Page", tmp_path: Path) -> None:
    async with (
        running(f"sqlite:{tmp_path / 'hooks.db'}", webhook_allow_private=True) as server,
        receiving() as receiver,
        no_refusals(page),
    ):
        await sign_in(page, server)
        await page.get_by_role("link", name="Webhooks").click()
        await page.get_by_label("URL").fill(receiver.url)
        await page.get_by_label("Name").fill("on call")
        await page.get_by_label(re.compile("^kill")).check()
        await page.get_by_role("button", name="Make the webhook").click()
        assert (await page.get_by_label("Secret").input_value()).startswith("whsec_")
        await page.get_by_role("button", name="Send a test").click()
        await page.get_by_text("The test was delivered").wait_for()
        await live(page)
        receiver.answer = lambda _: 503
        await server.put("cart", enabled=True)
        await server.kill("cart")
        await page.get_by_text("the receiver answered 503").first.wait_for()
        receiver.answer = lambda _: 204
        await page.get_by_role("button", name="Try again now").click()
        await page.get_by_text("delivered, 204").wait_for()
        await page.get_by_text("Delete this webhook").click()
        await page.get_by_label("Type on call").fill("on call")
        await page.get_by_role("button", name="Delete the webhook").click()
        await page.get_by_text("No other system is told of anything yet.").wait_for()


@pytest.mark.parametrize("scripts", [True, False])
async def test_several_flags_are_revived_after_what_comes_back_was_shown(
    browser: "Browser", server: Server, scripts: bool
) -> None:
    for key in ("cart", "search"):
        await server.kill(key)
    page = await another(browser, server, java_script_enabled=scripts)
    for key in ("cart", "checkout", "search"):
        await page.get_by_label(f"Choose {key}").check()
    await page.get_by_role("button", name="Revive 2 of them…" if scripts else "Revive chosen…").click()
    await page.get_by_role("heading", name="Revive 2 flags in production?").wait_for()
    assert await page.get_by_text("Comes back on, for everyone.").count() == 2
    await page.get_by_label("Why are they safe again?").fill("mended")
    await page.keyboard.press("Enter")
    await page.get_by_text("2 flags are revived").wait_for()
    assert [(await flag(server, key))["kill"] for key in ("cart", "search")] == [None, None]
    await page.context.close()


async def test_search_filters_as_somebody_types(page: "Page", server: Server) -> None:
    await sign_in(page, server)
    await page.get_by_label("Find flags").fill("sear")
    await page.locator("#f-cart").wait_for(state="detached")
    assert await page.locator("[data-rows] tr").count() == 1
    await page.get_by_label("Find flags").fill("nothing is like this")
    await page.get_by_text("No flag is like that.").wait_for()


async def test_the_editor_checks_as_somebody_types_and_saves(page: "Page", server: Server) -> None:
    async with no_refusals(page):
        await sign_in(page, server)
        await page.goto(f"{server.url}{IN}/flags/checkout")
        await page.get_by_role("button", name="Edit", exact=True).click()
        await page.get_by_role("button", name="+ condition").click()
        row = page.locator(".rule-row").first
        await row.get_by_label("Attribute").fill("plan")
        await row.get_by_label("Operator").select_option("greaterThan")
        await row.get_by_label("Value").fill("many")
        await page.get_by_text("must be a finite number").or_(page.locator(".wrong")).first.wait_for()
        assert await page.get_by_role("button", name="Save").first.is_disabled()
        await row.get_by_label("Operator").select_option("in")
        await row.get_by_label("Value").fill("premium, gold")
        await page.get_by_label("Rollout, percent").fill("12.5")
        await page.get_by_role("button", name="+ variant").click()
        await page.get_by_label("Variant", exact=True).fill("blue")
        await page.get_by_label("Value, text or JSON").fill('{"colour": "blue"}')
        await page.locator("[data-editor] .diff ins", has_text="12.5").wait_for()
        await page.get_by_label("Context, as JSON").fill('{"userId": "u1", "plan": "free"}')
        await page.get_by_role("button", name="Decide").click()
        await page.get_by_text("RULE_MISMATCH, with your draft").wait_for()
        await page.locator(".save-bar").get_by_label("Why").fill("slowly")
        await page.locator("[data-save]:enabled").click()
        await page.get_by_text("Saved.").wait_for()
    saved = await flag(server, "checkout")
    assert saved["rolloutPercentage"] == 12.5
    assert saved["rules"] == [{"attribute": "plan", "operator": "in", "value": ["premium", "gold"]}]
    assert saved["variants"][0]["value"] == {"colour": "blue"}
    history = (await server.ask("GET", "/admin/flags/checkout/history")).body["history"]
    assert history[0]["comment"] == "slowly"


async def test_of_two_who_edit_the_second_is_told_and_loses_nothing(
    page: "Page", browser: "Browser", server: Server
) -> None:
    await sign_in(page, server)
    await page.goto(f"{server.url}{IN}/flags/checkout")
    await live(page)
    await page.get_by_role("button", name="Edit", exact=True).click()
    await page.get_by_label("Rollout, percent").fill("30")
    await page.get_by_label("Description").fill("what I wrote")
    await server.ask(
        "PATCH", "/admin/flags/checkout", json={"rolloutPercentage": 25, "owner": "ann", "comment": "was faster"}
    )
    await page.get_by_text("Somebody else has changed this meanwhile").wait_for()
    await page.get_by_text("was faster").first.wait_for()
    assert "rolloutPercentage" in await page.locator("[data-conflict] > p").inner_text()
    assert await page.get_by_label("Description").input_value() == "what I wrote"
    await page.get_by_role("button", name="Put my draft on top").click()
    await page.locator("[data-save]:enabled").click()
    await page.get_by_text("Saved.").wait_for()
    saved = await flag(server, "checkout")
    assert (saved["rolloutPercentage"], saved["description"], saved["owner"]) == (30, "what I wrote", "ann")


async def test_a_revert_puts_back_what_was(page: "Page", server: Server) -> None:
    await server.ask("PATCH", "/admin/flags/checkout", json={"rolloutPercentage": 5})
    await sign_in(page, server)
    await page.goto(f"{server.url}{IN}/flags/checkout")
    await page.get_by_role("button", name="Revert to this").click()
    await page.get_by_text("Reverted.").wait_for()
    assert (await flag(server, "checkout"))["rolloutPercentage"] == 100


async def test_what_people_write_is_never_run(page: "Page", server: Server) -> None:
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    variants = [{"name": EVIL, "weight": 1, "value": EVIL}]
    rule = {"attribute": EVIL, "operator": "equals", "value": EVIL}
    await server.put(
        "evil",
        enabled=True,
        description=EVIL,
        owner=EVIL,
        tags=[EVIL],
        whitelist=[EVIL],
        rules=[rule],
        variants=variants,
        bucketBy=EVIL,
        overrides=[{"name": EVIL, "rules": [rule], "variants": variants}],
        comment=EVIL,
    )
    await server.ask("POST", "/admin/segments/evil", json={"include": [EVIL], "description": EVIL})
    await server.ask("POST", "/admin/keys", json={"kind": "server", "name": EVIL})
    await server.ask("POST", "/admin/environments", json={"name": "staging", "description": EVIL})
    await server.ask("POST", "/admin/flags/evil/kill", json={"reason": EVIL})
    hook = {
        "url": "https://hooks.example.invalid/'\"<b>",
        "name": EVIL,
        "flags": ["evil"],
        "tags": [EVIL],
        "active": False,
    }
    made = (await server.ask("POST", "/admin/webhooks", json=hook)).body
    await server.put("ramped", rolloutPercentage=0, enabled=True)
    await server.ask(
        "POST", "/admin/flags/ramped/rollout", json={"stages": [1, 100], "interval": "1h", "comment": EVIL}
    )
    await server.ask("POST", "/admin/flags/ramped/rollout/pause", json={"comment": EVIL})
    await sign_in(page, server)
    async with server.client(label=EVIL):
        for path in (
            "",
            "/instances",
            "/flags",
            "/flags/evil",
            "/segments",
            "/segments/evil",
            "/audit",
            "/keys",
            "/webhooks",
            f"/webhooks/{made['id']}",
            "/revive?key=evil&key=cart",
            "/environments",
            "/compare?with=staging",
            "/approvals",
        ):
            await page.goto(f"{server.url}{IN}{path}")
            await page.locator("main").wait_for()
            assert await page.locator("img").count() == 0, path
            assert await page.locator("main script").count() == 0, path
        await page.goto(f"{server.url}{IN}/flags/evil")
        await page.get_by_role("button", name="Edit", exact=True).click()
        await page.get_by_label("Description").fill(EVIL + "!")
        await page.locator("[data-editor] .diff").wait_for()
        await page.get_by_role("button", name="Decide").click()
        await page.locator(".verdict").wait_for()
        await server.ask("PATCH", "/admin/flags/evil", json={"description": "x" + EVIL, "comment": EVIL})
        await page.locator("[data-conflict]").wait_for()
        assert await page.locator("img").count() == 0
    assert not dialogs


async def test_a_page_of_another_site_can_neither_frame_nor_change_anything(browser: "Browser", server: Server) -> None:
    page = await another(browser, server)
    foreign = await page.context.new_page()
    await foreign.goto("about:blank")
    await foreign.set_content(
        f'<form method="post" action="{server.url}{IN}/kill"><input name="key" value="cart"><button>go</button></form>'
    )
    await foreign.get_by_role("button").click()
    await foreign.get_by_text(re.compile("not signed in any more|is off for everyone")).wait_for()
    assert (await flag(server, "cart"))["kill"] is None
    await page.context.close()


async def test_ten_thousand_flags_are_found_and_scrolled(page: "Page", server: Server) -> None:
    for start in range(0, 9990, 3330):
        flags = {
            f"flag_{n:05}": {"enabled": n % 3 == 0, "description": f"number {n}"} for n in range(start, start + 3330)
        }
        assert (await server.ask("POST", "/admin/import", json={"flags": flags})).status == 200
    await sign_in(page, server)
    assert await page.locator("[data-rows] tr").count() <= 60
    await page.locator("[data-more]").scroll_into_view_if_needed()
    await page.locator("[data-rows] tr").nth(150).wait_for(state="attached")
    await page.get_by_label("Find flags").fill("flag_09876")
    await page.locator("#f-flag_09876").wait_for()
    await page.locator("#f-cart").wait_for(state="detached")


async def test_the_stream_of_changes_comes_back_after_a_while_in_the_background(page: "Page", server: Server) -> None:
    await sign_in(page, server)
    await live(page)
    await page.evaluate(HIDE.replace("STATE", "true"))
    changes = server.services.changes["production"]
    await server.put("while_away", description="made while away")
    await until(lambda: not changes.watching, "the stream of a hidden page to end")
    await page.evaluate(HIDE.replace("STATE", "false"))
    await page.get_by_text("made while away").wait_for()
    await asyncio.sleep(0)


PAGES = (
    "",
    "/instances",
    "/flags",
    "/flags/checkout",
    "/flags/search",
    "/kill?key=cart",
    f"/kill?key={'a_very_long_name' * 8}",
    "/new-flag",
    "/segments",
    "/segments/staff",
    "/audit",
    "/audit/verify",
    "/keys",
    "/webhooks",
    "/webhooks/HOOK",
    "/revive?key=search&key=cart",
    "/environments",
    "/compare?with=staging",
    "/approvals",
)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1300, 360])
async def test_axe_finds_nothing_and_nothing_runs_over_the_edge(
    browser: "Browser", server: Server, scheme: str, width: int
) -> None:
    from axe_playwright_python.async_playwright import Axe  # noqa: PLC0415 - only `make test-long` installs it

    await fill(server)
    page = await (await browser.new_context(viewport={"width": width, "height": 800})).new_page()
    page.set_default_timeout(20_000)
    await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    await page.goto(f"{server.url}/ui/login")
    found = [("login", each) for each in (await Axe().run(page)).response["violations"]]
    await sign_in(page, server)
    hook = next(iter(webhooks_of(server.services.system.replica.records)))
    for path in PAGES:
        await page.goto(f"{server.url}{IN}{path.replace('HOOK', hook)}")
        if path == "/flags/checkout":
            await page.get_by_role("button", name="Edit", exact=True).click()
            await page.get_by_label("Rollout, percent").fill("200")
            await page.locator(".wrong").first.wait_for()
        found += [(path, each) for each in (await Axe().run(page)).response["violations"]]
        assert await page.evaluate("document.documentElement.scrollWidth") <= width, path
    await page.goto(f"{server.url}{IN}/flags")
    await page.get_by_role("link", name="Kill cart").click()
    found += [("dialog", each) for each in (await Axe().run(page)).response["violations"]]
    await page.get_by_role("button", name="Kill now").click()
    await page.get_by_text("cart is killed").wait_for()
    found += [("killed", each) for each in (await Axe().run(page)).response["violations"]]
    await page.context.close()
    assert not found, [(path, each["id"], [node["html"][:160] for node in each["nodes"][:3]]) for path, each in found]


async def fill(server: Server) -> None:
    """Have something on every page, long names too."""
    long = "a_very_long_name" * 8
    await server.ask("POST", "/admin/environments", json={"name": "staging", "description": "Before production"})
    await server.ask("POST", "/admin/segments/staff", json={"include": ["ann"], "description": "Everybody"})
    await server.put(long, description="long " * 100, owner="team" * 30, tags=["tag" * 30], whitelist=["user" * 100])
    rules = [{"attribute": "userId", "operator": "inSegment", "value": "staff"}]
    variants = [
        {"name": "blue", "weight": 1, "value": {"colour": "blue"}},
        {"name": "red", "weight": 3, "value": "x" * 200},
    ]
    await server.put(
        "checkout",
        enabled=True,
        rolloutPercentage=25,
        rules=rules,
        variants=variants,
        tags=["web"],
        requires=[{"flag": long}],
        overrides=[{"name": "staff", "rules": rules}],
    )
    await server.ask("POST", "/admin/flags/search/kill", json={"reason": "errors are up " * 20})
    hook = {"url": "https://hooks.example.invalid/" + "x" * 300, "name": long, "flags": [long], "tags": ["web"]}
    await server.ask("POST", "/admin/webhooks", json={**hook, "active": False})
    await server.put("ramped", enabled=True, rolloutPercentage=0)
    await server.ask("POST", "/admin/flags/ramped/rollout", json={"stages": [10, 100], "interval": "1h"})
    await server.ask("POST", "/admin/flags/ramped/rollout/pause", json={})
