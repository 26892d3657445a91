"""Which pages are taken, and how a browser gets there."""

import itertools
import re
import shutil
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import oxipng
from playwright.async_api import Browser, Page, async_playwright

from docs.pictures.stand_in import NOW, Clock, Names
from docs.pictures.story import Story, told
from tests.browser.conftest import NAMES, QUIET
from tests.support.server import Server
from wigwag_server.webhooks.webhook import webhooks_of

SIZES = {"": (1200, 760), "phone": (390, 760)}
SCHEMES = ("light", "dark")
PRODUCTION = "/ui/env/production"


@dataclass(frozen=True, slots=True)
class Shot:
    """A page: its name, where it is, and what somebody does there first."""

    name: str
    path: str
    first: Callable[[Page], Awaitable[None]] | None = None


async def edit(page: Page) -> None:
    """Open the editor and begin a draft."""
    await page.get_by_role("button", name="Edit", exact=True).click()
    await page.get_by_label("Rollout, percent").fill("40")
    await page.locator("[data-editor] .diff ins", has_text="40").wait_for()
    await page.evaluate("document.querySelector('#configure').scrollIntoView()")
    await page.evaluate("window.scrollBy(0, -110)")


async def sparks(page: Page) -> None:
    """Wait for how often the first flags were asked for: a wide page asks for that when they are in sight."""
    if page.viewport_size and page.viewport_size["width"] >= SIZES[""][0]:
        await page.locator("#f-checkout_express [data-spark] svg").wait_for()


async def ask_kill(page: Page) -> None:
    """Open the dialog of a kill."""
    await page.get_by_role("link", name="Kill checkout_one_page").click()
    await page.get_by_label("Why?").fill("orders without an address")


async def kill(page: Page) -> None:
    """Kill a flag, and wait until it is in force everywhere."""
    await ask_kill(page)
    await page.get_by_role("button", name="Kill now").click()
    await page.locator(".proof.complete").wait_for()


SHOTS: Sequence[Shot] = (
    Shot("overview", PRODUCTION),
    Shot("flags", f"{PRODUCTION}/flags", sparks),
    Shot("flag", f"{PRODUCTION}/flags/checkout_one_page"),
    Shot("flag-killed", f"{PRODUCTION}/flags/search_semantic"),
    Shot("editor", f"{PRODUCTION}/flags/checkout_one_page", edit),
    Shot("new-flag", f"{PRODUCTION}/new-flag"),
    Shot("rollout", f"{PRODUCTION}/flags/recommendations_v4/ramp"),
    Shot("rollback", f"{PRODUCTION}/flags/refunds_async/ramp"),
    Shot("rollout-none", f"{PRODUCTION}/flags/loyalty_points/ramp"),
    Shot("rollouts", f"{PRODUCTION}/ramps"),
    Shot("stale", f"{PRODUCTION}/stale"),
    Shot("segments", f"{PRODUCTION}/segments"),
    Shot("segment", f"{PRODUCTION}/segments/staff"),
    Shot("audit", f"{PRODUCTION}/audit"),
    Shot("approvals", "/ui/env/staging/approvals"),
    Shot("environments", f"{PRODUCTION}/environments"),
    Shot("compare", f"{PRODUCTION}/compare?with=staging"),
    Shot("keys", f"{PRODUCTION}/keys"),
    Shot("webhooks", f"{PRODUCTION}/webhooks"),
    Shot("webhook", f"{PRODUCTION}/webhooks/HOOK"),
    Shot("instances", f"{PRODUCTION}/instances"),
    Shot("revive", f"{PRODUCTION}/revive?key=checkout_express&key=search_semantic"),
    Shot("empty-overview", "/ui/env/preview"),
    Shot("empty-flags", "/ui/env/preview/flags"),
    Shot("empty-rollouts", "/ui/env/preview/ramps"),
    Shot("empty-stale", "/ui/env/preview/stale"),
    Shot("empty-segments", "/ui/env/preview/segments"),
    Shot("kill", f"{PRODUCTION}/flags?q=checkout", ask_kill),
    Shot("killed", f"{PRODUCTION}/flags?q=checkout", kill),
)


async def take(root: Path, clock: Clock, names: Names, only: set[str], *, whole: bool) -> None:
    """Take them all, or only those that are named."""
    out = root / "build" / "pictures"
    out.mkdir(parents=True, exist_ok=True)
    for left in out.glob("*.png"):
        left.unlink()
    shown = set() if whole else pictures_of(root)
    with tempfile.TemporaryDirectory() as folder:
        async with told(f"sqlite:{folder}/flags.db", clock, names) as (story, server), chromium() as browser:
            # Kills last: they are in the log, and on other pages, from then on.
            for shots in (
                [each for each in SHOTS if each.first is not kill],
                [each for each in SHOTS if each.first is kill],
            ):
                for scheme, size in itertools.product(SCHEMES, SIZES):
                    page = await _signed_in(browser, story, server, scheme, size)
                    for shot in (each for each in shots if not only or each.name in only):
                        name = "-".join(part for part in (shot.name, size, scheme) if part)
                        data = await _taken(page, server, shot, whole=whole)
                        (out / f"{name}.png").write_bytes(data)
                        if shot.first is kill:
                            await story.do(server, "ann", "POST", "flags/checkout_one_page/revive")
                    await page.context.close()
    # Not while the server runs: it would miss its store, and say so in the next picture.
    for name in shown & {path.name for path in out.iterdir()}:
        data = (out / name).read_bytes()
        smaller = oxipng.optimize_from_memory(data, level=4, strip=oxipng.StripChunks.all())
        (root / "docs" / "images" / name).write_bytes(smaller)


def pictures_of(root: Path) -> set[str]:
    """Return the names of the pictures that the README and the pages of docs/ show."""
    pages = (root / "README.md", *(root / "docs").glob("*.md"))
    return {name for page in pages for name in re.findall(r"images/([\w-]+\.png)", page.read_text("utf-8"))}


@asynccontextmanager
async def chromium() -> AsyncGenerator[Browser]:
    """Run the browser of the tests."""
    path = next((found for name in NAMES if (found := shutil.which(name))), None)
    if path is None:
        raise SystemExit(f"this needs a browser: install chromium (looked for {', '.join(NAMES)})")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=list(QUIET))
        yield browser
        await browser.close()


async def _signed_in(browser: Browser, story: Story, server: Server, scheme: Any, size: str) -> Page:
    width, height = SIZES[size]
    context = await browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, reduced_motion="reduce"
    )
    await context.clock.set_fixed_time(NOW)
    page = await context.new_page()
    page.set_default_timeout(20_000)
    await page.goto(f"{server.url}/ui/login")
    await page.get_by_label("Admin token").fill(story.tokens["olga"])
    await page.get_by_role("button", name="Sign in").click()
    await page.wait_for_url("**/flags")
    return page


async def _taken(page: Page, server: Server, shot: Shot, *, whole: bool) -> bytes:
    hooks = webhooks_of(server.services.system.replica.records)
    chat = next(key for key, hook in hooks.items() if hook.name == "chat")
    await page.goto(server.url + shot.path.replace("HOOK", chat))
    await page.locator("[data-live-state][data-state=on]").wait_for()
    if shot.first is not None:
        await shot.first(page)
    return bytes(await page.screenshot(full_page=whole, animations="disabled", caret="hide"))
