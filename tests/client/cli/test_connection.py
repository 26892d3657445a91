"""Where the command line finds its server, and to whom it gives which secret."""

import json
from pathlib import Path

import pytest

from wigwag.cli.connection import SERVER_KEY, TOKEN, Server, find_server
from wigwag.cli.exits import ExitCode, Stop

DEV_URL = "http://127.0.0.1:8420"
ENVIRON = {"WIGWAG_URL": "https://env.example.com", "WIGWAG_TOKEN": "env-token", "WIGWAG_KEY": "env-key"}


@pytest.fixture
def dev(tmp_path: Path) -> Path:
    """A folder below the one that has a dev.json."""
    (tmp_path / ".wigwag").mkdir()
    dev = {"url": DEV_URL, "adminToken": "dev-token", "serverKey": "dev-key"}
    (tmp_path / ".wigwag/dev.json").write_text(json.dumps(dev))
    below = tmp_path / "src" / "app"
    below.mkdir(parents=True)
    return below


def found(server: Server) -> tuple[str, str]:
    return server.url, server.secret


def test_the_options_come_before_the_environment_and_that_before_the_dev_file(dev: Path) -> None:
    url = "https://option.example.com"
    assert found(find_server(TOKEN, url, "t", ENVIRON, dev)) == (url, "t")
    assert found(find_server(TOKEN, None, None, ENVIRON, dev)) == ("https://env.example.com", "env-token")
    assert found(find_server(TOKEN, None, "t", ENVIRON, dev)) == ("https://env.example.com", "t")
    assert found(find_server(TOKEN, None, None, {}, dev)) == (DEV_URL, "dev-token")
    assert found(find_server(TOKEN, url, None, ENVIRON, dev)) == (url, "env-token")


def test_the_sdk_key_is_found_in_the_same_places(dev: Path) -> None:
    assert found(find_server(SERVER_KEY, None, None, ENVIRON, dev)) == ("https://env.example.com", "env-key")
    assert found(find_server(SERVER_KEY, None, None, {}, dev)) == (DEV_URL, "dev-key")


def test_a_token_of_the_environment_is_not_sent_where_a_file_points_to(dev: Path) -> None:
    assert found(find_server(TOKEN, None, None, {"WIGWAG_TOKEN": "env-token"}, dev)) == (DEV_URL, "dev-token")


def test_a_token_of_the_dev_file_is_sent_to_its_own_server_only(dev: Path) -> None:
    assert found(find_server(TOKEN, DEV_URL + "/", None, {}, dev)) == (DEV_URL, "dev-token")
    with pytest.raises(Stop, match="there is no admin token for https://other") as stop:
        find_server(TOKEN, "https://other.example.com", None, {}, dev)
    assert stop.value.code is ExitCode.USAGE


def test_nothing_said_anywhere_names_all_three_ways(tmp_path: Path) -> None:
    with pytest.raises(Stop, match="--url and --token, or set WIGWAG_URL and WIGWAG_TOKEN, or start") as stop:
        find_server(TOKEN, None, None, {}, tmp_path)
    assert stop.value.code is ExitCode.USAGE


def test_a_damaged_dev_file_is_no_obstacle_when_nobody_needs_it(dev: Path) -> None:
    (dev.parents[1] / ".wigwag/dev.json").write_text("{")
    assert find_server(TOKEN, None, None, ENVIRON, dev).secret == "env-token"


def test_a_server_does_not_show_its_secret() -> None:
    assert "hush" not in repr(Server("http://x", "hush", "--url", "--token"))
