"""The React example, built and run as its README says: a component that is gone when its flag is killed."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from tests.support.server import running

if TYPE_CHECKING:
    from playwright.async_api import Page

pytestmark = [pytest.mark.long, pytest.mark.timeout(180)]

EXAMPLE = Path(__file__).parents[2] / "examples" / "react"


async def npm(folder: Path, *words: str) -> None:
    path = shutil.which("npm")
    assert path is not None, "this test needs Node.js with npm"
    process = await asyncio.create_subprocess_exec(
        path, *words, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()


@pytest.fixture
async def built(tmp_path: Path) -> Path:
    """The example as a folder of files for a web server."""
    folder = tmp_path / "react"
    await asyncio.to_thread(shutil.copytree, EXAMPLE, folder, ignore=shutil.ignore_patterns("node_modules", "dist"))
    await npm(folder, "install")
    await npm(folder, "run", "build")
    return folder / "dist"


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[str]:
    """Serve the folder, as another origin than the flag server."""
    app = web.Application()
    app.router.add_static("/", folder)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def test_a_component_flips_on_a_kill_and_back_on_a_revival(page: "Page", built: Path, tmp_path: Path) -> None:
    async with (
        served(built) as origin,
        running(f"sqlite:{tmp_path / 'flags.db'}", cors_origins=(origin,)) as server,
    ):
        premium = {"attribute": "plan", "operator": "equals", "value": "premium"}
        await server.put("new_checkout", enabled=True, clientVisible=True, rules=[premium])
        red = [{"name": "warm", "weight": 1, "value": "red"}]
        await server.put("button_colour", enabled=True, clientVisible=True, variants=red)
        key = await server.new_key("client")
        await page.goto(f"{origin}/index.html?server={server.url}&key={key}")
        await page.locator("button[data-colour=red]").wait_for()
        await server.kill("new_checkout")
        await page.get_by_text("classic checkout").wait_for()
        await server.revive("new_checkout")
        await page.locator("button").wait_for()
        await server.kill("button_colour")
        await page.locator("button[data-colour=grey]").wait_for()


async def test_a_page_of_an_origin_that_is_not_configured_gets_its_defaults(
    page: "Page", built: Path, tmp_path: Path
) -> None:
    async with served(built) as origin, running(f"sqlite:{tmp_path / 'flags.db'}") as server:
        await server.put("new_checkout", enabled=True, clientVisible=True)
        key = await server.new_key("client")
        async with page.expect_event("requestfailed"):
            await page.goto(f"{origin}/index.html?server={server.url}&key={key}")
        await page.get_by_text("classic checkout").wait_for()
