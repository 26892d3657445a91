"""Who can administer a fresh server."""

from pathlib import Path

import pytest

from tests.support.server import ADMIN_TOKEN, running
from wigwag_server import lifecycle
from wigwag_server.bootstrap import check_bootstrap_token, first_admin_token
from wigwag_server.dev import DEV_FILE, dev_keys
from wigwag_server.settings import BadSetting, Listen, Settings, parse_listen


def settings(store: str, tmp_path: Path, token: str | None = None) -> Settings:
    return Settings(listen=Listen(port=0), store=store, data_dir=tmp_path / "data", bootstrap_token=token)


async def test_the_first_start_makes_one_token_and_later_starts_none(store_url: str, tmp_path: Path) -> None:
    async with lifecycle.running(settings(store_url, tmp_path)) as server:
        token = await first_admin_token(server.services)
        assert token is not None
        assert await first_admin_token(server.services) is None
    async with lifecycle.running(settings(store_url, tmp_path)) as server:
        assert await first_admin_token(server.services) is None
        assert server.services.keys.find(token) is not None


async def test_the_bootstrap_token_of_the_settings_is_taken_by_a_fresh_store_only(
    store_url: str, tmp_path: Path
) -> None:
    async with running(store_url, data_dir=tmp_path / "data") as server:
        assert (await server.ask("GET", "/admin/flags")).status == 200
    other = "another-token-0123456789"
    async with lifecycle.running(settings(store_url, tmp_path, other)) as again:
        assert await first_admin_token(again.services) is None
        assert again.services.keys.find(other) is None
        assert again.services.keys.find(ADMIN_TOKEN) is not None


@pytest.mark.parametrize("token", ["short", "with\nline and more and more", "ümlaut-ümlaut-ümlaut"])
def test_a_bootstrap_token_that_is_none_is_refused(token: str) -> None:
    with pytest.raises(BadSetting, match="at least 16"):
        check_bootstrap_token(token)


async def test_dev_keys_are_kept_over_a_restart_and_are_private(store_url: str, tmp_path: Path) -> None:
    async with lifecycle.running(settings(store_url, tmp_path)) as server:
        first = await dev_keys(server.services, server.url)
        assert DEV_FILE.stat().st_mode & 0o777 == 0o600
        found = [server.services.keys.find(token) for token in (first.server_key, first.client_key)]
        assert [key.kind for key in found if key is not None] == ["server", "client"]
    async with lifecycle.running(settings(store_url, tmp_path)) as server:
        second = await dev_keys(server.services, server.url)
        assert second.server_key == first.server_key
        assert second.url == server.url
        DEV_FILE.write_text("{}")
        third = await dev_keys(server.services, server.url)
        assert third.server_key != first.server_key


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "example.com", "::"])
def test_keys_do_not_travel_in_the_clear_unless_somebody_insists(host: str) -> None:
    with pytest.raises(BadSetting, match="--insecure-http"):
        Listen(host).check()
    Listen(host, insecure_http=True).check()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:8420", ("127.0.0.1", 8420)),
        ("[::1]:80", ("::1", 80)),
        (":8420", ("0.0.0.0", 8420)),
        ("localhost:0", ("localhost", 0)),
    ],
)
def test_an_address_is_host_and_port(text: str, expected: tuple[str, int]) -> None:
    assert parse_listen(text) == expected


@pytest.mark.parametrize("text", ["8420", "localhost", "localhost:x", "::1:80", "h:70000", ""])
def test_anything_else_is_no_address(text: str) -> None:
    with pytest.raises(BadSetting, match="--listen"):
        parse_listen(text)
