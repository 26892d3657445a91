"""A real browser. These tests are part of `make test-long`, which installs what drives it; Chromium is Debian's."""

import shutil
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

NAMES = ("chromium", "chromium-browser", "google-chrome")
# What a browser asks of others by itself would be noise here, and takes long where there is no network.
QUIET = (
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture
async def browser() -> AsyncIterator["Browser"]:
    """A headless Chromium."""
    from playwright.async_api import async_playwright  # noqa: PLC0415 - only `make test-long` installs it

    path = next((found for name in NAMES if (found := shutil.which(name))), None)
    assert path is not None, f"these tests need a browser: install chromium (looked for {', '.join(NAMES)})"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=list(QUIET))
        yield browser
        await browser.close()


@pytest.fixture
async def page(browser: "Browser") -> AsyncIterator["Page"]:
    """A page that fails the test when a script in it raises."""
    page = await browser.new_page()
    raised: list[str] = []
    page.on("pageerror", lambda error: raised.append(str(error)))
    page.set_default_timeout(20_000)
    yield page
    await page.close()
    assert not raised, raised
