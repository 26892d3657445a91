"""The pages while the store is what is on fire: one signs in, sees what is so, and kills."""

from pathlib import Path

from tests.support.browsing import browsing, words
from tests.support.redis_server import RedisServer
from tests.support.server import running
from tests.support.waiting import until, until_async

IN = "/ui/env/production"


async def test_one_signs_in_and_kills_without_the_store(own_redis: RedisServer, tmp_path: Path) -> None:
    async with (
        running(own_redis.url, data_dir=tmp_path / "data") as server,
        server.client() as app,
        browsing(server) as browser,
    ):
        await server.put("checkout", enabled=True)
        await until(lambda: app.is_enabled("checkout"), "the flag")
        link = (await server.ask("POST", "/admin/login-links")).body["path"]
        await own_redis.stop()
        await until(lambda: server.services.environments["production"].degraded, "the store to be missed")
        assert "needs no store" in words((await browser.post(link)).text)
        shown = await browser.sign_in()
        assert "The store does not answer." in words(shown.text)
        for path in ("", "/flags/checkout", "/segments", "/instances", "/audit"):
            assert (await browser.get(IN + path)).status in (200, 503), path
        killed = await browser.post(f"{IN}/kill", key="checkout", reason="all is on fire")
        assert killed.status == 202
        assert "other servers were not told" in words(killed.text)
        await until(lambda: not app.is_enabled("checkout"), "the emergency")
        listed = words((await browser.get(f"{IN}/flags?state=killed")).text)
        assert "all is on fire" in listed
        await browser.post("/ui/logout")
        assert browser.cookie() == ""
        await own_redis.start()

        async def committed() -> bool:
            return (await server.ask("GET", "/admin/flags/checkout")).body["kill"] is not None

        await until_async(committed, "the commit")


async def test_a_session_is_one_on_every_server_and_so_is_its_end(redis_server: RedisServer, tmp_path: Path) -> None:
    async with (
        running(redis_server.url, data_dir=tmp_path / "one") as one,
        running(redis_server.url, data_dir=tmp_path / "other", key=one.key) as other,
        browsing(one) as browser,
    ):
        await browser.sign_in()
        cookie = browser.cookie()

        async def taken() -> bool:
            port = other.url.rpartition(":")[2]
            headers = {"Cookie": f"wigwag-{port}={cookie}"}
            return (await other.ask("GET", "/admin/flags", token=None, headers=headers)).status == 200

        await until_async(taken, "the other server to know the token")
        await browser.post("/ui/logout")

        async def refused() -> bool:
            return not await taken()

        await until_async(refused, "the end of the session")
