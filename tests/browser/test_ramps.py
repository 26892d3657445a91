"""Ramps, schedules and flags that go away, in a real browser: live, by keyboard, and for everybody."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.test_pages import EVIL, IN, another, live, no_refusals, sign_in
from tests.server.rollouts.conftest import Report, report
from tests.server.test_lives import UPLOAD, age
from tests.server.test_previews import OFTEN, ask_for_a_while, take_samples
from tests.support.server import Server, running

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

pytestmark = [pytest.mark.long, pytest.mark.timeout(180)]
__all__ = ["report"]

RAMP = f"{IN}/flags/checkout/ramp"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    """A server with a flag that a ramp can begin on."""
    async with running(f"sqlite:{tmp_path / 'flags.db'}") as made:
        await made.put("checkout", enabled=True, rolloutPercentage=0, owner="payments")
        yield made


async def test_a_ramp_is_followed_live_until_it_is_rolled_back(page: "Page", server: Server, report: Report) -> None:
    async with no_refusals(page):
        await sign_in(page, server)
        await page.goto(server.url + RAMP)
        await live(page)
        await page.get_by_label("Stages, percent").fill("10, 100")
        await page.get_by_label("Runs on a side before it is judged").first.fill("100")
        await page.get_by_role("button", name="Start the rollout").click()
        await page.get_by_text("Too little to judge yet").wait_for()
        # What is counted between two steps is no change: the page asks for it.
        await report(server, "checkout", (150, 1), (1000, 10))
        await page.locator("#ramp-measured td", has_text="150").wait_for()
        await report(server, "checkout", (1000, 100), (8000, 80))
        await page.locator("#ramp-state .state.damaged", has_text="Rolled back").wait_for()
        await page.locator(".said.loud").get_by_text("failed with the flag on").wait_for()
        await page.get_by_role("button", name="Resume").wait_for()
    assert (await server.ask("GET", "/admin/flags/checkout")).body["rolloutPercentage"] == 0


async def test_a_ramp_is_paused_by_keyboard_and_another_window_sees_it(
    page: "Page", browser: "Browser", server: Server
) -> None:
    plan = {"stages": [10, 100], "interval": "1h"}
    assert (await server.ask("POST", "/admin/flags/checkout/rollout", json=plan)).status == 201
    other = await another(browser, server)
    await other.goto(f"{server.url}{IN}/ramps")
    await live(other)
    await sign_in(page, server)
    await page.goto(server.url + RAMP)
    await page.get_by_label("Why?").first.focus()
    await page.keyboard.type("asking the payments people")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await page.get_by_text("Paused. The percentage stays as it is.").wait_for()
    await other.locator("#ramps .state.held").wait_for()
    await other.context.close()


async def test_a_schedule_shows_only_what_its_choice_needs_in_the_zone_of_who_makes_it(
    browser: "Browser", server: Server
) -> None:
    page = await another(browser, server, timezone_id="Europe/Berlin")
    await page.goto(server.url + RAMP)
    await page.get_by_text("Schedule something").click()
    assert await page.get_by_label("In the time zone").input_value() == "Europe/Berlin"
    assert not await page.get_by_label("Percentage, for that").is_visible()
    await page.get_by_label("What", exact=True).select_option("percentage")
    await page.get_by_label("Percentage, for that").fill("5")
    await page.get_by_label("When").fill("2090-01-31T22:00")
    await page.get_by_role("button", name="Schedule it").click()
    await page.get_by_role("button", name="Cancel: Set to 5 % checkout").wait_for()
    (made,) = (await server.ask("GET", "/admin/schedules")).body["schedules"]
    assert (made["patch"], made["timeZone"], made["at"]) == (
        {"rolloutPercentage": 5},
        "Europe/Berlin",
        3_789_579_600_000,
    )
    await page.context.close()


async def test_everything_works_without_scripts(browser: "Browser", server: Server) -> None:
    await server.put("old", enabled=True)
    await age(server, "old", 50)
    page = await another(browser, server, java_script_enabled=False)
    await page.goto(server.url + RAMP)
    await page.get_by_role("button", name="Start the rollout").click()
    await page.get_by_text("Started.").wait_for()
    await page.get_by_role("button", name="Abort for good").click()
    await page.get_by_text("Aborted. The percentage").wait_for()
    await page.get_by_text("Put a guard on it").click()
    await page.get_by_role("button", name="Set the guard").click()
    await page.get_by_text("The guard is set.").wait_for()
    await page.goto(f"{server.url}{IN}/stale")
    await page.get_by_label("Archive or keep old").click()
    await page.get_by_role("button", name="Archive").click()
    await page.get_by_text("Archived. It is off the lists").wait_for()
    assert (await server.ask("GET", "/admin/flags/old")).body["archived"] is not None
    await page.context.close()


async def fill(server: Server) -> None:
    """Have something of everything, with long names and with what browsers would run."""
    long = "a_very_long_name" * 8
    rollout = {"interval": "1h", "guard": {"maxErrorIncrease": 0.0, "maxErrorRate": 0.02, "maxP95Increase": 0.5}}
    for key, stages in ((long, [1, 5, 10, 25, 50, 100]), ("checkout", list(range(1, 41)))):
        await server.put(key, enabled=True, rolloutPercentage=0, owner="team" * 30, description=EVIL)
        made = await server.ask("POST", f"/admin/flags/{key}/rollout", json={**rollout, "stages": stages})
        assert made.status == 201, made
        await server.ask("POST", f"/admin/flags/{key}/guard", json={"maxErrorRate": 0.05, "comment": EVIL})
        for body in ({"what": "kill"}, {"what": "change", "patch": {"description": EVIL * 5}}):
            at = {"flag": key, "at": "2090-01-31T22:00", "timeZone": "America/Argentina/ComodRivadavia"}
            assert (await server.ask("POST", "/admin/schedules", json={**at, **body, "comment": EVIL})).status == 201
    await server.ask("POST", f"/admin/flags/{long}/rollout/pause", json={"comment": EVIL})
    uses = [
        {"flag": "checkout", "file": "src/" + "deep/" * 60 + "pay.py", "line": n, "function": "f" * 80}
        for n in range(1, 20)
    ]
    assert (await server.ask("PUT", "/admin/code-references", json={**UPLOAD, "references": uses})).status == 200
    for key in ("old", "older" * 20):
        await server.put(key, enabled=True, owner="team" * 20, description="long " * 60)
        await age(server, key, 60)
    await server.put("done_with", enabled=True)
    await server.ask("POST", "/admin/flags/done_with/archive", json={"reason": EVIL})


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1300, 360])
async def test_axe_finds_nothing_and_nothing_runs_over_the_edge(
    browser: "Browser", server: Server, report: Report, scheme: str, width: int
) -> None:
    from axe_playwright_python.async_playwright import Axe  # noqa: PLC0415 - only `make test-long` installs it

    await fill(server)
    await report(server, "checkout", (1200, 31), (48_000, 700))
    page = await (await browser.new_context(viewport={"width": width, "height": 800})).new_page()
    page.set_default_timeout(20_000)
    await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    await sign_in(page, server)
    found = []
    for path in (
        "/ramps",
        "/stale",
        "/stale?state=archived",
        "/flags/checkout",
        "/flags/checkout/ramp",
        "/flags/old/ramp",
    ):
        await page.goto(f"{server.url}{IN}{path}")
        await page.locator("main").wait_for()
        for each in await page.locator("main details.fold > summary").all():
            await each.click()
        found += [(path, each) for each in (await Axe().run(page)).response["violations"]]
        assert await page.locator("main img").count() == 0, path
        assert await page.evaluate("document.documentElement.scrollWidth") <= width, path
    await page.context.close()
    assert not found, [(path, each["id"], [node["html"][:160] for node in each["nodes"][:3]]) for path, each in found]


async def test_the_editor_says_what_a_draft_would_mean_for_contexts_seen_lately(page: "Page", server: Server) -> None:
    await take_samples(server)
    async with server.client(**OFTEN) as flags:
        await ask_for_a_while(server, flags, "checkout", 20)
    await sign_in(page, server)
    await page.goto(f"{server.url}{IN}/flags/checkout")
    await page.get_by_role("button", name="Edit", exact=True).click()
    await page.get_by_label("Rollout, percent").fill("100")
    await page.locator("[data-preview] .said", has_text="sampled contexts would get another answer").wait_for()
    await page.locator("[data-preview] td", has_text="off").first.wait_for()
    await page.get_by_role("button", name="Drop the draft").click()
    await page.locator("[data-preview]").wait_for(state="detached")
